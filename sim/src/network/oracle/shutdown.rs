//! The oracle of shutdown: it ends in time, and its report adds up.

use std::time::Duration;

use eventful::{
    Config, ShutdownReport, Status,
    engine::{Phase, facts::AttemptEnd},
    metrics::Stats,
};

use super::{OracleResult, holds};
use crate::failure::Broken;

/// A shutdown, as seen from outside.
#[derive(Debug)]
pub(in crate::network) struct SeenShutdown {
    /// The time that it may wait for runs: the shortest of all requests.
    pub(in crate::network) timeout: Duration,
    /// The time from the first request to the report.
    pub(in crate::network) took: Duration,
    /// The numbers before the first request; none if the engine was broken.
    pub(in crate::network) before: Option<Stats>,
    /// The numbers after the report.
    pub(in crate::network) after: Option<Stats>,
    /// The report.
    pub(in crate::network) report: ShutdownReport,
    /// True if the task that performs the shutdown did not die. If it did, nothing is waited for.
    pub(in crate::network) orderly: bool,
    /// The state of the disk under the journal meanwhile.
    pub(in crate::network) disk: DiskState,
}

/// The state of the disk under the journal during a shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::network) enum DiskState {
    /// There is no journal.
    None,
    /// The disk did all operations, at once.
    Works,
    /// The disk did not, or the journal had failed before.
    Fails,
}

/// The tolerance: timers have a resolution of one millisecond, each of the three waits may be late by one, and the sum
/// is rounded up by one more.
const TIMERS: Duration = Duration::from_millis(4);

/// Checks a shutdown that has ended.
pub(in crate::network) fn ended(seen: &SeenShutdown, config: &Config) -> OracleResult {
    // Without a run in flight there is nothing to drain.
    let drains =
        seen.before.as_ref().is_none_or(|before| before.engine.gauges.inflight > 0) || seen.disk != DiskState::None;
    let drain = if drains || !seen.orderly { seen.timeout } else { Duration::ZERO };
    let sync = if seen.disk == DiskState::Fails { config.sync_grace } else { Duration::ZERO };
    let bound = drain + config.abort_grace * 2 + sync + TIMERS;
    holds(seen.took <= bound, || broken(format_args!("a shutdown took {:?}, {bound:?} are allowed", seen.took)))?;
    let report = &seen.report;
    // Another call may have begun it before.
    holds(report.took + TIMERS >= seen.took || !seen.orderly, || {
        broken(format_args!("a shutdown took {:?}, but reports {:?}", seen.took, report.took))
    })?;
    holds(report.abandoned == 0 || !seen.orderly, || {
        broken(format_args!("handlers were abandoned although all of them yield: {report:?}"))
    })?;
    holds(report.unsynced == 0 || seen.disk == DiskState::Fails || !seen.orderly, || {
        broken(format_args!("facts are not durable although the disk works: {report:?}"))
    })?;
    match (&seen.before, &seen.after) {
        // After a reopening another engine counts, so its numbers cannot be compared.
        (Some(before), Some(after)) if before.journal_reopenings != after.journal_reopenings => Ok(()),
        (Some(before), Some(after)) => {
            adds_up(report, before, after)?;
            if seen.orderly { empty(after, config) } else { Ok(()) }
        }
        (None, _) | (_, None) => Ok(()),
    }
}

fn adds_up(report: &ShutdownReport, before: &Stats, after: &Stats) -> OracleResult {
    holds(after.phase == Phase::Stopped, || broken(format_args!("after a shutdown the engine is {:?}", after.phase)))?;
    let gauges = &after.engine.gauges;
    holds(gauges.inflight == 0, || broken(format_args!("a shutdown left {} runs in flight", gauges.inflight)))?;
    let left = gauges.records(Status::Received) + gauges.records(Status::FailedRetry);
    holds(report.left == left, || broken(format_args!("a shutdown left {left} events, but reports {}", report.left)))?;
    let ended = after.engine.facts.finished_total() - before.engine.facts.finished_total();
    let reported = report.drained + report.interrupted;
    holds(ended == reported, || {
        broken(format_args!("{ended} runs ended during a shutdown, but it reports {reported}"))
    })?;
    let interrupted = |stats: &Stats| stats.engine.facts.finished(AttemptEnd::Interrupted);
    let stopped = interrupted(after) - interrupted(before);
    holds(report.interrupted == stopped, || {
        broken(format_args!("{stopped} runs were interrupted, but a shutdown reports {}", report.interrupted))
    })?;
    let inflight = before.engine.gauges.inflight;
    holds(reported == inflight, || broken(format_args!("a shutdown with {inflight} runs in flight reports {reported}")))
}

/// Checks that no worker is left.
fn empty(after: &Stats, config: &Config) -> OracleResult {
    let (limit, running) = (config.concurrency.get() as u64, after.workers_running);
    let free = after.permits_free;
    holds(running == 0 && free == limit, || {
        broken(format_args!("a shutdown left {running} workers and {free} free permits of {limit}"))
    })
}

fn broken(what: impl std::fmt::Display) -> Broken {
    Broken::new("shutdown", 6, what)
}
