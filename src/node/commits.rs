//! The journal as the node sees it: facts that are not durable, the condition of the journal, and what may be accepted
//! meanwhile.

use alloc::vec::Vec;
use core::time::Duration;

use super::groups::{Groups, Lsn};
use super::horizon::Horizon;
use super::journal_state::JournalState;
use super::unavailable::Unavailable;
use crate::engine::{Bound, Engine, Output, Rejection, Ticket, Timestamp, facts::Fact};

/// Bounds on what may wait for the journal, and on what is kept free in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitLimits {
    /// Bytes of facts that are not durable, past which no new event is accepted.
    pub max_unsynced_bytes: usize,
    /// Room in bytes that only outcomes and shutdown may use.
    pub reserve_bytes: u64,
    /// The longest time for which a result waits until it is durable.
    pub answer_timeout: Duration,
    /// Bytes of facts in one group, besides those of one fact more.
    pub group_bytes: usize,
    /// Failures of the journal whose lost LSNs are kept.
    pub failures: usize,
}

impl CommitLimits {
    /// Bytes of facts after which a group is full. A group is one append, and what is decided later waits for it: 1
    /// MiB takes about 20 ms, and larger groups bring no more events per second.
    pub const GROUP_BYTES: usize = 1 << 20;

    /// The number of failures whose lost LSNs are kept. All that wait are woken at once, and only a future that is not
    /// polled meanwhile asks later.
    pub const FAILURES: usize = 64;
}

/// An engine that was opened from a journal, and what was found there.
#[derive(Debug)]
pub struct OpenedEngine {
    /// The engine.
    pub engine: Engine,
    /// The output of its opening, facts included.
    pub out: Output,
    /// Bytes that the journal can take; `u64::MAX` when it knows no bound.
    pub room_bytes: u64,
    /// Frames that were ever appended to the journal.
    pub frames: u64,
}

/// The journal as the node sees it: groups on their way, and the journal's condition. Without a journal everything
/// counts as durable.
#[derive(Debug, Default)]
pub(super) struct PendingCommits(Option<GroupCommit>);

#[derive(Debug)]
struct GroupCommit {
    groups: Groups,
    horizon: Horizon,
    condition: EngineCondition,
    limits: CommitLimits,
    /// The bytes that the journal could still take after the last group.
    room_bytes: u64,
    /// True if its directory and its disk were there at the last check.
    is_reachable: bool,
    /// Facts that were abandoned, until the journal is opened again and shows which are left.
    abandoned: usize,
    /// The time at which the oldest of them was decided.
    lost_since: Option<Timestamp>,
}

/// The part of `max_unsynced_bytes` that expiry may fill: 4 MiB by default, which is about 50,000
/// forgotten keys, and what a disk of 40 MB/s writes in a tenth of a second.
const PATIENT_SHARE: usize = 16;

/// A group that is not durable after this time is late. A disk that works takes milliseconds, one
/// that is very busy some hundreds of them.
const LATE_AFTER: Duration = Duration::from_secs(1);

/// The condition of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum EngineCondition {
    /// The engine is usable.
    Open,
    /// The engine was abandoned, and another one is to replace it.
    Reopening,
    /// The engine was abandoned, and none will replace it.
    Down,
}

impl PendingCommits {
    pub(super) fn new(limits: CommitLimits, room_bytes: u64) -> Self {
        Self(Some(GroupCommit {
            groups: Groups::bounded(limits.group_bytes),
            horizon: Horizon::default(),
            condition: EngineCondition::Open,
            limits,
            room_bytes,
            is_reachable: true,
            abandoned: 0,
            lost_since: None,
        }))
    }

    /// Returns whether facts must be kept.
    pub(super) const fn keeps_facts(&self) -> bool {
        self.0.is_some()
    }

    /// Takes in facts in the order of their decision.
    pub(super) fn add(&mut self, facts: impl Iterator<Item = Fact>) {
        if let Some(journaled) = &mut self.0 {
            journaled.groups.add(facts);
        }
    }

    /// Takes in a ticket that is to be sent, and returns it if it may leave at once.
    pub(super) fn pass(&mut self, ticket: Ticket) -> Option<Ticket> {
        match &mut self.0 {
            Some(journaled) => journaled.groups.pass(ticket),
            None => Some(ticket),
        }
    }

    /// Forgets all tickets: their channel is gone.
    pub(super) fn forget_tickets(&mut self) {
        self.0.iter_mut().for_each(|journaled| journaled.groups.forget_tickets());
    }

    /// Returns the LSN that must be durable before a result decided now may leave; `None` when it may leave at once.
    pub(super) fn tail(&self) -> Option<Lsn> {
        let journaled = self.0.as_ref()?;
        // With everything durable a result need not wait, which spares its caller a wake-up.
        (!journaled.groups.is_idle()).then(|| journaled.groups.tail())
    }

    /// Returns whether everything that was decided is durable.
    pub(super) fn is_idle(&self) -> bool {
        self.0.as_ref().is_none_or(|journaled| journaled.groups.is_idle())
    }

    /// Returns the number of facts that are not durable.
    pub(super) fn unsynced(&self) -> u64 {
        self.0.as_ref().map_or(0, |journaled| (journaled.groups.unsynced() + journaled.abandoned) as u64)
    }

    /// Returns the bytes of facts that are not durable.
    pub(super) fn unsynced_bytes(&self) -> u64 {
        self.0.as_ref().map_or(0, |journaled| journaled.groups.unsynced_bytes() as u64)
    }

    /// Returns whether the engine is usable.
    pub(super) fn condition(&self) -> EngineCondition {
        self.0.as_ref().map_or(EngineCondition::Open, |journaled| journaled.condition)
    }

    /// Returns the reason why the engine is not usable, when it is not.
    pub(super) fn unavailable(&self) -> Option<Unavailable> {
        match self.condition() {
            EngineCondition::Open => None,
            EngineCondition::Reopening => Some(Unavailable::Reopening),
            EngineCondition::Down => Some(Unavailable::JournalDown),
        }
    }

    /// Returns the reason why the journal takes no new event of this size now, if it takes none.
    pub(super) fn refusal(&self, now: Timestamp, size_bytes: usize) -> Option<(Bound, Rejection)> {
        self.0.as_ref()?.refusal(now, size_bytes)
    }

    /// Returns whether so much waits for the journal that work which can wait must.
    pub(super) fn is_behind(&self) -> bool {
        self.0.as_ref().is_some_and(GroupCommit::is_behind)
    }

    /// Records how much the journal can take now, and whether it is reachable.
    pub(super) const fn measure(&mut self, room_bytes: u64, is_reachable: bool) {
        if let Some(journaled) = &mut self.0 {
            (journaled.room_bytes, journaled.is_reachable) = (room_bytes, is_reachable);
        }
    }

    /// Returns the state of the journal. `busy_since` is when its writer began its present job.
    pub(super) fn state(
        &self,
        now: Timestamp,
        busy_since: Option<Timestamp>,
        max_event_bytes: usize,
    ) -> Option<JournalState> {
        self.0.as_ref().map(|journaled| journaled.state(now, busy_since, max_event_bytes))
    }

    /// Returns the time at which the oldest fact was decided that is not durable.
    pub(super) fn unsynced_since(&self) -> Option<Timestamp> {
        self.0.as_ref()?.unsynced_since()
    }

    /// Returns whether a record that was last changed at this time is durable, and was not abandoned.
    pub(super) fn holds(&self, changed_at: Timestamp) -> bool {
        self.unsynced_since().is_none_or(|since| changed_at < since)
    }

    /// Returns whether the oldest group is late.
    pub(super) fn is_late(&self, now: Timestamp) -> bool {
        self.unsynced_since().is_some_and(|since| since + LATE_AFTER <= now)
    }

    /// Returns whether the oldest group is older than a result may wait.
    pub(super) fn is_stuck(&self, now: Timestamp) -> bool {
        self.0.as_ref().is_some_and(|journaled| journaled.is_stuck(now))
    }

    /// Returns the next time at which a result has waited too long.
    pub(super) fn next_overdue(&self, now: Timestamp) -> Option<Timestamp> {
        let journaled = self.0.as_ref()?;
        let (_, next) = journaled.groups.split_by_age(|since| journaled.is_overdue(since, now));
        next.map(|since| since + journaled.limits.answer_timeout)
    }

    /// Releases the results that have waited too long, or all. Returns which LSNs are settled by that.
    pub(super) fn stop_waiting(&mut self, now: Timestamp, all: bool) -> Option<(Lsn, Lsn)> {
        let tail = self.tail();
        let journaled = self.0.as_mut()?;
        let (overdue, _) = journaled.groups.split_by_age(|since| journaled.is_overdue(since, now));
        let up_to = if all { tail } else { overdue }?;
        let before = journaled.horizon.stop_waiting(up_to)?;
        Some((before, up_to))
    }

    /// Returns how far durability has come, when there is a journal.
    pub(super) fn horizon(&self) -> Option<&Horizon> {
        self.0.as_ref().map(|journaled| &journaled.horizon)
    }

    /// Closes the horizon: no open LSN is settled any more.
    pub(super) fn close_horizon(&mut self) {
        self.0.iter_mut().for_each(|journaled| journaled.horizon.close());
    }

    /// Returns whether there is a group to write, and none being written.
    pub(super) fn has_work(&self) -> bool {
        self.0.as_ref().is_some_and(|journaled| journaled.groups.can_begin())
    }

    /// Puts the next group into `facts`, and returns whether there is one.
    pub(super) fn begin(&mut self, facts: &mut Vec<Fact>) -> bool {
        self.0.as_mut().is_some_and(|journaled| journaled.groups.begin(facts))
    }

    /// Records that the group is durable. Returns the tickets that may leave now, and the LSNs that are settled.
    pub(super) fn finish(&mut self, room_bytes: u64) -> (Vec<Ticket>, Lsn, Lsn) {
        let Some(journaled) = &mut self.0 else { return Default::default() };
        // A write that succeeded shows that the journal is there, whatever the last check found.
        (journaled.room_bytes, journaled.is_reachable) = (room_bytes, true);
        let tickets = journaled.groups.finish();
        let reached = journaled.groups.settled();
        (tickets, journaled.horizon.reach(reached), reached)
    }

    /// Abandons what is not durable, and the engine with it. Returns which LSNs are lost, and the number of facts.
    pub(super) fn abandon(&mut self) -> (Lsn, Lsn, usize) {
        let Some(journaled) = &mut self.0 else { return Default::default() };
        journaled.condition = EngineCondition::Reopening;
        // Read before the groups are dropped, which know it.
        journaled.lost_since = journaled.unsynced_since();
        let durable = journaled.groups.settled();
        let facts = journaled.groups.fail();
        // Added to those of an earlier failure, whose fate only an opening shows.
        journaled.abandoned += facts;
        let lost = journaled.groups.settled();
        journaled.horizon.lose(durable, lost, journaled.limits.failures);
        (durable, lost, facts)
    }

    /// Records that the engine was replaced.
    pub(super) const fn reopen(&mut self, room_bytes: u64) {
        if let Some(journaled) = &mut self.0 {
            (journaled.condition, journaled.abandoned, journaled.lost_since) = (EngineCondition::Open, 0, None);
            (journaled.room_bytes, journaled.is_reachable) = (room_bytes, true);
        }
    }

    /// Records that the engine will not be replaced.
    pub(super) const fn stay_down(&mut self) {
        if let Some(journaled) = &mut self.0 {
            journaled.condition = EngineCondition::Down;
        }
    }

    /// Returns the room for new events.
    pub(super) fn room(&self) -> Option<u64> {
        self.0.as_ref().map(GroupCommit::room)
    }

    /// Returns the number of groups that were made durable or abandoned.
    pub(super) fn settled(&self) -> u64 {
        self.0.as_ref().map_or(0, |journaled| journaled.groups.settled().number())
    }

    /// Adds to a hash what decides the further course of the journal.
    #[cfg(feature = "sim")]
    pub(super) fn fingerprint(&self, hasher: &mut impl core::hash::Hasher) {
        use core::hash::Hash as _;
        let Some(GroupCommit { groups, condition, room_bytes, is_reachable, .. }) = &self.0 else { return };
        (condition, room_bytes, is_reachable).hash(hasher);
        (groups.settled(), groups.tail(), groups.unsynced(), groups.can_begin()).hash(hasher);
        groups.tickets().for_each(|ticket| ticket.hash(hasher));
    }
}

impl GroupCommit {
    /// Returns the bytes of the journal's room that new events may take: neither those of the reserve, nor those of
    /// what is not durable yet.
    fn room(&self) -> u64 {
        let taken = self.limits.reserve_bytes.saturating_add(self.groups.unsynced_bytes() as u64);
        self.room_bytes.saturating_sub(taken)
    }

    /// Returns whether no result waits any more for a group whose first fact is as old as this.
    fn is_overdue(&self, since: Timestamp, now: Timestamp) -> bool {
        since + self.limits.answer_timeout <= now
    }

    fn is_stuck(&self, now: Timestamp) -> bool {
        self.groups.unsynced_since().is_some_and(|since| self.is_overdue(since, now))
    }

    fn is_behind(&self) -> bool {
        self.groups.unsynced_bytes() > self.limits.max_unsynced_bytes / PATIENT_SHARE
    }

    fn refusal(&self, now: Timestamp, size_bytes: usize) -> Option<(Bound, Rejection)> {
        // First: what was measured of a disk that is gone says nothing about its room.
        if !self.is_reachable {
            return Some((Bound::JournalUnreachable, Rejection::JournalUnreachable));
        }
        if size_bytes as u64 > self.room() {
            return Some((Bound::Disk, Rejection::Disk));
        }
        let is_slow = self.is_stuck(now) || self.groups.unsynced_bytes() >= self.limits.max_unsynced_bytes;
        is_slow.then_some((Bound::JournalSlow, Rejection::JournalSlow))
    }

    fn unsynced_since(&self) -> Option<Timestamp> {
        self.lost_since.into_iter().chain(self.groups.unsynced_since()).min()
    }

    fn state(&self, now: Timestamp, busy_since: Option<Timestamp>, max_event_bytes: usize) -> JournalState {
        // The job at hand counts, too: a seal or a check that hangs holds up the next group.
        let waits_since = self.groups.unsynced_since().into_iter().chain(busy_since).min();
        match self.condition {
            EngineCondition::Reopening => JournalState::Reopening,
            EngineCondition::Down => JournalState::Down,
            EngineCondition::Open if !self.is_reachable => JournalState::Unreachable,
            EngineCondition::Open if self.room() < max_event_bytes as u64 => JournalState::Full,
            EngineCondition::Open => match waits_since.filter(|since| *since + LATE_AFTER <= now) {
                Some(since) => JournalState::Stalled { since },
                None => JournalState::Working,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_reached_one_byte_past_them() {
        let limits = CommitLimits {
            max_unsynced_bytes: PATIENT_SHARE - 1,
            reserve_bytes: 5,
            answer_timeout: Duration::from_secs(1),
            group_bytes: CommitLimits::GROUP_BYTES,
            failures: CommitLimits::FAILURES,
        };
        let commits = PendingCommits::new(limits, 12);
        let refusals = [7, 8].map(|size_bytes| commits.refusal(Timestamp::EPOCH, size_bytes));
        assert_eq!(refusals, [None, Some((Bound::Disk, Rejection::Disk))]);
        assert!(!commits.is_behind(), "nothing waits");
    }
}
