//! Group commit: facts that are decided and not durable yet, and what must wait for them.
//!
//! ```text
//! decided ──▶ open group ──begin──▶ group being written ──finish──▶ durable
//! ```
//!
//! Facts go into the open group. While one group is being written the next one fills; there is no timer. A full group
//! waits behind those before it, and another one is opened. Tickets wait in the group that was open when they were
//! decided, so they leave after the facts from which they follow, and in their order. A result waits for the [`Lsn`]
//! that was the tail when it was decided.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::mem;

use crate::engine::{
    Ticket, Timestamp,
    facts::{Change, Fact},
};

/// A log sequence number: the number of a group, as a point that durability reaches. It rises by one for each group of
/// a process, also over a [`Groups::fail`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Lsn(u64);

impl Lsn {
    /// The LSN of what is durable from the start.
    pub const START: Self = Self(0);

    /// Returns its number; one more for each group.
    pub const fn number(self) -> u64 {
        self.0
    }

    const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// The groups that are not durable.
#[derive(Debug)]
pub struct Groups {
    limit_bytes: usize,
    /// The last group that is durable, or was abandoned.
    settled: Lsn,
    /// The group that is being written; its facts are with the writer.
    written: Option<WrittenGroup>,
    /// Groups that are full, in their order.
    full: VecDeque<CommitGroup>,
    open: CommitGroup,
    /// Facts in all of these, and their bytes.
    facts: usize,
    bytes: usize,
}

#[derive(Debug, Default)]
struct CommitGroup {
    facts: Vec<Fact>,
    bytes: usize,
    tickets: Vec<Ticket>,
    /// The time of its first fact.
    since: Timestamp,
}

#[derive(Debug)]
struct WrittenGroup {
    facts: usize,
    bytes: usize,
    tickets: Vec<Ticket>,
    since: Timestamp,
}

impl Groups {
    /// Creates an empty set; everything so far is durable. A group has at most this many bytes of facts, besides those
    /// of one fact more with its follow-ups.
    pub fn bounded(limit_bytes: usize) -> Self {
        // With a limit of 0 a group without facts would be full, and be written.
        let (settled, written, full, open, facts, bytes) = Default::default();
        Self { limit_bytes: limit_bytes.max(1), settled, written, full, open, facts, bytes }
    }

    /// Takes in the facts of one decision, in their order. Follow-ups are in one group with the end of their run, so that
    /// they become durable together.
    pub fn add(&mut self, facts: impl IntoIterator<Item = Fact>) {
        let mut ends_run = false;
        for fact in facts {
            let follows = ends_run && matches!(fact.change, Change::Accepted(_));
            ends_run |= matches!(fact.change, Change::Finished { .. });
            // Checked before a fact is added, so that a group may be larger by one fact: every fact fits somewhere.
            if self.open.bytes >= self.limit_bytes && !follows {
                self.full.push_back(mem::take(&mut self.open));
            }
            // Age is that of the oldest fact, for it is the longest to wait.
            if self.open.facts.is_empty() {
                self.open.since = fact.at;
            }
            let bytes = fact.size_bytes();
            self.open.bytes += bytes;
            self.open.facts.push(fact);
            (self.facts, self.bytes) = (self.facts + 1, self.bytes + bytes);
        }
    }

    /// Takes in a ticket that is to be sent, and returns it if nothing is ahead of it.
    pub fn pass(&mut self, ticket: Ticket) -> Option<Ticket> {
        // A ticket must not overtake the facts from which it follows.
        if self.is_idle() {
            return Some(ticket);
        }
        self.open.tickets.push(ticket);
        None
    }

    /// Forgets the tickets that wait: their channel is gone.
    pub fn forget_tickets(&mut self) {
        self.open.tickets.clear();
        self.full.iter_mut().for_each(|group| group.tickets.clear());
        self.written.iter_mut().for_each(|written| written.tickets.clear());
    }

    /// Returns the LSN that must be durable before a result decided now may leave. Tickets alone are no reason to
    /// wait: a result depends on facts.
    pub fn tail(&self) -> Lsn {
        // An open group without facts has no LSN of its own: its tickets leave with the group before.
        let groups = usize::from(self.written.is_some()) + self.full.len() + usize::from(!self.open.facts.is_empty());
        Lsn(self.settled.0 + groups as u64)
    }

    /// Returns the last group that is durable, or was abandoned.
    pub fn settled(&self) -> Lsn {
        self.settled
    }

    /// Returns whether everything that was decided is durable.
    pub fn is_idle(&self) -> bool {
        self.written.is_none() && self.full.is_empty() && self.open.is_empty()
    }

    /// Returns the number of facts that are not durable.
    pub fn unsynced(&self) -> usize {
        self.facts
    }

    /// Returns the bytes of the events in these facts, and of the size of the others.
    pub fn unsynced_bytes(&self) -> usize {
        self.bytes
    }

    /// Splits the groups that have facts, the oldest first, by the times of their first facts: `is_old` holds
    /// up to some time. Returns the last LSN for which it does, and the first time for which it does not.
    pub fn split_by_age(&self, is_old: impl Fn(Timestamp) -> bool) -> (Option<Lsn>, Option<Timestamp>) {
        let written = self.written.as_ref().map(|written| written.since);
        if written.is_some_and(|since| !is_old(since)) {
            return (None, written);
        }
        // There are as many as a slow journal has let come together.
        let full = self.full.partition_point(|group| is_old(group.since));
        let open = Some(&self.open).filter(|open| full == self.full.len() && !open.facts.is_empty());
        let is_open_old = open.is_some_and(|open| is_old(open.since));
        let old = usize::from(written.is_some()) + full + usize::from(is_open_old);
        let next = self.full.get(full).or(open.filter(|_| !is_open_old));
        ((old > 0).then_some(Lsn(self.settled.0 + old as u64)), next.map(|group| group.since))
    }

    /// Returns the time at which the oldest fact was decided that is not durable. All that was decided before is
    /// durable.
    pub fn unsynced_since(&self) -> Option<Timestamp> {
        self.split_by_age(|_| false).1
    }

    /// Returns the tickets that wait, in their order.
    #[cfg(feature = "sim")]
    pub(super) fn tickets(&self) -> impl Iterator<Item = Ticket> + '_ {
        let written = self.written.iter().flat_map(|written| &written.tickets);
        written.chain(self.full.iter().chain([&self.open]).flat_map(|group| &group.tickets)).copied()
    }

    /// Returns whether [`Groups::begin`] would return a group.
    pub fn can_begin(&self) -> bool {
        self.written.is_none() && !(self.full.is_empty() && self.open.facts.is_empty())
    }

    /// Puts the facts of the next group into `facts`, unless one is being written or there is nothing to
    /// write. What was in `facts` is dropped, and its memory is a later group's. Returns whether there is
    /// a group to write.
    pub fn begin(&mut self, facts: &mut Vec<Fact>) -> bool {
        if !self.can_begin() {
            return false;
        }
        let group = self.full.pop_front().unwrap_or_else(|| mem::take(&mut self.open));
        facts.clear();
        // The memory of the last group's facts becomes the open group's.
        let CommitGroup { bytes, tickets, since, facts: mut taken } = group;
        mem::swap(facts, &mut taken);
        if self.open.facts.is_empty() {
            self.open.facts = taken;
        }
        self.written = Some(WrittenGroup { facts: facts.len(), bytes, tickets, since });
        true
    }

    /// Records that the group of [`Groups::begin`] is durable. Returns the tickets to send now, in this order.
    ///
    /// Tickets that follow it without facts of their own need no write, and are released too.
    pub fn finish(&mut self) -> Vec<Ticket> {
        let Some(written) = self.written.take() else { return Vec::new() };
        self.settled = self.settled.next();
        (self.facts, self.bytes) = (self.facts - written.facts, self.bytes - written.bytes);
        let mut tickets = written.tickets;
        if self.full.is_empty() && self.open.facts.is_empty() {
            tickets.append(&mut self.open.tickets);
        }
        tickets
    }

    /// Abandons everything that is not durable: whether the group being written is durable is unknown, and those after
    /// it were never written. Returns the number of these facts. An LSN above [`Groups::settled`] before this call is
    /// never reached.
    pub fn fail(&mut self) -> usize {
        let lost = self.facts;
        // Numbers continue, so that an LSN is never used for two groups.
        *self = Self { settled: self.tail(), ..Self::bounded(self.limit_bytes) };
        lost
    }
}

impl CommitGroup {
    fn is_empty(&self) -> bool {
        self.facts.is_empty() && self.tickets.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::facts::{AfterRun, AttemptEnd, Charge};
    use crate::engine::{Epoch, Event, Key, RunId};
    use alloc::vec;

    fn fact() -> Fact {
        Fact { at: Timestamp::EPOCH, change: Change::Paused }
    }

    #[test]
    fn a_ticket_leaves_at_once_only_when_nothing_is_ahead_of_it() {
        let mut groups = Groups::bounded(1 << 20);
        assert_eq!(groups.pass(Ticket::new(1)), Some(Ticket::new(1)));
        groups.add([fact()]);
        assert_eq!(groups.pass(Ticket::new(2)), None);
        assert!(groups.begin(&mut Vec::new()));
        assert_eq!(groups.pass(Ticket::new(3)), None);
        assert_eq!(groups.finish(), [Ticket::new(2), Ticket::new(3)]);
        assert!(groups.is_idle());
    }

    #[test]
    fn result_waits_for_the_group_that_was_open_at_its_decision() {
        let mut groups = Groups::bounded(1 << 20);
        assert_eq!(groups.tail(), groups.settled(), "nothing is ahead");
        groups.add([fact()]);
        let first = groups.tail();
        assert!(groups.begin(&mut Vec::new()));
        assert_eq!(groups.tail(), first, "a read while it is written waits for it");
        groups.add([fact()]);
        let second = groups.tail();
        assert!(second > first);

        groups.finish();
        assert!(groups.settled() >= first && groups.settled() < second);
        assert!(groups.begin(&mut Vec::new()), "the second group");
        groups.finish();
        assert_eq!(groups.settled(), second);
    }

    #[test]
    fn result_does_not_wait_for_tickets_which_may_be_forgotten() {
        let mut groups = Groups::bounded(1 << 20);
        groups.add([fact()]);
        assert!(groups.begin(&mut Vec::new()));
        assert_eq!(groups.pass(Ticket::new(1)), None);
        let answer = groups.tail();
        groups.forget_tickets();
        assert_eq!(groups.finish(), []);
        assert!(groups.settled() >= answer);
    }

    #[test]
    fn only_one_group_is_written_at_a_time() {
        let (mut groups, mut facts) = (Groups::bounded(1 << 20), Vec::new());
        assert!(!groups.begin(&mut facts), "nothing to write");
        groups.add([fact()]);
        assert!(groups.begin(&mut facts));
        assert_eq!(facts.len(), 1);
        groups.add([fact(), fact()]);
        assert!(!groups.begin(&mut facts));
        assert_eq!(facts.len(), 1, "they are with the writer");
        assert_eq!(groups.unsynced(), 3);
    }

    #[test]
    fn group_is_as_old_as_its_first_fact() {
        let at = |micros| Fact { at: Timestamp::from_micros(micros), ..fact() };
        let mut groups = Groups::bounded(1 << 20);
        assert_eq!(groups.unsynced_since(), None);
        groups.add([at(5), at(7)]);
        assert!(groups.begin(&mut Vec::new()));
        groups.add([at(8)]);
        groups.add([at(9)]);
        let lsns = [groups.settled().next(), groups.tail()].map(Some);
        let times = [5, 8].map(Timestamp::from_micros);
        let split = |micros| groups.split_by_age(|since| since <= Timestamp::from_micros(micros));
        assert_eq!((split(4), split(5)), ((None, Some(times[0])), (lsns[0], Some(times[1]))));
        assert_eq!((split(7), split(8)), ((lsns[0], Some(times[1])), (lsns[1], None)));

        groups.finish();
        assert_eq!(groups.unsynced_since(), Some(times[1]));
        groups.fail();
        assert_eq!(groups.unsynced_since(), None);
    }

    #[test]
    fn full_groups_are_written_one_by_one_with_their_own_tickets() {
        let (mut groups, mut facts) = (Groups::bounded(2 * fact().size_bytes()), Vec::new());
        let mut tails = Vec::new();
        for number in 1..=5 {
            groups.add([fact()]);
            assert_eq!(groups.pass(Ticket::new(number)), None);
            tails.push(groups.tail());
        }
        assert_eq!(groups.unsynced_bytes(), 5 * fact().size_bytes());
        let mut written = Vec::new();
        while groups.begin(&mut facts) {
            let tickets: Vec<u64> = groups.finish().into_iter().map(Ticket::number).collect();
            let settled = tails.iter().filter(|tail| **tail <= groups.settled()).count();
            written.push((facts.len(), tickets, settled));
        }
        assert_eq!(written, [(2, vec![1, 2], 2), (2, vec![3, 4], 4), (1, vec![5], 5)]);
        assert!(groups.is_idle());
        assert_eq!((groups.unsynced(), groups.unsynced_bytes()), (0, 0));
    }

    #[test]
    fn full_groups_are_split_by_age() {
        let mut groups = Groups::bounded(1);
        groups.add((1..=5).map(|micros| Fact { at: Timestamp::from_micros(micros), ..fact() }));
        for _ in 0..2 {
            for micros in 0..=6 {
                let (last, next) = groups.split_by_age(|since| since <= Timestamp::from_micros(micros));
                assert_eq!(last.map(Lsn::number), (micros > 0).then_some(micros.min(5)));
                assert_eq!(next, (micros < 5).then_some(Timestamp::from_micros(micros + 1)));
            }
            groups.begin(&mut Vec::new());
        }
    }

    #[test]
    fn fact_that_is_larger_than_a_group_has_one_of_its_own() {
        let (mut groups, mut facts) = (Groups::bounded(1), Vec::new());
        groups.add([fact(), fact()]);
        assert!(groups.begin(&mut facts));
        assert_eq!(facts.len(), 1);
    }

    #[test]
    fn follow_ups_are_in_the_group_of_the_end_of_their_run() {
        let (mut groups, mut facts) = (Groups::bounded(1), Vec::new());
        let accepted = |id| Change::Accepted(Event::with_id(id, "").expect("an event"));
        let finished = || Change::Finished {
            key: Key::new("", "a").expect("a key"),
            run: RunId::new(Epoch::new(1), 1),
            end: AttemptEnd::Done,
            error: None,
            next: AfterRun::Completed,
            charge: Charge::default(),
        };
        let change = |change| Fact { at: Timestamp::EPOCH, change };
        groups.add([fact()]);
        groups.add([fact(), change(finished()), change(accepted("a")), change(accepted("b")), fact()]);
        groups.add([change(accepted("c"))]);
        groups.add([fact(), change(accepted("d"))]);
        let mut sizes = Vec::new();
        while groups.begin(&mut facts) {
            sizes.push(facts.len());
            groups.finish();
        }
        assert_eq!(sizes, [1, 1, 3, 1, 1, 1, 1]);
        assert_eq!((groups.unsynced(), groups.unsynced_bytes()), (0, 0));
    }

    #[test]
    fn abandoned_full_groups_are_counted_and_never_reached() {
        let mut groups = Groups::bounded(1);
        groups.add([fact(), fact(), fact()]);
        assert!(groups.begin(&mut Vec::new()));
        let lost = groups.tail();
        assert_eq!(groups.fail(), 3);
        assert!(groups.is_idle() && groups.settled() == lost);
    }

    #[test]
    fn abandoned_facts_are_counted_and_their_lsn_is_never_reached() {
        let mut groups = Groups::bounded(1 << 20);
        groups.add([fact()]);
        assert!(groups.begin(&mut Vec::new()));
        groups.add([fact()]);
        let lost = groups.tail();
        assert_eq!(groups.fail(), 2);
        assert!(groups.is_idle());
        groups.add([fact()]);
        assert!(groups.tail() > lost);
    }
}
