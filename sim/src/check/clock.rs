//! Virtual time: tokio's paused clock, counted from a fixed start.

use std::time::Duration;

use eventful::{
    Timestamp,
    clock::{Clock, Sleep},
};
use tokio::time::Instant;

/// The time at which every run begins: the same for all, so that two runs of one seed are equal. Any time after 1970
/// would do.
const START: Duration = Duration::from_secs(1_700_000_000);

/// The clock of one run.
#[derive(Debug)]
pub(super) struct PausedClock {
    began: Instant,
}

impl PausedClock {
    /// Creates a clock that begins now. Must be called inside a runtime whose time is paused.
    pub(super) fn begin() -> Self {
        Self { began: instant() }
    }
}

impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        Timestamp::EPOCH + START + instant().duration_since(self.began)
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

#[allow(
    clippy::disallowed_methods,
    reason = "the runtime's time is paused, so this is virtual and starts again with each run"
)]
fn instant() -> Instant {
    Instant::now()
}
