//! Who is let in.

use std::time::Duration;

use eventful::{Answer, Bound, Conflict, Duplicate, Event, Key, Phase, Refusal, RejectReason, Rejection, Timestamp};

use super::{Model, Record};

impl Model {
    pub(super) fn submit(&mut self, event: &Event) -> Answer {
        if let Some(record) = self.record(event.key()) {
            let answer = recognise(record, event);
            self.counts.one(if matches!(answer, Answer::Conflict(_)) { "conflicted" } else { "deduplicated" });
            return answer;
        }
        if let Some(refusal) = self.refuse_event(event) {
            self.counts.add(("rejected", reason(refusal).as_str()), 1);
            return Answer::Refused(refusal);
        }
        self.counts.one("accepted");
        self.records.insert(event.key().clone(), Record::new(event.clone(), self.now));
        self.line.push(event.key().clone());
        Answer::Accepted
    }

    pub(super) fn reject(&mut self, rejection: Rejection) -> Answer {
        self.counts.add(("rejected", RejectReason::from(rejection).as_str()), 1);
        Answer::Noted
    }

    fn refuse_event(&mut self, event: &Event) -> Option<Refusal> {
        let size = event.size_bytes();
        if self.phase != Phase::Running {
            return Some(Refusal::ShuttingDown);
        }
        if self.records.contains_key(event.key()) {
            self.forget(event.key());
        }
        if size > self.config.max_event_bytes {
            return Some(Refusal::TooLarge { limit_bytes: self.config.max_event_bytes });
        }
        self.refuse_pending()
            .or_else(|| self.refuse_beside_failed(size))
            .or_else(|| self.refuse_record())
            .or_else(|| self.refuse_bytes(size))
    }

    fn refuse_bytes(&self, size: usize) -> Option<Refusal> {
        let is_full = self.bytes() + size > self.config.max_bytes;
        is_full.then(|| overloaded(Bound::Bytes, self.config.overload_retry_after))
    }

    /// A failed event is in memory already: when nothing else is pending, it may be of any size.
    pub(super) fn refuse_again(&self, key: &Key) -> Option<Refusal> {
        let size = self.records[key].event.size_bytes();
        self.refuse_pending().or_else(|| if self.bytes() > 0 { self.refuse_bytes(size) } else { None })
    }

    /// Redrive obeys this too: a redriven event is pending again.
    pub(super) fn refuse_pending(&self) -> Option<Refusal> {
        let is_full = self.pending() >= self.config.max_pending;
        is_full.then(|| overloaded(Bound::Pending, self.config.overload_retry_after))
    }

    /// Expired records make room for a new one, a batch of them at most, or one while sweeps forget
    /// nothing.
    fn refuse_record(&mut self) -> Option<Refusal> {
        for _ in 0..if self.holds_expiry { 1 } else { self.config.sweep_batch.get() } {
            let end = self.first_end();
            match self.first_expiring().filter(|_| end.is_some_and(|end| end <= self.now)) {
                Some(key) if self.records.len() >= self.config.max_records => self.forget(&key),
                _ => break,
            }
        }
        if self.records.len() < self.config.max_records {
            return None;
        }
        let ahead = self.first_end().filter(|end| *end > self.now);
        let retry_after = ahead.map_or(self.config.overload_retry_after, |expiry| expiry.since(self.now));
        Some(overloaded(Bound::Records, retry_after))
    }

    /// When the first record is to be forgotten.
    fn first_end(&self) -> Option<Timestamp> {
        self.records.values().filter_map(|record| self.forgotten_at(record)).min()
    }

    pub(super) fn forget(&mut self, key: &Key) {
        self.note_dropped(key);
        let forgotten = self.records.remove(key);
        self.counts.add(("forgotten", forgotten.map_or("", |record| record.status().as_str())), 1);
    }
}

/// The answer to an event whose key is known.
fn recognise(record: &Record, event: &Event) -> Answer {
    if record.event.digest() != event.digest() {
        return Answer::Conflict(Conflict {
            stored: *record.event.digest(),
            received: *event.digest(),
            first_received_at: record.accepted_at,
        });
    }
    Answer::Duplicate(Duplicate { status: record.status(), attempt: record.attempt, accepted_at: record.accepted_at })
}

fn overloaded(bound: Bound, retry_after: Duration) -> Refusal {
    Refusal::Overloaded { bound, retry_after }
}

fn reason(refusal: Refusal) -> RejectReason {
    match refusal {
        Refusal::Overloaded { bound: Bound::Pending | Bound::Records, .. } => RejectReason::Count,
        Refusal::Overloaded { bound: Bound::Bytes, .. } => RejectReason::Bytes,
        Refusal::Overloaded { bound: Bound::Failed, .. } => RejectReason::Failed,
        Refusal::Overloaded { bound: Bound::Disk, .. } => RejectReason::Disk,
        Refusal::Overloaded { bound: Bound::JournalSlow, .. } => RejectReason::JournalSlow,
        Refusal::Overloaded { bound: Bound::JournalUnreachable, .. } => RejectReason::JournalUnreachable,
        Refusal::TooLarge { .. } => RejectReason::TooLarge,
        Refusal::ShuttingDown => RejectReason::ShuttingDown,
    }
}
