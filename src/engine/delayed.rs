//! Records that wait for their time.

use alloc::collections::BTreeMap;

use super::store::Slot;
use super::time::Timestamp;

/// Waiting records that are not yet eligible, ordered by when they are; among equals, the one
/// that came first is first.
#[derive(Debug, Default)]
pub(super) struct Delayed {
    due: BTreeMap<(Timestamp, u64), Slot>,
    next: u64,
}

impl Delayed {
    pub(super) fn len(&self) -> usize {
        self.due.len()
    }

    /// Adds a record, and says as what it is to be removed.
    pub(super) fn insert(&mut self, eligible_at: Timestamp, slot: Slot) -> u64 {
        let number = self.next;
        self.next += 1;
        self.due.insert((eligible_at, number), slot);
        number
    }

    pub(super) fn remove(&mut self, eligible_at: Timestamp, number: u64) {
        let removed = self.due.remove(&(eligible_at, number));
        debug_assert!(removed.is_some(), "a delayed record is in the set");
    }

    /// The record that is due first, and when.
    pub(super) fn first(&self) -> Option<(Timestamp, Slot)> {
        self.due.first_key_value().map(|((at, _), slot)| (*at, *slot))
    }

    /// Returns whether this record is in the set, as this number, at this time.
    pub(super) fn holds(&self, eligible_at: Timestamp, number: u64, slot: Slot) -> bool {
        self.due.get(&(eligible_at, number)) == Some(&slot)
    }
}
