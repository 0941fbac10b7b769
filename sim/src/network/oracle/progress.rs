//! The oracle of progress: a queued ticket starts soon when a permit is free, and a waiting submitter enters soon when
//! there is room.

use std::time::Duration;

use eventful::{Config, engine::Phase, metrics::Stats};

use super::{OracleResult, holds};
use crate::failure::Broken;

/// The times since which a ticket waits although a permit is free, and a submitter although there is room.
#[derive(Debug, Default)]
pub(in crate::network) struct Waits {
    since: Option<Duration>,
    restarts: u64,
    submitter_since: Option<Duration>,
}

/// Upper bound of the bytes that an event of a scenario takes in the journal.
const EVENT_BYTES: u64 = 1 << 10;

/// The time that yields at hooks and the length of a tick can add.
const SOON: Duration = Duration::from_millis(50);

/// The time for a submitter to be woken and admitted: it happens in the tick in which there is room, so two ticks are
/// enough.
const AT_ONCE: Duration = Duration::from_millis(10);

impl Waits {
    /// Checks that no submitter waits while there is room. A disk that is out of reach keeps them out.
    pub(in crate::network) fn see_submitters(
        &mut self,
        now: Duration,
        stats: &Stats,
        config: &Config,
        is_out_of_reach: bool,
    ) -> OracleResult {
        let may_enter = stats.phase == Phase::Running && has_room(stats, config) && !is_out_of_reach;
        if stats.submitters_waiting == 0 || !may_enter {
            self.submitter_since = None;
            return Ok(());
        }
        let waited = now.saturating_sub(*self.submitter_since.get_or_insert(now));
        holds(waited <= AT_ONCE, || {
            let count = stats.submitters_waiting;
            let what = format_args!("{count} submitters have waited for {waited:?} although there is room");
            Broken::new("progress", 7, what)
        })
    }

    /// Checks that no ticket waits while a permit is free. A dispatcher that died may be kept down for a sweep
    /// interval before it is restarted.
    pub(in crate::network) fn see(&mut self, now: Duration, stats: &Stats, config: &Config) -> OracleResult {
        let may_start = stats.phase == Phase::Running && !stats.paused;
        let waits = may_start && stats.channel_depth > 0 && stats.permits_free > 0;
        // A new dispatcher has a new channel: its tickets have their full time.
        if !waits || stats.dispatcher_restarts > self.restarts {
            (self.since, self.restarts) = (None, stats.dispatcher_restarts);
            return Ok(());
        }
        let waited = now.saturating_sub(*self.since.get_or_insert(now));
        let bound = config.sweep_interval + SOON;
        holds(waited <= bound, || {
            let what = format_args!("a ticket has waited for {waited:?} although a permit is free");
            Broken::new("progress", 3, what)
        })
    }
}

/// Returns whether the engine and the journal have room for one more event.
fn has_room(stats: &Stats, config: &Config) -> bool {
    let gauges = &stats.engine.gauges;
    gauges.pending() < config.max_pending as u64
        && gauges.records_total() < config.max_records as u64
        && stats.journal_room_bytes.is_none_or(|room| room > EVENT_BYTES)
}
