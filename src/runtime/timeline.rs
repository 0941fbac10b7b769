//! The engine's time: a clock's, moved ahead where a journal holds later times.
//!
//! Engine time never goes back. When the clock is behind the last time in the journal (it was ahead before, or is
//! wrong now), the engine's time continues from that time, as fast as the clock: retries and timeouts wait for no
//! longer than they must. The difference remains until a start at which the clock is no longer behind. Its distance
//! from the wall clock is logged and shown.

use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::clock::{Clock, Sleep};
use crate::engine::Timestamp;
use crate::sync::AtomicU64;

/// A clock, and the time by which the engine's time is ahead of it.
#[derive(Debug)]
pub(super) struct Timeline {
    clock: Arc<dyn Clock>,
    /// In microseconds.
    ahead: AtomicU64,
}

/// The distance from the wall clock from which a warning is logged: the same as for a wall clock that steps.
#[cfg(feature = "durable")]
const NOTABLE: Duration = Duration::from_secs(60);

impl Timeline {
    /// Creates a timeline at the clock's own time.
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, ahead: AtomicU64::new(0) }
    }

    /// Returns another timeline of the same clock, at the same time.
    pub(super) fn split(&self) -> Self {
        Self { clock: Arc::clone(&self.clock), ahead: AtomicU64::new(self.ahead.load(Ordering::Acquire)) }
    }

    /// Moves the time ahead to `earliest`, if it is behind that, and warns if it is far ahead of the wall clock then.
    #[cfg(feature = "durable")]
    pub(super) fn start_at(&self, earliest: Timestamp) {
        let behind = earliest.since(self.clock.now());
        let micros = u64::try_from(behind.as_micros()).unwrap_or(u64::MAX);
        // Never back: a journal that is opened again may end before a time that callers have seen.
        self.ahead.fetch_max(micros, Ordering::AcqRel);
        let ahead = self.ahead_of_wall();
        if ahead > NOTABLE {
            tracing::warn!(
                ?ahead,
                now = %self.now(),
                wall = %self.clock.wall(),
                "the journal holds times that are ahead of the wall clock: a clock was wrong, or is now; the engine \
                 continues from the last of them, and records are kept for no less than their retention"
            );
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now() + self.ahead()
    }

    /// Waits until this time. If the time is moved ahead meanwhile, the wait ends late by as much.
    pub(super) fn sleep_until(&self, at: Timestamp) -> Sleep<'_> {
        // Late is no harm: after the start the time is moved only where the journal is opened again, which wakes all tasks.
        self.clock.sleep_until(Timestamp::EPOCH + at.since(Timestamp::EPOCH + self.ahead()))
    }

    /// Returns the wall-clock time, which decides nothing about events.
    pub(super) fn wall(&self) -> Timestamp {
        self.clock.wall()
    }

    /// Returns the time by which it is ahead of the wall clock; zero when it is not.
    pub(super) fn ahead_of_wall(&self) -> Duration {
        self.now().since(self.wall())
    }

    fn ahead(&self) -> Duration {
        Duration::from_micros(self.ahead.load(Ordering::Acquire))
    }
}

#[cfg(all(test, feature = "durable"))]
mod tests {
    use super::*;
    use crate::runtime::ManualClock;

    const fn at(micros: u64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    #[tokio::test]
    async fn time_continues_from_the_journals_last_at_the_clocks_pace() {
        let clock = Arc::new(ManualClock::new(at(100)));
        let timeline = Timeline::new(clock.clone());
        timeline.start_at(at(1_000));
        assert_eq!((timeline.now(), timeline.ahead_of_wall().as_micros()), (at(1_000), 900));

        let sleep = timeline.sleep_until(at(1_010));
        clock.advance(Duration::from_micros(10));
        sleep.await;
        assert_eq!(timeline.now(), at(1_010));
    }

    #[test]
    fn time_is_that_of_a_clock_which_is_not_behind() {
        let timeline = Timeline::new(Arc::new(ManualClock::new(at(100))));
        timeline.start_at(at(99));
        assert_eq!((timeline.now(), timeline.ahead_of_wall()), (at(100), Duration::ZERO));
    }

    #[test]
    fn time_that_was_moved_ahead_does_not_go_back() {
        let timeline = Timeline::new(Arc::new(ManualClock::new(at(100))));
        timeline.start_at(at(1_000));
        timeline.start_at(at(500));
        assert_eq!(timeline.now(), at(1_000));
    }
}
