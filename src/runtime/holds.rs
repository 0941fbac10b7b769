//! The times for which the lock is held, for benchmarks: without feature `sim` nothing is measured.

#[cfg(feature = "sim")]
use core::sync::atomic::{AtomicU64, Ordering};

#[cfg(feature = "sim")]
use super::clock::LockStopwatch;

/// Holds of the lock by their length: those in `counts[n]` lasted less than 2ⁿ µs, and no less than half
/// of that.
#[derive(Debug, Default)]
pub(super) struct LockHolds {
    #[cfg(feature = "sim")]
    counts: [AtomicU64; 32],
}

/// A hold that ends when it is dropped.
pub(super) struct Hold<'a> {
    #[cfg(feature = "sim")]
    since: LockStopwatch,
    #[cfg(feature = "sim")]
    holds: &'a LockHolds,
    #[cfg(not(feature = "sim"))]
    _holds: &'a LockHolds,
}

impl LockHolds {
    pub(super) fn begin(&self) -> Hold<'_> {
        Hold {
            #[cfg(feature = "sim")]
            since: LockStopwatch::start(),
            #[cfg(feature = "sim")]
            holds: self,
            #[cfg(not(feature = "sim"))]
            _holds: self,
        }
    }

    /// Returns the counts since the last call, and resets them.
    #[cfg(feature = "sim")]
    pub(super) fn take(&self) -> [u64; 32] {
        self.counts.each_ref().map(|count| count.swap(0, Ordering::Relaxed))
    }
}

#[cfg(feature = "sim")]
impl Drop for Hold<'_> {
    fn drop(&mut self) {
        let micros = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX);
        // As many bits as the length takes: the power of two above it.
        let bucket = (u64::BITS - micros.leading_zeros()).min(31) as usize;
        self.holds.counts[bucket].fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(all(test, feature = "sim"))]
mod tests {
    use super::*;

    #[test]
    fn each_hold_is_counted_once() {
        let holds = LockHolds::default();
        drop(holds.begin());
        drop(holds.begin());
        assert_eq!(holds.take().iter().sum::<u64>(), 2);
        assert_eq!(holds.take(), [0; 32]);
    }
}
