//! The virtual time of a run.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use eventful::{
    Timestamp,
    clock::{Clock, Sleep},
};

/// The time at which every run begins: 2000-01-01. Any fixed time after the Unix epoch would do.
pub(super) const EPOCH: Duration = Duration::from_secs(946_684_800);

/// The step of the network, coarser than the 1 ms of timers inside a host. Each step runs all hosts, so this sets how
/// long a run takes.
pub(super) const TICK: Duration = Duration::from_millis(5);

/// Virtual time, one for all hosts. It continues over crashes, unlike tokio's `Instant`.
#[derive(Debug)]
pub(super) struct VirtualClock {
    /// The latest time that was read, in microseconds since the Unix epoch.
    latest: AtomicU64,
    /// Set while no host runs: then the latest time is returned, otherwise that of the host that asks.
    ///
    /// While a host is torn down its destructors still read the time, and turmoil would return that of the machine's
    /// clock.
    stopped: AtomicBool,
    /// The number of reads since the last tick.
    asked: AtomicU64,
}

/// The number of reads in one tick that only a loop without progress makes: correct runs make far fewer.
const SPINS: u64 = 100_000;

impl VirtualClock {
    pub(super) const fn new() -> Self {
        Self {
            latest: AtomicU64::new(EPOCH.as_micros() as u64),
            stopped: AtomicBool::new(true),
            asked: AtomicU64::new(0),
        }
    }

    /// Stops or resumes the time of the hosts.
    pub(super) fn stop(&self, stopped: bool) {
        self.stopped.store(stopped, Ordering::Relaxed);
        self.asked.store(0, Ordering::Relaxed);
    }

    /// Advances the time to `elapsed` since the beginning.
    pub(super) fn reach(&self, elapsed: Duration) {
        // Hosts are at different times within a tick; the clock of all never goes back.
        self.latest.fetch_max(micros(EPOCH + elapsed), Ordering::Relaxed);
    }

    /// Returns the time since the beginning.
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
            // Only once in a while: the destructors of the looping task read the time, too, and a second panic would
            // abort.
            assert!(asked % SPINS != SPINS - 1, "the time is read again and again without advancing: a task spins");
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

/// Returns a duration that a scenario gives in milliseconds.
pub(super) const fn ms(ms: u32) -> Duration {
    Duration::from_millis(ms as u64)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
