//! Bytes of requests and responses on their way, over all connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The bytes that all connections together may hold.
#[derive(Debug)]
pub(super) struct Budget {
    total: usize,
    taken: AtomicUsize,
}

/// The bytes of a budget that one request holds; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    pub(super) fn new(total: usize) -> Arc<Self> {
        Arc::new(Self { total, taken: AtomicUsize::new(0) })
    }

    pub(super) const fn total(&self) -> usize {
        self.total
    }

    /// Returns whether so many more bytes fit now. Takes none.
    pub(super) fn fits(&self, bytes: usize) -> bool {
        // Two that ask at one time may both fit: the bound may be passed by the bytes that arrive meanwhile, and by no
        // more.
        self.taken.load(Ordering::Relaxed).saturating_add(bytes) <= self.total
    }

    pub(super) const fn share(self: Arc<Self>) -> Share {
        Share { budget: self, bytes: 0 }
    }
}

impl Share {
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Holds so many bytes from now on; false, and nothing is changed, when they are more and do not fit.
    pub(super) fn hold(&mut self, bytes: usize) -> bool {
        let fits = bytes <= self.bytes || self.budget.fits(bytes - self.bytes);
        if fits {
            self.set(bytes);
        }
        fits
    }

    /// Holds so many bytes from now on, whether they fit or not.
    pub(super) fn set(&mut self, bytes: usize) {
        // Relaxed is enough: no other memory is read by the order of this number.
        if bytes >= self.bytes {
            self.budget.taken.fetch_add(bytes - self.bytes, Ordering::Relaxed);
        } else {
            self.budget.taken.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
    }

    /// Returns the bytes that all shares of the budget may hold together.
    pub(super) fn total(&self) -> usize {
        self.budget.total()
    }

    /// Returns whether the budget has anything left.
    pub(super) fn has_more(&self) -> bool {
        self.budget.fits(1)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_take_no_more_than_there_is_and_give_all_back() {
        let budget = Budget::new(10);
        let (mut one, mut other) = (Arc::clone(&budget).share(), Arc::clone(&budget).share());
        assert!(one.hold(6) && other.hold(4));
        assert!(!one.hold(7) && one.bytes() == 6 && !other.has_more());
        assert!(one.hold(1) && other.hold(9));
        drop(other);
        assert!(budget.fits(9) && !budget.fits(10));
        drop(one);
        assert!(budget.fits(10) && !budget.fits(11));
    }

    #[test]
    fn share_that_must_take_more_leaves_nothing_for_others() {
        let budget = Budget::new(10);
        let mut one = Arc::clone(&budget).share();
        one.set(12);
        assert!(!Arc::clone(&budget).share().hold(1) && one.hold(11) && !one.hold(12));
        drop(one);
        assert!(budget.fits(10));
    }
}
