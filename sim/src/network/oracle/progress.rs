//! A ticket and a free permit meet soon.

use std::time::Duration;

use eventful::{Config, Phase, Stats};

use super::{Verdict, holds};
use crate::failure::Broken;

/// Since when a ticket waits although a permit is free.
#[derive(Debug, Default)]
pub(in crate::network) struct Waits {
    since: Option<Duration>,
    restarts: u64,
}

/// What the hooks' yields and the length of a tick can take.
const SOON: Duration = Duration::from_millis(50);

impl Waits {
    /// A dispatcher that died may be kept down for a sweep interval before it is restarted.
    pub(in crate::network) fn see(&mut self, now: Duration, stats: &Stats, config: &Config) -> Verdict {
        let may_start = stats.phase == Phase::Running && !stats.paused;
        let waits = may_start && stats.channel_depth > 0 && stats.permits_free > 0;
        if !waits || stats.dispatcher_restarts > self.restarts {
            (self.since, self.restarts) = (None, stats.dispatcher_restarts);
            return Ok(());
        }
        let waited = now.saturating_sub(*self.since.get_or_insert(now));
        let bound = config.sweep_interval + SOON;
        holds(waited <= bound, || {
            let what = format_args!("for {waited:?} a ticket has waited although a permit is free");
            Broken::new("progress", 3, what)
        })
    }
}
