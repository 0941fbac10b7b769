//! Real time, for messages to the user. No run reads it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Measures a duration in real time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SimStopwatch(Instant);

impl SimStopwatch {
    #[allow(clippy::disallowed_methods, reason = "it says how long runs take, and ends `--for`; no run depends on it")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// Returns a first seed that no call before had: the microseconds since 1970. No machine runs more than one seed a
/// microsecond.
#[allow(clippy::disallowed_methods, reason = "`run --for` begins elsewhere each time, and says where")]
pub(crate) fn fresh_seed() -> u64 {
    let passed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(passed.as_micros()).unwrap_or_default()
}
