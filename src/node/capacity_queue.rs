//! The queue of submitters that wait for capacity, first in, first out.

use alloc::collections::BTreeMap;

use super::actions::Waiter;

/// The queue of submitters that wait for capacity. Any of them may leave at any time, and thousands at once, so none
/// is searched for among the others.
#[derive(Debug, Default)]
pub(super) struct CapacityQueue {
    /// Waiters with the sizes of their events, in the order in which they came.
    waiters: BTreeMap<u64, (Waiter, usize)>,
    /// The key of each waiter in `waiters`.
    places: BTreeMap<Waiter, u64>,
    /// The number of waiters that ever joined.
    joined: u64,
    /// True if the first one was woken, and has not come yet.
    is_called: bool,
}

impl CapacityQueue {
    pub(super) fn len(&self) -> usize {
        self.waiters.len()
    }

    /// Returns whether no one waits before this waiter, or before a new one.
    pub(super) fn lets_in(&self, waiter: Option<Waiter>) -> bool {
        self.first().is_none_or(|(first, _)| Some(first) == waiter)
    }

    fn is_first(&self, waiter: Waiter) -> bool {
        self.lets_in(Some(waiter))
    }

    fn first(&self) -> Option<(Waiter, usize)> {
        self.waiters.first_key_value().map(|(_, waiter)| *waiter)
    }

    /// Adds a waiter at the end.
    pub(super) fn join(&mut self, waiter: Waiter, size_bytes: usize) {
        // One that joins again has lost its place, and must not have two.
        self.leave(waiter);
        self.waiters.insert(self.joined, (waiter, size_bytes));
        self.places.insert(waiter, self.joined);
        self.joined += 1;
    }

    /// Keeps a waiter that came in vain in its place: it is woken again when there is room.
    pub(super) fn stay(&mut self, waiter: Waiter) {
        if self.is_first(waiter) {
            self.is_called = false;
        }
    }

    pub(super) fn leave(&mut self, waiter: Waiter) {
        let Some(place) = self.places.remove(&waiter) else { return };
        // Once the one that was called has left, the next one may be called. Asked before it is removed.
        self.is_called &= !self.is_first(waiter);
        self.waiters.remove(&place);
    }

    /// Returns the first one, unless it was woken before, if `has_room` is true for its size.
    pub(super) fn call(&mut self, has_room: impl FnOnce(usize) -> bool) -> Option<Waiter> {
        let (first, size_bytes) = self.first().filter(|_| !self.is_called)?;
        self.is_called = has_room(size_bytes);
        self.is_called.then_some(first)
    }

    /// Adds to a hash what decides its further course.
    #[cfg(feature = "sim")]
    pub(super) fn fingerprint(&self, hasher: &mut impl core::hash::Hasher) {
        use core::hash::Hash as _;
        (self.len(), self.is_called).hash(hasher);
        self.waiters.values().for_each(|waiter| waiter.hash(hasher));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Waiter = Waiter::new(1);
    const OTHER: Waiter = Waiter::new(2);

    #[test]
    fn first_is_called_once_and_the_next_one_when_it_has_left() {
        let mut queue = CapacityQueue::default();
        queue.join(ONE, 10);
        queue.join(OTHER, 1);
        assert!(queue.is_first(ONE) && !queue.is_first(OTHER));
        assert_eq!(queue.call(|size| size < 10), None);
        assert_eq!((queue.call(|_| true), queue.call(|_| true)), (Some(ONE), None));
        queue.leave(ONE);
        assert_eq!((queue.call(|size| size < 10), queue.len()), (Some(OTHER), 1));
    }

    #[test]
    fn one_who_leaves_from_behind_changes_nothing_for_the_first() {
        let mut queue = CapacityQueue::default();
        queue.join(ONE, 10);
        queue.join(OTHER, 1);
        assert_eq!(queue.call(|_| true), Some(ONE));
        queue.leave(OTHER);
        queue.leave(OTHER);
        assert_eq!((queue.call(|_| true), queue.len()), (None, 1));
    }

    #[test]
    fn first_that_comes_in_vain_is_called_again() {
        let mut queue = CapacityQueue::default();
        queue.join(ONE, 10);
        assert_eq!(queue.call(|_| true), Some(ONE));
        queue.stay(ONE);
        assert_eq!((queue.call(|_| true), queue.len()), (Some(ONE), 1));
    }
}
