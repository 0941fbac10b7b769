//! Submissions: what is known, what is refused, what is accepted.

use super::answer::{Answer, Bound, Conflict, Duplicate, Refusal};
use super::command::Rejection;
use super::effect::Output;
use super::event::Event;
use super::fact::Change;
use super::metrics::RejectReason;
use super::store::Location;
use super::{Engine, Phase};
use core::time::Duration;

impl Engine {
    /// Known keys get a result in every phase; only a new one can be refused.
    pub(super) fn submit(&mut self, event: Event, out: &mut Output) -> Answer {
        let hash = self.state.store.hash(event.key());
        let found = self.state.store.find(hash, event.key());
        // A record whose retention has ended counts as absent, though no sweep has removed it yet.
        if let Some(location) = found.filter(|location| !self.is_expired(*location)) {
            return self.answer_known(location, &event);
        }
        if let Err(refusal) = self.admit(found, &event, out) {
            self.tallies.reject(refusal.reason());
            return Answer::Refused(refusal);
        }
        self.accept(hash, event, out);
        Answer::Accepted
    }

    /// Accepts an event that is new and has room.
    // Measured: a call costs a submission 1 % of its time, and follow-ups are few.
    #[inline(always)]
    pub(super) fn accept(&mut self, hash: u64, event: Event, out: &mut Output) {
        // Fixed before the fact, so that a delay means the same time when the fact is replayed.
        let event = event.accepted_at(self.now);
        let eligible_at = event.eligible_at(self.now);
        out.fact(self.now, || Change::Accepted(event.clone()));
        let policy = self.policy_of(&event);
        let slot = self.state.accept(self.now, hash, event);
        // Outside of the fact: policies are configuration, and each opening applies its own to all records.
        self.state.store.live[slot].policy = policy;
        self.join_group(slot);
        self.arrive(slot, eligible_at);
    }

    pub(super) fn reject(&mut self, rejection: Rejection) -> Answer {
        self.tallies.reject(rejection.into());
        Answer::Noted
    }

    fn answer_known(&mut self, location: Location, event: &Event) -> Answer {
        let (digest, known) = self.known(location);
        if digest != *event.digest() {
            self.tallies.conflicted += 1;
            let first_received_at = known.accepted_at;
            return Answer::Conflict(Conflict { stored: digest, received: *event.digest(), first_received_at });
        }
        self.tallies.deduplicated += 1;
        Answer::Duplicate(known)
    }

    /// Returns the digest and the state of a known event.
    pub(super) fn known(&self, location: Location) -> (super::Digest, Duplicate) {
        match location {
            Location::Live(slot) => {
                let record = &self.state.store.live[slot];
                let (status, accepted_at) = (record.state.status(), record.accepted_at);
                (*record.event.digest(), Duplicate { status, attempt: record.attempt, accepted_at })
            }
            Location::Tombstone(id) => {
                let stone = self.state.store.tombstone(id);
                let (status, accepted_at) = (stone.status(), stone.accepted_at);
                (stone.digest, Duplicate { status, attempt: stone.attempt, accepted_at })
            }
        }
    }

    /// Makes sure that there is room for a new event. `expired` is the record that its key had.
    fn admit(&mut self, expired: Option<Location>, event: &Event, out: &mut Output) -> Result<(), Refusal> {
        if self.phase != Phase::Running {
            return Err(Refusal::ShuttingDown);
        }
        // Before the bounds are checked, as it frees a record.
        if let Some(location) = expired {
            self.forget(location, out);
        }
        let (size, limit_bytes) = (event.size_bytes(), self.config.max_event_bytes);
        // Checked first of the bounds: no waiting would help.
        if size > limit_bytes {
            return Err(Refusal::TooLarge { limit_bytes });
        }
        // Checked before the bounds that all events share: room there would not help.
        self.admit_to_group(event)?;
        self.admit_pending()?;
        self.admit_beside_failed(size)?;
        self.admit_records(1, self.config.max_records, out)?;
        self.admit_bytes(size)
    }

    /// Returns whether no bound that all events share stands against one more event of this size.
    pub fn has_room(&self, size_bytes: usize) -> bool {
        // The count is read, not swept for: this call must not change anything.
        self.state.store.len() < self.config.max_records
            && self.admit_pending().is_ok()
            && self.admit_beside_failed(size_bytes).is_ok()
            && self.admit_bytes(size_bytes).is_ok()
    }

    /// Makes sure that so many more bytes may be pending.
    pub(super) fn admit_bytes(&self, size_bytes: usize) -> Result<(), Refusal> {
        let bytes = self.state.store.bytes().saturating_add(size_bytes);
        // One more, because an event that reaches the bound exactly is allowed.
        self.room_below(bytes, self.config.max_bytes.saturating_add(1), Bound::Bytes)
    }

    /// Returns whether the event is in a group that has as many events as its policy allows.
    pub fn is_group_full(&self, event: &Event) -> bool {
        event.group().is_some_and(|group| self.groups.is_full(group))
    }

    /// Makes sure that one more event of its group may wait.
    pub(super) fn admit_to_group(&self, event: &Event) -> Result<(), Refusal> {
        match self.is_group_full(event) {
            true => Err(Refusal::Overloaded { bound: Bound::Group, retry_after: self.config.overload_retry_after }),
            false => Ok(()),
        }
    }

    /// Makes sure that one more record may wait.
    pub(super) fn admit_pending(&self) -> Result<(), Refusal> {
        self.room_below(self.state.store.pending(), self.config.max_pending, Bound::Pending)
    }

    /// Makes sure that so many more records may be remembered, with a bound on all; expired ones make room, at most as many
    /// as one sweep handles, and as many as are new while the journal has enough to write.
    pub(super) fn admit_records(&mut self, new: usize, most: usize, out: &mut Output) -> Result<(), Refusal> {
        let lacks = |engine: &Self| engine.state.store.len().saturating_add(new) > most;
        // While the journal has enough to write, no more is removed than these events need.
        let removed = if self.holds_expiry { new } else { self.config.sweep_batch.get().max(new) };
        for _ in 0..removed {
            match self.next_expiry() {
                Some((at, location)) if lacks(self) && at <= self.now => self.forget(location, out),
                _ => break,
            }
        }
        match lacks(self) {
            true => Err(Refusal::Overloaded { bound: Bound::Records, retry_after: self.until_expiry() }),
            false => Ok(()),
        }
    }

    /// The time until a record expires. Those that have expired and are still there wait for
    /// sweeps, whose time is not known.
    fn until_expiry(&self) -> Duration {
        let left = self.next_expiry().map(|(at, _)| at.since(self.now));
        // Never zero, or the sender would come back at once, again and again.
        left.filter(|left| !left.is_zero()).unwrap_or(self.config.overload_retry_after)
    }

    fn room_below(&self, used: usize, limit: usize, bound: Bound) -> Result<(), Refusal> {
        match used < limit {
            true => Ok(()),
            false => Err(Refusal::Overloaded { bound, retry_after: self.config.overload_retry_after }),
        }
    }
}

impl Refusal {
    const fn reason(self) -> RejectReason {
        match self {
            Self::Overloaded { bound: Bound::Pending | Bound::Records | Bound::PausedGroups, .. } => {
                RejectReason::Count
            }
            Self::Overloaded { bound: Bound::Group, .. } => RejectReason::Group,
            Self::Overloaded { bound: Bound::Bytes, .. } => RejectReason::Bytes,
            Self::Overloaded { bound: Bound::Failed, .. } => RejectReason::Failed,
            Self::Overloaded { bound: Bound::Disk, .. } => RejectReason::Disk,
            Self::Overloaded { bound: Bound::JournalSlow, .. } => RejectReason::JournalSlow,
            Self::Overloaded { bound: Bound::JournalUnreachable, .. } => RejectReason::JournalUnreachable,
            Self::TooLarge { .. } => RejectReason::TooLarge,
            Self::ShuttingDown => RejectReason::ShuttingDown,
        }
    }
}
