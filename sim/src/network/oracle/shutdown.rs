//! Shutdown ends, in time, and its report adds up.

use std::time::Duration;

use eventful::{
    Config, ShutdownReport, Status,
    engine::{Phase, facts::AttemptEnd},
    metrics::Stats,
};

use super::{OracleResult, holds};
use crate::failure::Broken;

/// A shutdown, from outside.
#[derive(Debug)]
pub(in crate::network) struct SeenShutdown {
    /// What it was allowed to wait for runs, the least of all requests.
    pub(in crate::network) timeout: Duration,
    /// From the first request to the report.
    pub(in crate::network) took: Duration,
    /// The numbers before the first request; none when the engine was broken.
    pub(in crate::network) before: Option<Stats>,
    /// The numbers after the report.
    pub(in crate::network) after: Option<Stats>,
    /// The report.
    pub(in crate::network) report: ShutdownReport,
    /// The task that sees to it has not died. If it has, it waits for nothing.
    pub(in crate::network) orderly: bool,
    /// There is a journal, and its disk did all that it was asked.
    pub(in crate::network) disk: DiskState,
}

/// How the disk under the journal was meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::network) enum DiskState {
    /// There is no journal.
    None,
    /// It did what it was asked, at once.
    Works,
    /// It did not, or the journal had failed before.
    Fails,
}

/// Timers have a millisecond, and each of the three waits may be late by one.
const TIMERS: Duration = Duration::from_millis(4);

/// A shutdown ended like this.
pub(in crate::network) fn ended(seen: &SeenShutdown, config: &Config) -> OracleResult {
    // Without a run in flight there is nothing to drain.
    let drains =
        seen.before.as_ref().is_none_or(|before| before.engine.gauges.inflight > 0) || seen.disk != DiskState::None;
    let drain = if drains || !seen.orderly { seen.timeout } else { Duration::ZERO };
    let sync = if seen.disk == DiskState::Fails { config.sync_grace } else { Duration::ZERO };
    let bound = drain + config.abort_grace * 2 + sync + TIMERS;
    holds(seen.took <= bound, || broken(format_args!("it took {:?}, {bound:?} are allowed", seen.took)))?;
    let report = &seen.report;
    // Another call may have asked for it before.
    holds(report.took + TIMERS >= seen.took || !seen.orderly, || {
        broken(format_args!("it took {:?}, and says {:?}", seen.took, report.took))
    })?;
    holds(report.abandoned == 0 || !seen.orderly, || {
        broken(format_args!("handlers that wait were abandoned: {report:?}"))
    })?;
    holds(report.unsynced == 0 || seen.disk == DiskState::Fails || !seen.orderly, || {
        broken(format_args!("the disk works, and facts are not durable: {report:?}"))
    })?;
    match (&seen.before, &seen.after) {
        // Another engine counts from elsewhere.
        (Some(before), Some(after)) if before.journal_reopenings != after.journal_reopenings => Ok(()),
        (Some(before), Some(after)) => {
            adds_up(report, before, after)?;
            if seen.orderly { empty(after, config) } else { Ok(()) }
        }
        (None, _) | (_, None) => Ok(()),
    }
}

fn adds_up(report: &ShutdownReport, before: &Stats, after: &Stats) -> OracleResult {
    holds(after.phase == Phase::Stopped, || broken(format_args!("after it the engine is {:?}", after.phase)))?;
    let gauges = &after.engine.gauges;
    holds(gauges.inflight == 0, || broken(format_args!("it left {} runs in flight", gauges.inflight)))?;
    let left = gauges.records(Status::Received) + gauges.records(Status::FailedRetry);
    holds(report.left == left, || broken(format_args!("it left {left} events, and says {}", report.left)))?;
    let ended = after.engine.facts.finished_total() - before.engine.facts.finished_total();
    let told = report.drained + report.interrupted;
    holds(ended == told, || broken(format_args!("{ended} runs ended meanwhile, and it says {told}")))?;
    let interrupted = |stats: &Stats| stats.engine.facts.finished(AttemptEnd::Interrupted);
    let stopped = interrupted(after) - interrupted(before);
    holds(report.interrupted == stopped, || {
        broken(format_args!("{stopped} runs were interrupted, and it says {}", report.interrupted))
    })?;
    let inflight = before.engine.gauges.inflight;
    holds(told == inflight, || broken(format_args!("of {inflight} runs in flight it says {told}")))
}

/// No worker is left.
fn empty(after: &Stats, config: &Config) -> OracleResult {
    let (limit, running) = (config.concurrency.get() as u64, after.workers_running);
    let free = after.permits_free;
    holds(running == 0 && free == limit, || {
        broken(format_args!("it left {running} workers and {free} free permits of {limit}"))
    })
}

fn broken(what: impl std::fmt::Display) -> Broken {
    Broken::new("shutdown", 6, what)
}
