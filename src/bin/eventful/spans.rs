//! Spans of time: as people write them, and as they pass.

use std::time::{Duration, Instant, SystemTime};

pub(crate) use eventful::http::duration::{about, parse, show};

/// A time that is not zero.
pub(crate) fn parse_nonzero(text: &str) -> Result<Duration, String> {
    let time = parse(text).map_err(|error| error.to_string())?;
    if time.is_zero() { Err(format!("{text:?} would cut every client: write a longer time")) } else { Ok(time) }
}

/// The wall clock, since the Unix epoch: for what others compare with their clocks. Nothing here is decided
/// by it.
#[allow(
    clippy::disallowed_methods,
    reason = "the engine's time may be ahead of the wall clock, and others do not know it"
)]
pub(crate) fn since_epoch() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// Measures how long something takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RealStopwatch(Instant);

impl RealStopwatch {
    #[allow(clippy::disallowed_methods, reason = "the program shows how long something took; nothing is decided by it")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}
