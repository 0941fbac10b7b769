//! Clients that read lists, a page at a time.

use eventful::node::{ShownWhen as Until, Waiter};
use eventful::{Cursor, Filter, Status, Timestamp};

use super::event_queue::{STARTED_AT, Task};
use super::state::World;
use super::waits::{Lister, ShownValue};
use crate::failure::Broken;
use crate::oracle::lists::{Listing, View};
use crate::scenario::FaultKind;

impl World<'_> {
    /// Begins to read a list with the filter of this number.
    pub(super) fn list(&mut self, client: u8, which: u8, limit: u8, every: u64) -> Result<(), Broken> {
        let now = self.clock();
        self.latest = self.latest.max(now);
        let (filter, limit) = (filter(which, self.now), usize::from(limit));
        let seen = self.observer.see();
        let view = View { now: self.latest, expected: &seen.oracles.expected, key_table: &self.key_table };
        if self.node.unavailable().is_none() {
            view.judge_counts(self.node.engine(), &filter, limit)?;
        }
        let listing = Listing::new(view, filter, limit);
        let read_at = (self.latest, seen.oracles.decided());
        drop(seen);
        let waiter = self.clients.name();
        let (epoch, cursor) = (self.node.engine().epoch(), Cursor::START);
        self.clients.listers.push(Lister { waiter, client, every, epoch, cursor, read_at, listing });
        self.turn(waiter)
    }

    /// Reads the next page, and checks whether its records are durable as they claim.
    pub(super) fn turn(&mut self, waiter: Waiter) -> Result<(), Broken> {
        let now = self.clock();
        self.latest = self.latest.max(now);
        let Some(at) = self.clients.listers.iter().position(|lister| lister.waiter == waiter) else { return Ok(()) };
        let mut lister = self.clients.listers.remove(at);
        if lister.epoch != self.node.engine().epoch() {
            return Ok(());
        }
        let Listing { filter, limit, .. } = &lister.listing;
        let page = match self.node.see_page(now, filter, lister.cursor, *limit) {
            Ok(page) => page,
            Err(why) => return self.judge_unavailable(lister.client, why),
        };
        let mut seen = self.observer.see();
        seen.probes.fault(FaultKind::PageRead);
        let view = View { now: self.latest, expected: &seen.oracles.expected, key_table: &self.key_table };
        let before = std::mem::replace(&mut lister.read_at, (self.latest, seen.oracles.decided()));
        if before != lister.read_at {
            lister.listing.resume(view, |event| seen.oracles.changed(event) > before.1);
        }
        lister.listing.judge(view, &page.value)?;
        let mut decided = 0;
        for record in &page.value.records {
            let event = self.key_table.number(&record.key).unwrap_or_default();
            let changed = seen.oracles.changed(event);
            match record.durable {
                true => seen.oracles.judge_shown("a record of a page", changed)?,
                false => seen.oracles.judge_doubted("a record of a page", changed)?,
            }
            decided = changed.max(decided);
        }
        drop(seen);
        let client = lister.client;
        if let Some(next) = page.value.next {
            lister.cursor = next;
            self.event_queue.at(self.now + lister.every, Task::Turn(waiter));
            self.clients.listers.push(lister);
        }
        // A read that does not wait shows which records may be lost.
        match page.wait {
            Until::For(_) => {
                self.show_when(client, page.wait, ShownValue { what: "a page", decided, submission: None })
            }
            Until::None | Until::TooLong => self.judge_patience("a page", page.wait),
        }
    }
}

/// Returns the filter of this number. Times are in the middle of the run so far.
fn filter(which: u8, now: u64) -> Filter {
    let middle = Timestamp::from_micros(STARTED_AT + now / 2);
    let mut filter = Filter::default();
    match usize::from(which) {
        at if at < Status::ALL.len() => filter.status = Some(Status::ALL[at]),
        6 => filter.source = Some("shop".into()),
        7 => filter.source = Some("".into()),
        8 => filter.event_type = Some("order".into()),
        9 => filter.error = Some("not now".into()),
        10 => filter.failed_from = Some(middle),
        11 => filter.failed_until = Some(middle),
        12 => (filter.status, filter.event_type) = (Some(Status::Received), Some("order".into())),
        13 => (filter.status, filter.source) = (Some(Status::Completed), Some("".into())),
        14 => (filter.status, filter.error) = (Some(Status::Failed), Some("never".into())),
        // A tombstone has neither.
        15 => (filter.status, filter.event_type) = (Some(Status::Completed), Some("order".into())),
        16 => (filter.status, filter.error) = (Some(Status::Discarded), Some("no".into())),
        17 => filter.cause = Some("not now".into()),
        18 => (filter.status, filter.cause) = (Some(Status::Failed), Some("never".into())),
        19 => (filter.status, filter.cause) = (Some(Status::Discarded), Some("never".into())),
        20 => filter.accepted_from = Some(middle),
        21 => filter.accepted_until = Some(middle),
        22 => (filter.status, filter.accepted_until) = (Some(Status::Completed), Some(middle)),
        23 => filter.id = Some("event-1".into()),
        24 => filter.id = Some("00000000-0000-4000-8000-000000000002".into()),
        _ => {}
    }
    filter
}
