//! Failed events: how long they are kept, and how many bytes of them.

use std::time::Duration;

use eventful::{Bound, DropReason, FailedOverflow, Key, Refusal, Status, Timestamp};

use super::{Model, Record};

impl Model {
    /// Bytes of the failed events, and of all their errors that are kept.
    pub fn failed_bytes(&self) -> usize {
        let failed = self.records.values().filter(|record| record.status() == Status::Failed);
        failed.map(|record| record.kept_bytes() + record.error_bytes()).sum()
    }

    fn has_failed_overflow(&self) -> bool {
        self.failed_bytes() > self.config.max_failed_bytes
    }

    fn drops_oldest(&self) -> bool {
        self.config.failed_overflow == FailedOverflow::DropOldest
    }

    /// When a sweep forgets this record, if it is the first.
    pub(super) fn forgotten_at(&self, record: &Record) -> Option<Timestamp> {
        let overflows = record.status() == Status::Failed && self.drops_oldest() && self.has_failed_overflow();
        if overflows { record.terminal_at() } else { self.expiry(record) }
    }

    /// A sweep may be late; what it will drop must not be in the way unless memory is short.
    pub(super) fn refuse_beside_failed(&self, size: usize) -> Option<Refusal> {
        let all = self.bytes() + self.failed_bytes() + size;
        let is_short = all > self.config.max_bytes + self.config.max_failed_bytes;
        let refused = self.has_failed_overflow() && (is_short || !self.drops_oldest());
        refused.then(|| Refusal::Overloaded { bound: Bound::Failed, retry_after: self.failed_retry_after() })
    }

    /// A minute, or less when a failed event is forgotten before; never less than after any overload.
    fn failed_retry_after(&self) -> Duration {
        let failed = self.records.values().filter(|record| record.status() == Status::Failed);
        let first = failed.filter_map(|record| self.forgotten_at(record)).min();
        let left = first.map_or(Duration::MAX, |at| at.since(self.now));
        left.min(Duration::from_secs(60)).max(self.config.overload_retry_after)
    }

    /// Notes why a failed event is about to be forgotten.
    pub(super) fn note_dropped(&mut self, key: &Key) {
        let record = &self.records[key];
        if record.status() == Status::Failed {
            let is_due = self.expiry(record).is_some_and(|at| at <= self.now);
            let why = if is_due { DropReason::Expired } else { DropReason::Overflow };
            self.dropped.push((key.clone(), why));
        }
    }
}
