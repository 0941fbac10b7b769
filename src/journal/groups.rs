//! Group commit: what was decided and is not durable yet, and what must wait for that.
//!
//! ```text
//! decided ──▶ open group ──begin──▶ group being written ──finish──▶ durable
//! ```
//!
//! Facts go into the open group. While one group is being written the next one fills; there is
//! no timer. Tickets wait in the group that was open when they were decided, so they leave after
//! the facts that they follow from, and in their order. Whoever has an answer to give waits for
//! the [`Mark`] that was the tail when the answer was decided.

use core::mem;
use std::vec::Vec;

use crate::engine::{Fact, Ticket, Timestamp};

/// A group, as a point that durability reaches. Marks rise, also over a [`Groups::fail`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Mark(u64);

impl Mark {
    /// What is durable from the start.
    pub const START: Self = Self(0);

    /// Its number; one more for each group.
    pub const fn number(self) -> u64 {
        self.0
    }

    const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// The groups that are not durable.
#[derive(Debug, Default)]
pub struct Groups {
    /// The last group that is durable, or was given up.
    settled: Mark,
    open: Group,
    /// The group that is being written; its facts are with the writer.
    written: Option<Written>,
}

#[derive(Debug, Default)]
struct Group {
    facts: Vec<Fact>,
    bytes: usize,
    tickets: Vec<Ticket>,
    /// The time of its first fact.
    since: Timestamp,
}

#[derive(Debug)]
struct Written {
    facts: usize,
    bytes: usize,
    tickets: Vec<Ticket>,
    since: Timestamp,
}

impl Groups {
    /// No groups; everything so far is durable.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in facts in the order of their decision.
    pub fn add(&mut self, facts: impl IntoIterator<Item = Fact>) {
        for fact in facts {
            if self.open.facts.is_empty() {
                self.open.since = fact.at;
            }
            self.open.bytes += fact.size_bytes();
            self.open.facts.push(fact);
        }
    }

    /// Takes in a ticket that is to be sent, and gives it back when nothing is ahead of it.
    pub fn pass(&mut self, ticket: Ticket) -> Option<Ticket> {
        if self.is_idle() {
            return Some(ticket);
        }
        self.open.tickets.push(ticket);
        None
    }

    /// Forgets the tickets that wait: their channel is gone.
    pub fn forget_tickets(&mut self) {
        self.open.tickets.clear();
        self.written.iter_mut().for_each(|written| written.tickets.clear());
    }

    /// What must be durable before an answer decided now may leave. Tickets alone are no reason to
    /// wait: an answer tells of facts.
    pub fn tail(&self) -> Mark {
        match (&self.written, self.open.facts.is_empty()) {
            (None, true) => self.settled,
            (Some(_), true) | (None, false) => self.settled.next(),
            (Some(_), false) => self.settled.next().next(),
        }
    }

    /// The last group that is durable.
    pub fn settled(&self) -> Mark {
        self.settled
    }

    /// Whether everything that was decided is durable.
    pub fn is_idle(&self) -> bool {
        self.written.is_none() && self.open.is_empty()
    }

    /// Facts that are not durable.
    pub fn unsynced(&self) -> usize {
        self.open.facts.len() + self.written.as_ref().map_or(0, |written| written.facts)
    }

    /// Bytes of the events in these facts, and of what is known of the others.
    pub fn unsynced_bytes(&self) -> usize {
        self.open.bytes + self.written.as_ref().map_or(0, |written| written.bytes)
    }

    /// The groups that have facts, the oldest first: the time of the first fact, and the mark.
    pub fn ages(&self) -> impl Iterator<Item = (Timestamp, Mark)> + use<> {
        let written = self.written.as_ref().map(|written| (written.since, self.settled.next()));
        let open = (!self.open.facts.is_empty()).then(|| (self.open.since, self.tail()));
        written.into_iter().chain(open)
    }

    /// When the oldest fact that is not durable was decided. All that was decided before is durable.
    pub fn unsynced_since(&self) -> Option<Timestamp> {
        self.ages().next().map(|(since, _)| since)
    }

    /// Whether [`Groups::begin`] would give something.
    pub fn can_begin(&self) -> bool {
        self.written.is_none() && !self.open.facts.is_empty()
    }

    /// Closes the open group and puts its facts into `facts`, unless one is being written or there
    /// is nothing to write. What was in `facts` is dropped, and its memory is the next group's.
    /// Answers whether there is a group to write.
    pub fn begin(&mut self, facts: &mut Vec<Fact>) -> bool {
        if !self.can_begin() {
            return false;
        }
        facts.clear();
        mem::swap(facts, &mut self.open.facts);
        let (bytes, tickets) = (mem::take(&mut self.open.bytes), mem::take(&mut self.open.tickets));
        self.written = Some(Written { facts: facts.len(), bytes, tickets, since: self.open.since });
        true
    }

    /// The group that [`Groups::begin`] gave out is durable. Answers the tickets to send now, in
    /// this order.
    ///
    /// What follows it without facts of its own needs no write, and is let go too.
    pub fn finish(&mut self) -> Vec<Ticket> {
        let Some(written) = self.written.take() else { return Vec::new() };
        self.settled = self.settled.next();
        let mut tickets = written.tickets;
        if self.open.facts.is_empty() {
            tickets.append(&mut self.open.tickets);
        }
        tickets
    }

    /// Gives up everything that is not durable: whether the group being written is, is unknown,
    /// and the next one was never written. Answers how many facts these were. What waits for a
    /// mark above [`Groups::settled`] before this call must be told so.
    pub fn fail(&mut self) -> usize {
        let lost = self.unsynced();
        self.settled = self.tail();
        self.open = Group::default();
        self.written = None;
        lost
    }
}

impl Group {
    fn is_empty(&self) -> bool {
        self.facts.is_empty() && self.tickets.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Change, Timestamp};

    fn fact() -> Fact {
        Fact { at: Timestamp::EPOCH, change: Change::Paused }
    }

    #[test]
    fn a_ticket_leaves_at_once_only_when_nothing_is_ahead_of_it() {
        let mut groups = Groups::new();
        assert_eq!(groups.pass(Ticket::new(1)), Some(Ticket::new(1)));
        groups.add([fact()]);
        assert_eq!(groups.pass(Ticket::new(2)), None);
        assert!(groups.begin(&mut Vec::new()));
        assert_eq!(groups.pass(Ticket::new(3)), None);
        assert_eq!(groups.finish(), [Ticket::new(2), Ticket::new(3)]);
        assert!(groups.is_idle());
    }

    #[test]
    fn an_answer_waits_for_the_group_that_was_open_when_it_was_decided() {
        let mut groups = Groups::new();
        assert_eq!(groups.tail(), groups.settled(), "nothing is ahead");
        groups.add([fact()]);
        let first = groups.tail();
        assert!(groups.begin(&mut Vec::new()));
        assert_eq!(groups.tail(), first, "a look while it is written waits for it");
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
    fn an_answer_does_not_wait_for_tickets_which_may_be_forgotten() {
        let mut groups = Groups::new();
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
        let (mut groups, mut facts) = (Groups::new(), Vec::new());
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
        let mut groups = Groups::new();
        assert_eq!(groups.unsynced_since(), None);
        groups.add([at(5), at(7)]);
        assert!(groups.begin(&mut Vec::new()));
        groups.add([at(8)]);
        groups.add([at(9)]);
        let marks = [groups.settled().next(), groups.tail()];
        let times = [5, 8].map(Timestamp::from_micros);
        assert_eq!(groups.ages().collect::<Vec<_>>(), [(times[0], marks[0]), (times[1], marks[1])]);

        groups.finish();
        assert_eq!(groups.unsynced_since(), Some(times[1]));
        groups.fail();
        assert_eq!(groups.unsynced_since(), None);
    }

    #[test]
    fn what_is_given_up_is_counted_and_no_mark_of_it_is_reached_by_what_follows() {
        let mut groups = Groups::new();
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
