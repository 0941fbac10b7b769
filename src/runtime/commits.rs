//! What is not durable yet, and who waits for it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::vec::Vec;
use tokio::sync::Notify;

use super::unavailable::Unavailable;
use crate::engine::{Fact, Output, Ticket, Timestamp};
pub(super) use crate::journal::Mark;
use crate::journal::{Groups, Room};

/// The journal as the core sees it: groups on their way, and how the journal is.
#[derive(Debug, Default)]
pub(super) struct Commits(Option<Journaled>);

#[derive(Debug)]
struct Journaled {
    groups: Groups,
    condition: Condition,
    limits: Limits,
    /// What the journal said that it can take, after the last group.
    room: Room,
    /// Since when the group at the writer is there.
    writing_since: Option<Timestamp>,
    /// Facts that were given up, until the journal is opened again and says what is left of them.
    given_up: usize,
}

/// How much may wait for the journal, and what is kept free in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Bytes of facts that are not durable, past which no new event is taken.
    pub(super) max_unsynced_bytes: usize,
    /// Room that only outcomes and shutdown may use.
    pub(super) reserve_bytes: u64,
}

/// The part of `max_unsynced_bytes` that expiry may fill: 4 MiB by default, which is about 50,000
/// forgotten keys, and what a disk of 40 MB/s writes in a tenth of a second.
const PATIENT_SHARE: usize = 16;

/// Whether the engine can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    /// It can.
    Open,
    /// It was given up, and another one is to take its place.
    Reopening,
    /// It was given up for good.
    Down,
}

impl Commits {
    /// Without a journal: everything is as durable as it gets.
    pub(super) const fn none() -> Self {
        Self(None)
    }

    pub(super) fn new(limits: Limits, room: Room) -> Self {
        Self(Some(Journaled {
            groups: Groups::new(),
            condition: Condition::Open,
            limits,
            room,
            writing_since: None,
            given_up: 0,
        }))
    }

    /// Whether facts must be kept.
    pub(super) const fn keeps_facts(&self) -> bool {
        self.0.is_some()
    }

    /// Takes the facts of an output.
    pub(super) fn add(&mut self, out: &mut Output) {
        if let Some(journaled) = &mut self.0 {
            journaled.groups.add(out.drain_facts());
        }
    }

    /// Takes a ticket that is to be sent, and gives it back when it may leave at once.
    pub(super) fn pass(&mut self, ticket: Ticket) -> Option<Ticket> {
        match &mut self.0 {
            Some(journaled) => journaled.groups.pass(ticket),
            None => Some(ticket),
        }
    }

    /// The channel is gone, and with it every ticket.
    pub(super) fn forget_tickets(&mut self) {
        self.0.iter_mut().for_each(|journaled| journaled.groups.forget_tickets());
    }

    /// What must be durable before an answer decided now may leave; nothing when it may at once.
    pub(super) fn tail(&self) -> Option<Mark> {
        let journaled = self.0.as_ref()?;
        (!journaled.groups.is_idle()).then(|| journaled.groups.tail())
    }

    pub(super) fn is_idle(&self) -> bool {
        self.0.as_ref().is_none_or(|journaled| journaled.groups.is_idle())
    }

    /// Facts that are not durable.
    pub(super) fn unsynced(&self) -> u64 {
        self.0.as_ref().map_or(0, |journaled| (journaled.groups.unsynced() + journaled.given_up) as u64)
    }

    /// Why the engine cannot be used, when it cannot.
    pub(super) fn unavailable(&self) -> Option<Unavailable> {
        match self.0.as_ref()?.condition {
            Condition::Open => None,
            Condition::Reopening => Some(Unavailable::Reopening),
            Condition::Down => Some(Unavailable::JournalDown),
        }
    }

    /// Whether the journal has room for one more event of this size.
    pub(super) fn has_room(&self, size_bytes: usize) -> bool {
        self.0.as_ref().is_none_or(|journaled| journaled.has_room(size_bytes))
    }

    /// Whether so much waits for the journal that what can wait must.
    pub(super) fn is_behind(&self) -> bool {
        self.0.as_ref().is_some_and(Journaled::is_behind)
    }

    /// Says what the journal can take now.
    pub(super) fn measure(&mut self, room: Room) {
        self.0.iter_mut().for_each(|journaled| journaled.room = room);
    }

    /// Whether an event of this size is refused for want of room on the disk.
    pub(super) fn lacks_room(&self, size_bytes: usize) -> bool {
        self.0.as_ref().is_some_and(|journaled| journaled.room() < size_bytes as u64)
    }

    /// Whether there is a group to write, and none being written.
    pub(super) fn has_work(&self) -> bool {
        self.0.as_ref().is_some_and(|journaled| journaled.groups.can_begin())
    }

    /// Puts the next group into `facts`, and answers whether there is one.
    pub(super) fn begin(&mut self, now: Timestamp, facts: &mut Vec<Fact>) -> bool {
        let Some(journaled) = self.0.as_mut().filter(|journaled| journaled.groups.can_begin()) else { return false };
        journaled.writing_since = Some(now);
        journaled.groups.begin(facts)
    }

    /// Since when a group is being written, when one is.
    pub(super) fn writing_since(&self) -> Option<Timestamp> {
        self.0.as_ref()?.writing_since
    }

    /// The group is durable. Answers the tickets that may leave now, and the mark that is reached.
    pub(super) fn finish(&mut self, room: Room) -> (Vec<Ticket>, Mark) {
        let Some(journaled) = &mut self.0 else { return <(Vec<Ticket>, Mark)>::default() };
        (journaled.room, journaled.writing_since) = (room, None);
        (journaled.groups.finish(), journaled.groups.settled())
    }

    /// Gives up what is not durable, and the engine with it. Answers which marks are lost: those
    /// after the first, up to the second.
    pub(super) fn give_up(&mut self) -> (Mark, Mark, usize) {
        let Some(journaled) = &mut self.0 else { return <(Mark, Mark, usize)>::default() };
        (journaled.condition, journaled.writing_since) = (Condition::Reopening, None);
        let durable = journaled.groups.settled();
        let facts = journaled.groups.fail();
        journaled.given_up += facts;
        (durable, journaled.groups.settled(), facts)
    }

    /// The engine was replaced.
    pub(super) fn reopen(&mut self, room: Room) {
        if let Some(journaled) = &mut self.0 {
            (journaled.condition, journaled.given_up) = (Condition::Open, 0);
            journaled.room = room;
        }
    }

    /// The engine will not be replaced.
    pub(super) fn stay_down(&mut self) {
        if let Some(journaled) = &mut self.0 {
            journaled.condition = Condition::Down;
        }
    }

    /// The room for new events.
    pub(super) fn room(&self) -> Option<u64> {
        self.0.as_ref().map(Journaled::room)
    }
}

impl Journaled {
    /// What is not durable will take of the journal's room, and the reserve is not for new events.
    fn room(&self) -> u64 {
        let taken = self.limits.reserve_bytes.saturating_add(self.groups.unsynced_bytes() as u64);
        self.room.0.saturating_sub(taken)
    }

    fn is_behind(&self) -> bool {
        self.groups.unsynced_bytes() > self.limits.max_unsynced_bytes / PATIENT_SHARE
    }

    fn has_room(&self, size_bytes: usize) -> bool {
        self.groups.unsynced_bytes() < self.limits.max_unsynced_bytes && size_bytes as u64 <= self.room()
    }
}

/// How far durability has come, and a bell for each of the two groups that can be on their way.
#[derive(Debug, Default)]
pub(super) struct Synced {
    reached: Mutex<Reached>,
    bells: [Notify; 2],
}

#[derive(Debug, Default)]
struct Reached {
    mark: Mark,
    /// Marks that will never be durable: after the first, up to the second of each pair.
    lost: VecDeque<(Mark, Mark)>,
    /// Up to here it is not kept which ones were lost: so all may be.
    unclear: Mark,
}

/// Failures of which it is kept what they took. Who waits is told at once, and only a future that
/// nobody polls meanwhile asks later.
const FAILURES: usize = 64;

impl Synced {
    /// Waits until this mark is durable.
    ///
    /// # Errors
    ///
    /// [`Unavailable::Unknown`] when it may not be, and will not become so.
    pub(super) async fn wait(&self, mark: Mark) -> Result<(), Unavailable> {
        loop {
            // Made before the look, so that no ringing between them is missed.
            let rung = self.bell(mark).notified();
            let found = self.lock().find(mark);
            match found {
                Some(true) => return Ok(()),
                Some(false) => return Err(Unavailable::Unknown),
                None => rung.await,
            }
        }
    }

    /// Everything up to this mark is durable.
    pub(super) fn reach(&self, mark: Mark) {
        let before = core::mem::replace(&mut self.lock().mark, mark);
        for number in before.number() + 1..=mark.number().min(before.number() + 2) {
            self.bells[usize::from(number % 2 == 1)].notify_waiters();
        }
    }

    /// What is after the first mark, up to the second, will not be durable.
    pub(super) fn lose(&self, after: Mark, up_to: Mark) {
        let mut reached = self.lock();
        reached.mark = up_to;
        reached.lost.push_back((after, up_to));
        if reached.lost.len() > FAILURES {
            reached.unclear = reached.lost.pop_front().map_or(reached.unclear, |(_, up_to)| up_to);
        }
        drop(reached);
        self.bells.iter().for_each(Notify::notify_waiters);
    }

    fn bell(&self, mark: Mark) -> &Notify {
        &self.bells[usize::from(mark.number() % 2 == 1)]
    }

    fn lock(&self) -> MutexGuard<'_, Reached> {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reached {
    /// Whether the mark is durable or lost; nothing while that is open.
    fn find(&self, mark: Mark) -> Option<bool> {
        let lost = mark <= self.unclear || self.lost.iter().any(|(after, up_to)| *after < mark && mark <= *up_to);
        (mark <= self.mark).then_some(!lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Change;

    /// Lets a group fail, and answers the marks that it takes with it.
    fn fail(groups: &mut Groups) -> (Mark, Mark) {
        groups.add([Fact { at: Timestamp::EPOCH, change: Change::Paused }]);
        let after = groups.settled();
        groups.fail();
        (after, groups.settled())
    }

    #[tokio::test]
    async fn of_many_failures_none_is_taken_for_durable_and_few_are_kept() {
        let (mut groups, synced) = (Groups::new(), Synced::default());
        let lost: Vec<_> = (0..10 * FAILURES).map(|_| fail(&mut groups)).collect();
        for (after, up_to) in &lost {
            synced.lose(*after, *up_to);
        }
        for (_, mark) in lost {
            assert_eq!(synced.wait(mark).await, Err(Unavailable::Unknown));
        }
        assert_eq!(synced.lock().lost.len(), FAILURES);
    }
}
