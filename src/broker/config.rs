//! The bounds and times of an intake.

use core::num::NonZeroUsize;
use core::time::Duration;

/// The bounds and times of an [`Intake`](super::Intake).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IntakeConfig {
    /// The most messages that are received and not done with. 1,024 by default: at 10 ms until durable that is 100,000
    /// events a second.
    pub max_in_flight: NonZeroUsize,
    /// The most bytes of these messages, besides those of one message more. 64 MiB by default, a quarter of what the
    /// engine itself may hold.
    pub max_in_flight_bytes: NonZeroUsize,
    /// The least time until something that was refused or has failed is tried again; also the delay with which
    /// messages are given back when the intake ends. One second by default: shorter, a broker that is down is called all
    /// the time; longer, one that is back is used late.
    pub retry_delay: Duration,
    /// The longest time between two tries. 30 s by default.
    pub max_retry_delay: Duration,
    /// The longest time for which a message of a queue waits here while the engine has no room; then it is given back
    /// with a delay, so that others may have it. One minute by default: each time costs one of the deliveries that a
    /// broker may count.
    pub max_hold: Duration,
    /// The longest time for which an intake that ends waits for what is in flight. 10 s by default.
    pub drain_timeout: Duration,
    /// The longest time for one call of the source, apart from that of receiving. 10 s by default.
    pub call_timeout: Duration,
}

impl Default for IntakeConfig {
    fn default() -> Self {
        Self {
            max_in_flight: NonZeroUsize::MIN.saturating_add(1023),
            max_in_flight_bytes: NonZeroUsize::MIN.saturating_add((64 << 20) - 1),
            retry_delay: Duration::from_secs(1),
            max_retry_delay: Duration::from_secs(30),
            max_hold: Duration::from_secs(60),
            drain_timeout: Duration::from_secs(10),
            call_timeout: Duration::from_secs(10),
        }
    }
}

impl IntakeConfig {
    /// Returns the delay until the next try, for a delay that was asked for.
    pub(super) fn delay(&self, asked: Duration) -> Duration {
        asked.min(self.max_retry_delay).max(self.least())
    }

    /// Returns the delay after this many failures in a row: doubled with each.
    pub(super) fn backoff(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(16);
        self.delay(self.least().saturating_mul(1 << doublings))
    }

    /// Returns the least delay: never 0, or a try that fails would be repeated without end at one time.
    fn least(&self) -> Duration {
        self.retry_delay.max(Duration::from_millis(1))
    }
}
