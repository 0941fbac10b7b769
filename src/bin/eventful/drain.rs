//! The end of a server: the countdown, and the report.

use std::pin::pin;
use std::time::Duration;

use eventful::{Eventful, ShutdownReport};

use crate::keeping::Keeping;
use crate::signals::Signals;
use crate::terminal::{self, say};

/// The interval of the countdown at a terminal.
const TICK: Duration = Duration::from_secs(1);
/// The interval of the countdown in a log, where each line stays.
const SLOW_TICK: Duration = Duration::from_secs(5);

/// Shuts the engine down within its drain timeout. None when a second signal came meanwhile.
pub(crate) async fn drain(eventful: &Eventful, signals: &mut Signals) -> Option<ShutdownReport> {
    let deadline = eventful.now() + eventful.config().drain_timeout;
    let mut ended = pin!(eventful.shutdown(None));
    let mut ticks = tokio::time::interval(if terminal::is_watched() { TICK } else { SLOW_TICK });
    loop {
        tokio::select! {
            biased;
            // The report first: a signal that comes with it would only hide it.
            report = &mut ended => return Some(report),
            _ = signals.next() => return None,
            _ = ticks.tick() => show(eventful, deadline.since(eventful.now())),
        }
    }
}

fn show(eventful: &Eventful, left: Duration) {
    let inflight = eventful.stats().map_or(0, |stats| stats.engine.gauges.inflight);
    say(&format!("draining: {inflight} in flight, {} s left", left.as_millis().div_ceil(1000)));
}

/// Prints how it ended.
pub(crate) fn report(report: &ShutdownReport, keeping: &Keeping) {
    let ShutdownReport { drained, interrupted, abandoned, left, unsynced, took, .. } = report;
    say(&format!(
        "stopped after {took:.1?}: {drained} drained, {interrupted} interrupted, {abandoned} abandoned, {left} left"
    ));
    match keeping.name() {
        None if *left > 0 => say("what is left was in memory only, and is gone: send it again"),
        Some(place) if *left > 0 => {
            say(&format!("what is left is kept in {place}, and continues when that is served again"));
        }
        _ => {}
    }
    let dropped = terminal::dropped();
    if dropped > 0 {
        say(&format!("{dropped} lines of this output and the log were dropped: they were not read in time"));
    }
    if *unsynced > 0 {
        say(&format!("{unsynced} changes may not be on the disk: the log says why, and the exit code is 1"));
    }
}
