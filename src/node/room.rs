//! Submitters that wait for room, first in, first out.

use alloc::collections::VecDeque;

use super::actions::Waiter;

/// Submitters that wait for room.
#[derive(Debug, Default, Hash)]
pub(super) struct Queue {
    /// With the sizes of their events.
    waiters: VecDeque<(Waiter, usize)>,
    /// The first one was woken, and has not come yet.
    is_called: bool,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.waiters.len()
    }

    /// Returns whether this one may enter before all who wait.
    pub(super) fn is_first(&self, waiter: Waiter) -> bool {
        self.waiters.front().is_none_or(|(first, _)| *first == waiter)
    }

    /// Puts a newcomer at the end.
    pub(super) fn join(&mut self, waiter: Waiter, size_bytes: usize) {
        self.waiters.push_back((waiter, size_bytes));
    }

    /// This one came in vain: it is called again when there is room.
    pub(super) fn stay(&mut self, waiter: Waiter) {
        if self.is_first(waiter) {
            self.is_called = false;
        }
    }

    pub(super) fn leave(&mut self, waiter: Waiter) {
        if self.waiters.front().is_some_and(|(first, _)| *first == waiter) {
            self.waiters.pop_front();
            self.is_called = false;
        } else {
            self.waiters.retain(|(known, _)| *known != waiter);
        }
    }

    /// The first one, unless it was called before: there is room when `has_room` says so of its size.
    pub(super) fn call(&mut self, has_room: impl FnOnce(usize) -> bool) -> Option<Waiter> {
        let (first, size_bytes) = self.waiters.front().filter(|_| !self.is_called)?;
        self.is_called = has_room(*size_bytes);
        self.is_called.then_some(*first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Waiter = Waiter::new(1);
    const OTHER: Waiter = Waiter::new(2);

    #[test]
    fn first_is_called_once_and_the_next_one_when_it_has_left() {
        let mut queue = Queue::default();
        queue.join(ONE, 10);
        queue.join(OTHER, 1);
        assert!(queue.is_first(ONE) && !queue.is_first(OTHER));
        assert_eq!(queue.call(|size| size < 10), None);
        assert_eq!((queue.call(|_| true), queue.call(|_| true)), (Some(ONE), None));
        queue.leave(ONE);
        assert_eq!((queue.call(|size| size < 10), queue.len()), (Some(OTHER), 1));
    }

    #[test]
    fn first_that_comes_in_vain_is_called_again() {
        let mut queue = Queue::default();
        queue.join(ONE, 10);
        assert_eq!(queue.call(|_| true), Some(ONE));
        queue.stay(ONE);
        assert_eq!((queue.call(|_| true), queue.len()), (Some(ONE), 1));
    }
}
