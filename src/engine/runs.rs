//! Runs in flight, and when they must end.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use hashbrown::HashTable;

use super::ids::RunId;
use super::store::{List, LiveRecord, Slab, Slot};
use super::time::{Timestamp, sooner};

/// Runs in flight, found by number, and ordered by deadline, then by number.
///
/// Deadlines are set one timeout ahead, so nearly all of them come in order and are kept first in,
/// first out. Only those that the end of a lifetime pulls forward need an ordered set.
#[derive(Debug, Default)]
pub(super) struct Runs {
    slots: HashTable<(u64, Slot)>,
    in_order: List,
    others: BTreeSet<(Timestamp, u64)>,
}

impl Runs {
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn find(&self, run: RunId, live: &Slab<LiveRecord>) -> Option<Slot> {
        let slot = self.slot(run.number())?;
        // Each opening counts runs from 1, and the map has only these numbers: the id has the epoch, too.
        (live[slot].run().id == run).then_some(slot)
    }

    /// Adds a run that has just started.
    pub(super) fn insert(&mut self, live: &mut Slab<LiveRecord>, slot: Slot, deadline: Timestamp) {
        let number = live[slot].run().id.number();
        self.slots.insert_unique(spread(number), (number, slot), |(number, _)| spread(*number));
        self.schedule(live, slot, deadline);
    }

    /// Takes out a run that ends.
    pub(super) fn remove(&mut self, live: &mut Slab<LiveRecord>, slot: Slot) {
        let number = live[slot].run().id.number();
        self.unschedule(live, slot);
        if let Ok(entry) = self.slots.find_entry(spread(number), |(found, _)| *found == number) {
            entry.remove();
        }
    }

    pub(super) fn move_deadline(&mut self, live: &mut Slab<LiveRecord>, slot: Slot, deadline: Timestamp) {
        self.unschedule(live, slot);
        self.schedule(live, slot, deadline);
    }

    /// The run whose deadline comes first, and that deadline.
    pub(super) fn first(&self, live: &Slab<LiveRecord>) -> Option<(Timestamp, Slot)> {
        let in_order = self.in_order.head().map(|slot| (rank(live, slot), slot));
        let other = self.others.first().and_then(|rank| Some((*rank, self.slot(rank.1)?)));
        sooner(in_order, other).map(|((deadline, _), slot)| (deadline, slot))
    }

    /// Verifies that both orders hold every run once.
    pub(super) fn check(&self, live: &Slab<LiveRecord>) -> Result<(), String> {
        let in_order = self.in_order.iter(live).map(|slot| rank(live, slot));
        let sound = in_order.clone().is_sorted()
            && in_order.count() == self.in_order.len()
            && self.in_order.len() + self.others.len() == self.slots.len()
            && self.others.iter().all(|other| self.slot(other.1).is_some_and(|slot| rank(live, slot) == *other));
        if sound { Ok(()) } else { Err(format!("the runs do not add up: {self:?}")) }
    }

    fn slot(&self, number: u64) -> Option<Slot> {
        self.slots.find(spread(number), |(found, _)| *found == number).map(|(_, slot)| *slot)
    }

    fn schedule(&mut self, live: &mut Slab<LiveRecord>, slot: Slot, deadline: Timestamp) {
        live[slot].run_mut().deadline = deadline;
        match self.in_order.tail() {
            Some(tail) if rank(live, tail) > rank(live, slot) => {
                // Behind the tail the list would not be in order, and `first` compares only its head.
                self.others.insert(rank(live, slot));
            }
            _ => self.in_order.push_back(live, slot),
        }
    }

    fn unschedule(&mut self, live: &mut Slab<LiveRecord>, slot: Slot) {
        // Nearly always empty: then no rank is computed, and the run is in the list.
        if self.others.is_empty() || !self.others.remove(&rank(live, slot)) {
            self.in_order.remove(live, slot);
        }
    }
}

fn rank(live: &Slab<LiveRecord>, slot: Slot) -> (Timestamp, u64) {
    let run = live[slot].run();
    (run.deadline, run.id.number())
}

/// Run numbers rise by one; no caller chooses them, so no key is needed.
fn spread(number: u64) -> u64 {
    // 2^64 divided by the golden ratio, odd (Knuth, TAOCP 6.4): numbers in a row differ in the upper bits too, which
    // hashbrown compares first.
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_that_follow_each_other_fall_apart() {
        let tag = |number| spread(number) >> 57;
        assert!((1..100).all(|number| tag(number) != tag(number + 1)));
    }
}
