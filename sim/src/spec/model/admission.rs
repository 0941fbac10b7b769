//! Admission of events.

use std::time::Duration;

use eventful::{
    Event, Timestamp,
    engine::{
        Answer, Bound, NotBefore, Phase, Refusal, Rejection,
        facts::{Change, Fact},
    },
    metrics::RejectReason,
};

use super::Model;
use crate::scenario::EventNumber;
use crate::spec::event_bytes;

impl Model {
    pub(super) fn submit(&mut self, event: &Event) -> Answer {
        let number = self.keys.enter(event.key());
        if let Some(record) = self.expected.present(number, self.now) {
            let answer = record.recognize(event.digest());
            self.tallies.one(if matches!(answer, Answer::Conflict(_)) { "conflicted" } else { "deduplicated" });
            return answer;
        }
        if let Some(refusal) = self.refuse_event(number, event) {
            self.tallies.add(("rejected", reason(refusal).as_str()), 1);
            return Answer::Refused(refusal);
        }
        self.accept(number, event);
        Answer::Accepted
    }

    /// Accepts an event that is new and has room.
    pub(super) fn accept(&mut self, number: EventNumber, event: &Event) {
        let event = match event.not_before() {
            Some(NotBefore::After(delay)) => event.clone().with_not_before(self.now + delay),
            Some(NotBefore::At(_)) | None => event.clone(),
        };
        self.decide(Change::Accepted(event));
        let eligible_at = self.known(number).stage.eligible_at().expect("it was just accepted");
        self.enter(number, eligible_at);
    }

    pub(super) fn reject(&mut self, rejection: Rejection) -> Answer {
        self.tallies.add(("rejected", RejectReason::from(rejection).as_str()), 1);
        Answer::Noted
    }

    fn refuse_event(&mut self, number: EventNumber, event: &Event) -> Option<Refusal> {
        let (size, limit_bytes) = (event_bytes(event), self.config().max_event_bytes);
        if self.phase != Phase::Running {
            return Some(Refusal::ShuttingDown);
        }
        if self.expected.record(number).is_some() {
            self.forget(number);
        }
        if size > limit_bytes {
            return Some(Refusal::TooLarge { limit_bytes });
        }
        self.refuse_to_group(event)
            .or_else(|| self.refuse_pending())
            .or_else(|| self.refuse_beside_failed(size))
            .or_else(|| self.refuse_records(1, self.config().max_records as u64))
            .or_else(|| self.refuse_bytes(size))
    }

    fn refuse_bytes(&self, size: usize) -> Option<Refusal> {
        let is_full = self.expected.bytes as usize + size > self.config().max_bytes;
        is_full.then(|| overloaded(Bound::Bytes, self.config().overload_retry_after))
    }

    /// Returns the refusal of a redrive. A failed event is in memory already: if nothing else is pending, it may be of
    /// any size. One that halts its group is never refused: all that is pending may wait for it.
    pub(super) fn refuse_again(&self, event: EventNumber) -> Option<Refusal> {
        let event = &self.known(event).event;
        if self.expected.would_halt(event) {
            return None;
        }
        let size = event_bytes(event);
        let refused = self.refuse_to_group(event).or_else(|| self.refuse_pending());
        refused.or_else(|| if self.expected.bytes > 0 { self.refuse_bytes(size) } else { None })
    }

    /// Returns the refusal for the pending events of its group, which applies to redrives too, unless they end a halt.
    fn refuse_to_group(&self, event: &Event) -> Option<Refusal> {
        let is_full = self.expected.is_group_full(event);
        is_full.then(|| overloaded(Bound::Group, self.config().overload_retry_after))
    }

    /// Returns the refusal for pending events, which applies to redrives too, unless they end a halt.
    pub(super) fn refuse_pending(&self) -> Option<Refusal> {
        let is_full = self.expected.pending() >= self.config().max_pending as u64;
        is_full.then(|| overloaded(Bound::Pending, self.config().overload_retry_after))
    }

    /// Returns the refusal of so many new records by a bound on all of them. Expired records make room for new ones: at
    /// most a batch of them, or as many as are new while expiry is held.
    pub(super) fn refuse_records(&mut self, new: usize, most: u64) -> Option<Refusal> {
        let lacks = |model: &Self| model.expected.total() + new as u64 > most;
        for _ in 0..if self.holds_expiry { new } else { self.config().sweep_batch.get().max(new) } {
            let end = self.first_end();
            match self.first_expiring().filter(|_| end.is_some_and(|end| end <= self.now)) {
                Some(event) if lacks(self) => self.forget(event),
                _ => break,
            }
        }
        if !lacks(self) {
            return None;
        }
        let ahead = self.first_end().filter(|end| *end > self.now);
        let retry_after = ahead.map_or(self.config().overload_retry_after, |expiry| expiry.since(self.now));
        Some(overloaded(Bound::Records, retry_after))
    }

    /// Returns the time at which the first record is to be forgotten.
    fn first_end(&self) -> Option<Timestamp> {
        self.expected.all().filter_map(|(_, record)| self.forgotten_at(record)).min()
    }

    /// Forgets a record: in the last fact if that forgets others and has room.
    pub(super) fn forget(&mut self, event: EventNumber) {
        self.note_dropped(event);
        let key = self.key(event);
        self.ended.retain(|other| *other != event);
        let forgotten = Fact { at: self.now, change: Change::Forgotten(vec![key.clone()]) };
        self.apply(&forgotten);
        self.open_groups();
        let most = self.config().thresholds().forgotten;
        match self.facts.last_mut().map(|last| &mut last.change) {
            Some(Change::Forgotten(keys)) if keys.len() < most => keys.push(key),
            _ => self.facts.push(forgotten),
        }
    }
}

pub(super) fn overloaded(bound: Bound, retry_after: Duration) -> Refusal {
    Refusal::Overloaded { bound, retry_after }
}

fn reason(refusal: Refusal) -> RejectReason {
    match refusal {
        Refusal::Overloaded { bound: Bound::Pending | Bound::Records | Bound::PausedGroups, .. } => RejectReason::Count,
        Refusal::Overloaded { bound: Bound::Group, .. } => RejectReason::Group,
        Refusal::Overloaded { bound: Bound::Bytes, .. } => RejectReason::Bytes,
        Refusal::Overloaded { bound: Bound::Failed, .. } => RejectReason::Failed,
        Refusal::Overloaded { bound: Bound::Disk, .. } => RejectReason::Disk,
        Refusal::Overloaded { bound: Bound::JournalSlow, .. } => RejectReason::JournalSlow,
        Refusal::Overloaded { bound: Bound::JournalUnreachable, .. } => RejectReason::JournalUnreachable,
        Refusal::TooLarge { .. } => RejectReason::TooLarge,
        Refusal::ShuttingDown => RejectReason::ShuttingDown,
    }
}
