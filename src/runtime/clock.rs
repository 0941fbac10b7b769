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

/// The source of the adapter's time.
///
/// A clock must not go back: the engine takes a time before the last one as the last one. When it is behind the last
/// time in a journal at the start, the engine's time continues from there, as fast as the clock.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Returns the time now. Called under the adapter's lock, so it must be quick and must not panic.
    fn now(&self) -> Timestamp;

    /// Waits until [`Clock::now`] is `at` or later.
    fn sleep_until(&self, at: Timestamp) -> Sleep<'_>;

    /// Returns the wall-clock time, which may step. It decides nothing, and is compared with the engine's time to
    /// report how far that is ahead. [`Clock::now`] by default.
    fn wall(&self) -> Timestamp {
        self.now()
    }
}

/// The machine's time: the wall clock at its creation, then the monotonic clock.
///
/// A wall clock that steps meanwhile moves nothing. Under a paused tokio clock it is virtual.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
    started_at: Timestamp,
    /// The gap at the last warning, in microseconds.
    warned_micros: AtomicU64,
}

/// The difference to the wall clock from which a warning is logged: retries and retentions of a minute and more are
/// visibly wrong then. Ordinary clock corrections are much smaller, and would fill the log.
const NOTABLE_GAP: Duration = Duration::from_secs(60);

/// The longest single wait for tokio's timer, which does not take arbitrary times; longer waits are split. Any long
/// time would do: a year makes one wake-up a year.
const LONGEST_SLEEP: Duration = Duration::from_secs(365 * 24 * 3600);

impl SystemClock {
    /// Creates a clock that starts at the wall clock's time.
    #[allow(clippy::disallowed_methods, reason = "this is the one place that reads a clock")]
    pub fn new() -> Self {
        Self { started: Instant::now(), started_at: wall(), warned_micros: AtomicU64::new(0) }
    }

    /// Warns when the wall clock has moved away from this one, once for each such distance.
    fn compare_with_wall(&self) {
        let (ours, theirs) = (self.now(), wall());
        let gap = ours.since(theirs).max(theirs.since(ours));
        let micros = u64::try_from(gap.as_micros()).unwrap_or(u64::MAX);
        let warned = Duration::from_micros(self.warned_micros.load(Ordering::Relaxed));
        // Two tasks at once may both warn, which does no harm: so no stronger ordering is needed.
        if gap.abs_diff(warned) > NOTABLE_GAP {
            self.warned_micros.store(micros, Ordering::Relaxed);
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

/// A clock that stands still until a test or simulation moves it.
#[derive(Debug)]
pub struct ManualClock {
    now: AtomicU64,
    moved: Notify,
}

impl ManualClock {
    /// Creates a clock that stands at `now`.
    pub fn new(now: Timestamp) -> Self {
        Self { now: AtomicU64::new(now.as_micros()), moved: Notify::new() }
    }

    /// Moves the clock ahead, and wakes all that wait for a time that has come.
    pub fn advance(&self, by: Duration) {
        let moved = |now| Some((Timestamp::from_micros(now) + by).as_micros());
        // The closure always returns a value, so this cannot fail.
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
                // Created before the time is read, so that no move between them is missed.
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
        assert_eq!(right.warned_micros.into_inner(), 0);

        let started_at = right.started_at.as_micros();
        for started_at in [started_at + HOUR_MICROS, started_at - HOUR_MICROS].map(Timestamp::from_micros) {
            let wrong = SystemClock { started_at, ..SystemClock::new() };
            wrong.compare_with_wall();
            assert!(wrong.warned_micros.into_inner() > HOUR_MICROS / 2, "at {started_at}");
        }
    }
}
