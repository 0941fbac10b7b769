//! The one place that reads a clock.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::sync::atomic::Ordering;
use core::time::Duration;
use std::boxed::Box;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

use crate::engine::Timestamp;
use crate::sync::{AtomicU64, Notify};

/// A wait that a [`Clock`] gives out.
pub type Sleep<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Where the adapter takes the time from.
///
/// A clock must not go back: the engine takes a time before the last one as the last one. When it is
/// behind what a journal holds at the start, the engine goes on from there, as fast as the clock does.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The time now. Called under the adapter's lock, so it must be quick and must not panic.
    fn now(&self) -> Timestamp;

    /// Waits until [`Clock::now`] is `at` or later.
    fn sleep_until(&self, at: Timestamp) -> Sleep<'_>;

    /// The time on the wall, which may step. It decides nothing, and is compared with the engine's time
    /// to say how far that is ahead. [`Clock::now`] by default.
    fn wall(&self) -> Timestamp {
        self.now()
    }
}

/// The machine's time: the wall clock when it was made, then the monotonic clock.
///
/// A wall clock that steps meanwhile moves nothing. Under a paused tokio clock it is virtual.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
    started_at: Timestamp,
    /// The gap that was last told, in microseconds.
    told: AtomicU64,
}

/// The difference to the wall clock that is worth a warning.
const NOTABLE_GAP: Duration = Duration::from_secs(60);

/// The longest single wait for tokio's timer; longer ones are cut in parts.
const LONGEST_SLEEP: Duration = Duration::from_secs(365 * 24 * 3600);

impl SystemClock {
    /// A clock that starts at the wall clock's time.
    #[allow(clippy::disallowed_methods, reason = "this is the one place that reads a clock")]
    pub fn new() -> Self {
        Self { started: Instant::now(), started_at: wall(), told: AtomicU64::new(0) }
    }

    /// Warns when the wall clock has moved away from this one, once for each such distance.
    fn compare_with_wall(&self) {
        let (ours, theirs) = (self.now(), wall());
        let gap = ours.since(theirs).max(theirs.since(ours));
        let micros = u64::try_from(gap.as_micros()).unwrap_or(u64::MAX);
        let told = Duration::from_micros(self.told.load(Ordering::Relaxed));
        if gap.abs_diff(told) > NOTABLE_GAP {
            self.told.store(micros, Ordering::Relaxed);
            tracing::warn!(
                ?gap,
                "the wall clock and the monotonic clock have moved apart; times follow the monotonic one"
            );
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        self.started_at + self.started.elapsed()
    }

    fn sleep_until(&self, at: Timestamp) -> Sleep<'_> {
        Box::pin(async move {
            loop {
                let rest = at.since(self.now());
                if rest.is_zero() {
                    break;
                }
                tokio::time::sleep(rest.min(LONGEST_SLEEP)).await;
            }
            self.compare_with_wall();
        })
    }

    fn wall(&self) -> Timestamp {
        wall()
    }
}

#[allow(clippy::disallowed_methods, reason = "this is the one place that reads a clock")]
fn wall() -> Timestamp {
    Timestamp::EPOCH + SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Measures how long something takes.
#[cfg(feature = "sim")]
#[derive(Debug)]
pub(super) struct LockStopwatch(std::time::Instant);

#[cfg(feature = "sim")]
impl LockStopwatch {
    #[allow(clippy::disallowed_methods, reason = "this is the one place that reads a clock")]
    pub(super) fn start() -> Self {
        Self(std::time::Instant::now())
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// A clock that stands still until it is told to move: for tests and simulations.
#[derive(Debug)]
pub struct ManualClock {
    now: AtomicU64,
    moved: Notify,
}

impl ManualClock {
    /// A clock that stands at `now`.
    pub fn new(now: Timestamp) -> Self {
        Self { now: AtomicU64::new(now.as_micros()), moved: Notify::new() }
    }

    /// Moves it ahead, and wakes whoever waited for a time that has come.
    pub fn advance(&self, by: Duration) {
        let moved = |now| Some((Timestamp::from_micros(now) + by).as_micros());
        // The closure always answers, so this cannot fail.
        let _ = self.now.fetch_update(Ordering::AcqRel, Ordering::Acquire, moved);
        self.moved.notify_waiters();
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.now.load(Ordering::Acquire))
    }

    fn sleep_until(&self, at: Timestamp) -> Sleep<'_> {
        Box::pin(async move {
            loop {
                // Made before the look at the time, so that no move between them is missed.
                let moved = self.moved.notified();
                if self.now() >= at {
                    return;
                }
                moved.await;
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MICROS: u64 = 3_600_000_000;

    #[test]
    fn distance_from_the_wall_clock_is_noted_when_it_is_notable() {
        let right = SystemClock::new();
        right.compare_with_wall();
        assert_eq!(right.told.into_inner(), 0);

        let started_at = right.started_at.as_micros();
        for started_at in [started_at + HOUR_MICROS, started_at - HOUR_MICROS].map(Timestamp::from_micros) {
            let wrong = SystemClock { started_at, ..SystemClock::new() };
            wrong.compare_with_wall();
            assert!(wrong.told.into_inner() > HOUR_MICROS / 2, "at {started_at}");
        }
    }
}
