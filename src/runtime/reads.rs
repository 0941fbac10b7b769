//! Shows records, and says whether that is durable.
//!
//! Of a record itself it is not kept how far the journal must be. But facts become durable in the
//! order of their decision: a record that was last changed before the oldest fact that is not durable
//! was decided is durable, whatever the journal does meanwhile.

use std::vec::Vec;
use tokio::task::coop::consume_budget;

use super::commits::Mark;
use super::locked::Core;
use super::shared::Shared;
use super::unavailable::{Unavailable, Unsynced};
use crate::engine::{Cursor, Filter, Key, Page, RecordView, Timestamp};

/// What was seen, and what it waits for before it is shown.
struct Seen<T> {
    value: T,
    wait: Wait,
}

/// What must happen before something is shown.
enum Wait {
    /// Nothing: it is durable, or shows itself what of it is not.
    None,
    /// Nothing, for that would take too long: it may not be durable.
    TooLong,
    /// This is durable, or takes too long.
    For(Mark),
}

impl Wait {
    /// What must happen for both, the later one last.
    fn and(self, later: Self) -> Self {
        match (self, later) {
            (Self::TooLong, _) | (_, Self::TooLong) => Self::TooLong,
            (earlier, Self::None) => earlier,
            (_, later) => later,
        }
    }
}

/// Records that one hold of the lock copies out: of one that has failed often that takes some 10 µs.
const VIEWS: usize = 64;

/// Holds of the lock for one page; then it is cut, and its cursor says where to continue.
const HOLDS: usize = 256;

impl Core {
    /// What must be durable before something decided now is shown.
    fn wait(&self, now: Timestamp) -> Wait {
        match self.commits.tail() {
            None => Wait::None,
            Some(_) if self.commits.is_stuck(now) => Wait::TooLong,
            Some(mark) => Wait::For(mark),
        }
    }

    /// A record. One whose last change was given up is not shown, nor is the absence of one: the
    /// engine that said so is not trusted any more.
    fn see(&self, now: Timestamp, key: &Key) -> Result<Seen<Option<RecordView>>, Unavailable> {
        let value = self.engine.get(now, key);
        if value.as_ref().is_some_and(|record| self.commits.holds(record.changed_at())) {
            return Ok(Seen { value, wait: Wait::None });
        }
        match self.commits.unavailable() {
            Some(why) => Err(why),
            None => Ok(Seen { value, wait: self.wait(now) }),
        }
    }

    /// A page, with the records marked that are not durable.
    fn see_page(&self, now: Timestamp, mut page: Page) -> Seen<Page> {
        for record in &mut page.records {
            record.durable = self.commits.holds(record.changed_at());
        }
        let wait = if self.commits.unavailable().is_some() { Wait::None } else { self.wait(now) };
        Seen { value: page, wait }
    }
}

impl Shared {
    /// Shows a record, and what `look` sees beside it: at once when the record is durable, else when it
    /// is, or marked after the `answer_timeout`.
    pub(super) async fn show<T>(
        &self,
        key: &Key,
        look: impl FnOnce(&Core, Timestamp) -> T,
    ) -> Result<(Option<RecordView>, T), Unavailable> {
        let (seen, beside) = self.view(|core, now| (core.see(now, key), look(core, now)))?;
        let Seen { value, wait } = seen?;
        match (self.is_over(wait).await, value) {
            (Ok(()), value) => Ok((value, beside)),
            (Err(Unsynced::Late), Some(record)) => Ok((Some(RecordView { durable: false, ..record }), beside)),
            (Err(Unsynced::Late), None) | (Err(Unsynced::Lost), _) => Err(Unavailable::Unknown),
        }
    }

    /// Shows a page: when all of it is durable, or marked after the `answer_timeout`.
    pub(super) async fn show_page(&self, filter: &Filter, after: Cursor, limit: usize) -> Result<Page, Unavailable> {
        let Seen { value: mut page, wait } = self.collect_page(filter, after, limit).await?;
        let marks_count = matches!(wait, Wait::None);
        match self.is_over(wait).await {
            Ok(()) if !marks_count => page.records.iter_mut().for_each(|record| record.durable = true),
            Ok(()) | Err(Unsynced::Late) => {}
            Err(Unsynced::Lost) => return Err(Unavailable::Unknown),
        }
        Ok(page)
    }

    /// Collects a page in several short holds of the lock, between which others have their turn.
    async fn collect_page(&self, filter: &Filter, after: Cursor, limit: usize) -> Result<Seen<Page>, Unavailable> {
        let mut seen = Seen { value: Page { records: Vec::new(), next: Some(after) }, wait: Wait::None };
        for _ in 0..HOLDS {
            let left = limit.max(1) - seen.value.records.len();
            let Some(cursor) = seen.value.next.filter(|_| left > 0) else { break };
            let part = self.view(|core, now| {
                let page = core.engine.find(now, filter, cursor, left.min(VIEWS));
                core.see_page(now, page)
            })?;
            seen.value.records.extend(part.value.records);
            (seen.value.next, seen.wait) = (part.value.next, seen.wait.and(part.wait));
            consume_budget().await;
        }
        Ok(seen)
    }

    async fn is_over(&self, wait: Wait) -> Result<(), Unsynced> {
        match wait {
            Wait::None => Ok(()),
            Wait::TooLong => Err(Unsynced::Late),
            Wait::For(mark) => self.synced.wait(mark).await,
        }
    }
}
