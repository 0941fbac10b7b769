//! Calls of an operator about many events at once, a page at a time.

use std::sync::Arc;
use std::vec::Vec;

use super::handle::Eventful;
use super::shared::Shared;
use crate::engine::{Bound, Cursor, Filter, Key, Page, Status, Timestamp};
use crate::node::{DiscardError, Lsn, Node, RedriveError, Unavailable};
use crate::sync::consume_budget;

/// The result of [`Eventful::redrive_all`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Redriven {
    /// The number of events that were redriven.
    pub count: usize,
    /// The number of failed events at the end: those that the page did not hold, and those that failed meanwhile.
    pub left: u64,
    /// The cursor at which to continue; absent when there are no more.
    pub next: Option<Cursor>,
}

/// The result of [`Eventful::discard_matching`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Discarded {
    /// The number of events that were discarded.
    pub count: usize,
    /// The number of events that still match at the end.
    pub left: u64,
    /// The cursor at which to continue; absent when there are no more.
    pub next: Option<Cursor>,
}

impl Eventful {
    /// Returns one page of the events that match; see [`Eventful::list`].
    ///
    /// # Errors
    ///
    /// [`Unavailable`]
    pub async fn find(&self, filter: &Filter, after: Cursor, limit: usize) -> Result<Page, Unavailable> {
        let mut page = Page { records: Vec::new(), next: Some(after) };
        while let Some(after) = page.next.take() {
            // One at least, so that a caller that continues comes to the end.
            let left = limit.max(1).saturating_sub(page.records.len());
            if left == 0 {
                page.next = Some(after);
                break;
            }
            let Some(at) = self.shards.at(after) else { break };
            let Page { records, next } = at.shared.show_page(filter, at.place, left).await?;
            page.records.extend(records);
            page.next = at.next(&self.shards, next);
            // A page that has ended early has read enough for one call.
            if next.is_some() {
                break;
            }
        }
        Ok(page)
    }

    /// Redrives one page of all failed events, from `after` on; see [`Eventful::redrive_matching`].
    ///
    /// # Errors
    ///
    /// [`RedriveError`] when it redrove none.
    pub async fn redrive_all(&self, after: Cursor) -> Result<Redriven, RedriveError> {
        self.redrive_matching(&Filter::default(), after, usize::MAX).await
    }

    /// Returns the number of events that match: those that [`Eventful::redrive_matching`] and
    /// [`Eventful::discard_matching`] would change. Counts in many short holds of the lock, so that what changes
    /// meanwhile may be missed. If the filter has a status only, an event whose retention has ended counts until a
    /// sweep removes it.
    ///
    /// # Errors
    ///
    /// [`Unavailable`]
    pub async fn count(&self, filter: &Filter) -> Result<u64, Unavailable> {
        let mut count = 0;
        for shared in self.shards.all() {
            let mut next = Some(Cursor::START);
            while let Some(after) = next {
                let part;
                (part, next) = shared.read_available(|node, now| node.engine().count(now, filter, after))?;
                count += part;
                consume_budget().await;
            }
        }
        Ok(count)
    }

    /// Redrives one page of failed events that match, `limit` at most, from `after` on, in the order in which they failed
    /// within each shard. A page has a bound of its own, so there may be more even with a larger limit. Ends early
    /// when a bound is reached; then `next` is where it began, in the shard that reached it. Events whose group has no room
    /// are passed over and stay failed. The filter's status is ignored.
    ///
    /// # Errors
    ///
    /// [`RedriveError`] when it redrove none. If only groups without room are the reason, it is returned with the last page;
    /// those before have a `next`. An engine that stops meanwhile is an error as well, though some may be redriven: call
    /// again once it runs, as what was redriven no longer matches.
    pub async fn redrive_matching(
        &self,
        filter: &Filter,
        after: Cursor,
        limit: usize,
    ) -> Result<Redriven, RedriveError> {
        let filter = with_status(filter, Status::Failed);
        let (parts, mut next) = self.keys(&filter, after, limit)?;
        let (mut count, mut lsns, mut refused) = (0, Vec::new(), None);
        'page: for ShardKeys { after, shared, keys } in parts {
            for key in keys {
                let decided = shared.write(|node, now| node.redrive(now, key))?;
                lsns.extend(decided.lsn.map(|lsn| (shared, lsn)));
                match decided.value {
                    Ok(()) => count += 1,
                    // Another operator was faster.
                    Err(RedriveError::NotFound | RedriveError::NotFailed(_)) => {}
                    // One group that is full does not stop the events of all others.
                    Err(full @ RedriveError::Overloaded { bound: Bound::Group, .. }) => refused = Some(full),
                    // What was redriven must be reported, so the refusal is left to the next call, which begins there.
                    Err(_) if count > 0 => {
                        next = Some(after);
                        break 'page;
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        if let Some(full) = refused.filter(|_| count == 0 && next.is_none()) {
            return Err(full);
        }
        let left = self.count(&filter).await?;
        // Waited for at the end, so that the redrives of a page share groups of the journal.
        settle_all(lsns).await?;
        Ok(Redriven { count, left, next })
    }

    /// Discards one page of events of this status that match, `limit` at most, from `after` on. A page has a bound of its
    /// own, so there may be more even with a larger limit. The status is a parameter of its own, so that no call without
    /// a filter discards everything by mistake.
    ///
    /// # Errors
    ///
    /// [`DiscardError`] when it discarded none, and when the engine stops meanwhile, though some may be discarded: call again
    /// once it runs, as what was discarded no longer matches.
    pub async fn discard_matching(
        &self,
        status: Status,
        filter: &Filter,
        after: Cursor,
        limit: usize,
    ) -> Result<Discarded, DiscardError> {
        let filter = with_status(filter, status);
        let (parts, next) = self.keys(&filter, after, limit)?;
        let (mut count, mut lsns) = (0, Vec::new());
        for ShardKeys { shared, keys, .. } in parts {
            for key in keys {
                let decided = shared.write(|node, now| node.discard(now, key))?;
                lsns.extend(decided.lsn.map(|lsn| (shared, lsn)));
                match decided.value {
                    Ok(()) => count += 1,
                    // It has ended meanwhile.
                    Err(DiscardError::NotFound | DiscardError::Completed) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        let left = self.count(&filter).await?;
        settle_all(lsns).await?;
        Ok(Discarded { count, left, next })
    }

    /// Returns one page of the keys of events that match, `limit` at most, and where to continue.
    fn keys(
        &self,
        filter: &Filter,
        after: Cursor,
        limit: usize,
    ) -> Result<(Vec<ShardKeys<'_>>, Option<Cursor>), Unavailable> {
        let (mut parts, mut next) = (Vec::new(), Some(after));
        let mut room = self.config().thresholds().bulk.min(limit);
        while let Some(after) = next.filter(|_| room > 0) {
            let Some(at) = self.shards.at(after) else { return Ok((parts, None)) };
            let (keys, rest) =
                at.shared.read_available(|node, now| node.engine().find_keys(now, filter, at.place, room))?;
            room -= keys.len();
            next = at.next(&self.shards, rest);
            parts.push(ShardKeys { after, shared: at.shared, keys });
            // A shard that is not read to its end has been read for long enough.
            if rest.is_some() {
                break;
            }
        }
        Ok((parts, next))
    }
}

/// The part of a page of keys that one shard has.
struct ShardKeys<'s> {
    /// The position at which the part begins.
    after: Cursor,
    shared: &'s Arc<Shared>,
    keys: Vec<Key>,
}

/// Waits until all of them are durable, in the order of each shard.
async fn settle_all(mut lsns: Vec<(&Arc<Shared>, Lsn)>) -> Result<(), Unavailable> {
    // They rise within a shard, so equal ones are next to each other.
    lsns.dedup_by(|(one, lsn), (other, last)| Arc::ptr_eq(one, other) && lsn == last);
    for (shared, lsn) in lsns {
        shared.settled(Some(lsn), false).await?;
    }
    Ok(())
}

fn with_status(filter: &Filter, status: Status) -> Filter {
    let mut filter = filter.clone();
    filter.status = Some(status);
    filter
}

impl Shared {
    /// Reads from a node that is available.
    pub(super) fn read_available<T>(&self, read: impl FnOnce(&Node, Timestamp) -> T) -> Result<T, Unavailable> {
        self.read(|node, now| node.unavailable().map_or_else(|| Ok(read(node, now)), Err))
    }
}
