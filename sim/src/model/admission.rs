//! Who is let in.

use std::time::Duration;

use eventful::{Answer, Bound, Conflict, Duplicate, Event, Key, Phase, Refusal, RejectReason, Rejection};

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
        self.refuse_pending().or_else(|| self.refuse_record()).or_else(|| {
            let is_full = self.bytes() + size > self.config.max_bytes;
            is_full.then(|| overloaded(Bound::Bytes, self.config.overload_retry_after))
        })
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
            let expired = self.first_expiring().filter(|key| self.is_expired(&self.records[key]));
            match expired.filter(|_| self.records.len() >= self.config.max_records) {
                Some(key) => self.forget(&key),
                None => break,
            }
        }
        if self.records.len() < self.config.max_records {
            return None;
        }
        let ahead = self.next_expiry().filter(|expiry| *expiry > self.now);
        let retry_after = ahead.map_or(self.config.overload_retry_after, |expiry| expiry.since(self.now));
        Some(overloaded(Bound::Records, retry_after))
    }

    pub(super) fn forget(&mut self, key: &Key) {
        self.records.remove(key);
        self.counts.one("forgotten");
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
        Refusal::Overloaded { bound: Bound::Disk, .. } => RejectReason::Disk,
        Refusal::Overloaded { bound: Bound::JournalSlow, .. } => RejectReason::JournalSlow,
        Refusal::Overloaded { bound: Bound::JournalUnreachable, .. } => RejectReason::JournalUnreachable,
        Refusal::TooLarge { .. } => RejectReason::TooLarge,
        Refusal::ShuttingDown => RejectReason::ShuttingDown,
    }
}
