//! Metrics cannot lie: counters only rise, and gauges add up.

use eventful::{AttemptEnd, EnqueueFailure, Gauges, Metrics, RejectReason, Stats, Status, SweptReason};

use super::lives::Before;
use super::{Verdict, holds};
use crate::failure::Broken;

/// The counters of one process, as they were last seen.
#[derive(Debug, Default)]
pub(in crate::network) struct Numbers {
    last: Vec<u64>,
    /// Times that the journal was opened again; then tallies begin anew.
    reopenings: u64,
}

impl Numbers {
    /// The numbers are now these. `before` was counted before the engine was opened, as far as that
    /// is durable.
    pub(in crate::network) fn see(&mut self, stats: &Stats, before: Before) -> Verdict {
        equations(&stats.engine)?;
        if stats.unsynced == 0 {
            histograms(&stats.engine, before)?;
        }
        if std::mem::replace(&mut self.reopenings, stats.journal_reopenings) != stats.journal_reopenings {
            self.last.clear();
        }
        let counters = counters(stats);
        let rise = self.last.iter().zip(&counters).all(|(before, now)| before <= now);
        holds(rise, || broken(format_args!("counters fell from {:?} to {counters:?}", self.last)))?;
        self.last = counters;
        Ok(())
    }
}

fn counters(stats: &Stats) -> Vec<u64> {
    let Metrics { facts, tallies, histograms, .. } = &stats.engine;
    let mut all = vec![
        facts.accepted,
        facts.redriven,
        facts.forgotten,
        facts.started,
        tallies.deduplicated,
        tallies.conflicted,
        tallies.tickets_stale,
        tallies.outcomes_stale,
        tallies.sweeps,
        tallies.enqueue_failures(EnqueueFailure::Full),
        tallies.enqueue_failures(EnqueueFailure::Closed),
        histograms.queue_time.count(),
        histograms.processing_time.count(),
        histograms.end_to_end.count(),
        stats.dispatcher_restarts,
        stats.sweeper_restarts,
        stats.subscription_dropped,
    ];
    all.extend(AttemptEnd::ALL.map(|end| facts.finished(end)));
    all.extend(RejectReason::ALL.map(|reason| tallies.rejected(reason)));
    all.extend(SweptReason::ALL.map(|reason| tallies.swept(reason)));
    all
}

/// The equations of the design.
fn equations(metrics: &Metrics) -> Verdict {
    let Metrics { facts, gauges, .. } = metrics;
    let waiting = gauges.records(Status::Received) + gauges.records(Status::FailedRetry);
    let equal = [
        ("accepted = records + forgotten", facts.accepted, gauges.records_total() + facts.forgotten),
        ("started = finished + inflight", facts.started, facts.finished_total() + gauges.inflight),
        ("waiting = queued + line + delayed", waiting, gauges.queued + gauges.line + gauges.delayed),
        ("processing = inflight", gauges.records(Status::Processing), gauges.inflight),
    ];
    all_hold(&equal)
}

/// Histograms tell of what happened since the engine was opened.
fn histograms(metrics: &Metrics, before: Before) -> Verdict {
    let Metrics { facts, histograms, .. } = metrics;
    let finished = before.finished + histograms.processing_time.count();
    let done = before.done + histograms.end_to_end.count();
    all_hold(&[
        ("queue times = started", before.started + histograms.queue_time.count(), facts.started),
        ("processing times = finished", finished, facts.finished_total()),
        ("end to end = done", done, facts.finished(AttemptEnd::Done)),
    ])
}

fn all_hold(equations: &[(&str, u64, u64)]) -> Verdict {
    match equations.iter().find(|(_, left, right)| left != right) {
        Some((what, left, right)) => Err(broken(format_args!("{what} does not hold: {left} and {right}"))),
        None => Ok(()),
    }
}

/// Each ticket that did not get into the channel was noticed at once. Those behind it count too.
pub(in crate::network) fn failures(stats: &Stats, full: u64, closed: u64) -> Verdict {
    let failures = |cause| stats.engine.tallies.enqueue_failures(cause);
    let counted = (failures(EnqueueFailure::Full), failures(EnqueueFailure::Closed));
    holds(counted.0 >= full && counted.1 >= closed, || {
        broken(format_args!("the channel refused {:?} tickets, full or closed, and {counted:?} count", (full, closed)))
    })
}

/// When nothing is left to do.
pub(in crate::network) fn at_rest(gauges: &Gauges) -> Verdict {
    let left = [gauges.queued, gauges.line, gauges.delayed, gauges.inflight, gauges.pending()];
    holds(left == [0; 5], || broken(format_args!("at rest there is something to do: {gauges:?}")))
}

fn broken(what: impl std::fmt::Display) -> Broken {
    Broken::new("numbers", 7, what)
}
