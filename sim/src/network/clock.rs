//! The time of a run.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use eventful::{
    Timestamp,
    clock::{Clock, Sleep},
};

/// When every run begins: 2000-01-01.
pub(super) const EPOCH: Duration = Duration::from_secs(946_684_800);

/// The step of the network. Timers inside a host are finer.
pub(super) const TICK: Duration = Duration::from_millis(5);

/// Virtual time, one for all hosts. It goes on over crashes, as tokio's `Instant` does not.
#[derive(Debug)]
pub(super) struct VirtualClock {
    /// Microseconds since the Unix epoch: the latest time that anybody was told.
    latest: AtomicU64,
    /// No host runs: what is told is the latest time, else that of the host that asks.
    ///
    /// While a host is torn down its destructors still ask, and turmoil would answer from the
    /// machine's clock.
    stopped: AtomicBool,
    /// How often a host asked since the last tick.
    asked: AtomicU64,
}

/// So often nobody asks for the time in one tick unless something spins.
const SPINS: u64 = 100_000;

impl VirtualClock {
    pub(super) const fn new() -> Self {
        Self {
            latest: AtomicU64::new(EPOCH.as_micros() as u64),
            stopped: AtomicBool::new(true),
            asked: AtomicU64::new(0),
        }
    }

    /// Lets hosts run, or stops them.
    pub(super) fn stop(&self, stopped: bool) {
        self.stopped.store(stopped, Ordering::Relaxed);
        self.asked.store(0, Ordering::Relaxed);
    }

    /// Moves on to `elapsed` since the beginning.
    pub(super) fn reach(&self, elapsed: Duration) {
        self.latest.fetch_max(micros(EPOCH + elapsed), Ordering::Relaxed);
    }

    /// How long it is since the beginning.
    pub(super) fn elapsed(&self) -> Duration {
        self.now().since(Timestamp::from_micros(micros(EPOCH)))
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        if !self.stopped.load(Ordering::Relaxed)
            && let Some(elapsed) = turmoil::sim_elapsed()
        {
            let asked = self.asked.fetch_add(1, Ordering::Relaxed);
            // Once in a while only: the destructors of what spins ask too.
            assert!(
                asked % SPINS != SPINS - 1,
                "the time is asked for again and again, and does not go on: something spins"
            );
            self.reach(elapsed);
            return Timestamp::from_micros(micros(EPOCH + elapsed));
        }
        Timestamp::from_micros(self.latest.load(Ordering::Relaxed))
    }

    fn sleep_until(&self, at: Timestamp) -> Sleep<'_> {
        Box::pin(async move {
            loop {
                let rest = at.since(self.now());
                if rest.is_zero() {
                    return;
                }
                tokio::time::sleep(rest).await;
            }
        })
    }
}

/// The duration that a scenario gives in milliseconds.
pub(super) const fn ms(ms: u32) -> Duration {
    Duration::from_millis(ms as u64)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
