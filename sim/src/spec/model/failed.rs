//! Failed events: their retention, and their bytes.

use std::time::Duration;

use eventful::{
    Status, Timestamp,
    engine::{Bound, DropReason, Refusal},
};

use super::{Dropped, Model, ReferenceRecord};
use crate::scenario::EventNumber;

impl Model {
    /// Returns the time at which a sweep forgets this record, if it is the first.
    pub(super) fn forgotten_at(&self, record: &ReferenceRecord) -> Option<Timestamp> {
        let overflows = self.expected.drops_oldest() && self.expected.has_failed_overflow();
        match overflows && record.status() == Status::Failed {
            true => record.stage.terminal_at(),
            false => self.expected.forgets_at(record.stage),
        }
    }

    /// Returns the refusal for failed events. A sweep may be late; events that it will drop must not be in the way
    /// unless memory is short.
    pub(super) fn refuse_beside_failed(&self, size: usize) -> Option<Refusal> {
        let all = self.expected.bytes as usize + self.expected.failed_bytes as usize + size;
        let is_short = all > self.config().max_bytes + self.config().max_failed_bytes;
        let refused = self.expected.has_failed_overflow() && (is_short || !self.expected.drops_oldest());
        refused.then(|| Refusal::Overloaded { bound: Bound::Failed, retry_after: self.failed_retry_after() })
    }

    /// Returns a minute, or less if a failed event is forgotten before; never less than after any overload.
    fn failed_retry_after(&self) -> Duration {
        let failed = self.expected.all().filter(|(_, record)| record.status() == Status::Failed);
        let first = failed.filter_map(|(_, record)| self.forgotten_at(record)).min();
        let left = first.map_or(Duration::MAX, |at| at.since(self.now));
        left.min(Duration::from_secs(60)).max(self.config().overload_retry_after)
    }

    /// Notes the reason why a failed event is about to be forgotten.
    pub(super) fn note_dropped(&mut self, event: EventNumber) {
        let record = self.known(event);
        let Some(failed_at) = record.stage.terminal_at().filter(|_| record.status() == Status::Failed) else { return };
        let is_due = self.expected.is_expired(record.stage, self.now);
        let dropped = Dropped {
            key: record.event.key().clone(),
            failed_at,
            attempt: record.attempt,
            error: record.last_error.clone(),
            why: if is_due { DropReason::Expired } else { DropReason::Overflow },
        };
        self.dropped.push(dropped);
    }
}
