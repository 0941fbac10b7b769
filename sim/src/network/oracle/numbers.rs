//! Metrics cannot lie: counters only rise, and gauges add up.

use eventful::{
    Status,
    engine::{EnqueueFailure, facts::AttemptEnd},
    metrics::{FactCounters, Metrics, RejectReason, Stats, SweptReason},
};

use super::{OracleResult, holds};
use crate::failure::Broken;
use crate::spec::{FactCounts, ReferenceState};

/// The counters of one process, as they were last seen.
#[derive(Debug, Default)]
pub(in crate::network) struct SeenCounters {
    last: Vec<u64>,
    /// Times that the journal was opened again.
    reopenings: u64,
    /// What histograms have from engines before this one.
    carried: Option<RunCounts>,
}

/// How many starts, ends and successes there were.
type RunCounts = [u64; 3];

impl SeenCounters {
    /// The numbers are now these. `before` was counted before the engine was opened, as far as that
    /// is durable.
    pub(in crate::network) fn see(&mut self, stats: &Stats, before: &FactCounts) -> OracleResult {
        equations(&stats.engine)?;
        let reopened = std::mem::replace(&mut self.reopenings, stats.journal_reopenings) != stats.journal_reopenings;
        if reopened {
            // Facts that were lost are no longer counted.
            let facts = facts(&stats.engine.facts).len();
            let fallen: Vec<_> =
                self.last.iter().zip(counters(stats)).take(facts).map(|(last, now)| now.min(*last)).collect();
            self.last.splice(..fallen.len(), fallen);
            self.carried = None;
        }
        if stats.unsynced == 0 {
            self.histograms(&stats.engine, before)?;
        }
        let counters = counters(stats);
        let rise = self.last.iter().zip(&counters).all(|(before, now)| before <= now);
        holds(rise, || broken(format_args!("counters fell from {:?} to {counters:?}", self.last)))?;
        self.last = counters;
        Ok(())
    }

    /// Histograms tell of what happened since the engine was opened, and of what they had before
    /// from those whose place it took: that is found at the first look, and stays.
    fn histograms(&mut self, metrics: &Metrics, before: &FactCounts) -> OracleResult {
        let Metrics { facts, histograms, .. } = metrics;
        let told = [
            before.started + histograms.queue_time.count(),
            before.finished_total() + histograms.processing_time.count(),
            before.finished[AttemptEnd::Done as usize] + histograms.end_to_end.count(),
        ];
        let counted = [facts.started, facts.finished_total(), facts.finished(AttemptEnd::Done)];
        let surplus = |(told, counted): (u64, u64)| told.checked_sub(counted);
        let carried = told.into_iter().zip(counted).map(surplus).collect::<Option<Vec<_>>>();
        let carried = carried.and_then(|carried| RunCounts::try_from(carried).ok());
        let expected = match self.carried {
            Some(carried) => Some(carried),
            None if self.reopenings > 0 => carried,
            None => Some(RunCounts::default()),
        };
        self.carried = expected;
        holds(carried.is_some() && carried == expected, || {
            broken(format_args!("histograms tell {told:?} starts, ends and successes, facts {counted:?}"))
        })
    }
}

/// The engine has counted the facts that there were.
pub(in crate::network) fn agree(expected: &ReferenceState, facts: &FactCounters) -> OracleResult {
    let (ours, theirs) = (expected.counts, FactCounts::of(facts));
    holds(ours == theirs, || broken(format_args!("the facts make {ours:?}, the counters say {theirs:?}")))
}

/// The counters of facts.
fn facts(facts: &FactCounters) -> Vec<u64> {
    let mut all = vec![facts.accepted, facts.redriven, facts.started];
    all.extend(Status::ALL.map(|status| facts.forgotten(status)));
    all.extend(AttemptEnd::ALL.map(|end| facts.finished(end)));
    all
}

fn counters(stats: &Stats) -> Vec<u64> {
    let Metrics { tallies, histograms, .. } = &stats.engine;
    let mut all = facts(&stats.engine.facts);
    all.extend([
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
    ]);
    all.extend(RejectReason::ALL.map(|reason| tallies.rejected(reason)));
    all.extend(SweptReason::ALL.map(|reason| tallies.swept(reason)));
    all
}

/// The equations of the design.
fn equations(metrics: &Metrics) -> OracleResult {
    let Metrics { facts, gauges, .. } = metrics;
    let waiting = gauges.records(Status::Received) + gauges.records(Status::FailedRetry);
    let equal = [
        ("accepted = records + forgotten", facts.accepted, gauges.records_total() + facts.forgotten_total()),
        ("started = finished + inflight", facts.started, facts.finished_total() + gauges.inflight),
        (
            "waiting = queued + line + delayed + gated",
            waiting,
            gauges.queued + gauges.line + gauges.delayed + gauges.gated,
        ),
        ("processing = inflight", gauges.records(Status::Processing), gauges.inflight),
    ];
    all_hold(&equal)
}

fn all_hold(equations: &[(&str, u64, u64)]) -> OracleResult {
    match equations.iter().find(|(_, left, right)| left != right) {
        Some((what, left, right)) => Err(broken(format_args!("{what} does not hold: {left} and {right}"))),
        None => Ok(()),
    }
}

/// Each ticket that did not get into the channel was noticed at once. Those behind it count too.
pub(in crate::network) fn failures(stats: &Stats, full: u64, closed: u64) -> OracleResult {
    let failures = |cause| stats.engine.tallies.enqueue_failures(cause);
    let counted = (failures(EnqueueFailure::Full), failures(EnqueueFailure::Closed));
    holds(counted.0 >= full && counted.1 >= closed, || {
        broken(format_args!("the channel refused {:?} tickets, full or closed, and {counted:?} count", (full, closed)))
    })
}

/// When nothing is left to do.
pub(in crate::network) fn at_rest(stats: &Stats) -> OracleResult {
    let gauges = &stats.engine.gauges;
    holds(stats.submitters_waiting == 0, || {
        broken(format_args!("at rest {} submitters wait for room", stats.submitters_waiting))
    })?;
    // The one reader that there is has room for all facts.
    holds(stats.subscription_dropped == 0, || {
        broken(format_args!("{} facts are dropped for a reader that is gone", stats.subscription_dropped))
    })?;
    let left = [gauges.queued, gauges.line, gauges.delayed, gauges.gated, gauges.inflight, gauges.pending()];
    holds(left == [0; 6], || broken(format_args!("at rest there is something to do: {gauges:?}")))
}

/// Judges that only the one reader of facts is registered: a waiter leaves no entry behind.
pub(in crate::network) fn one_reads(waiters: usize) -> OracleResult {
    holds(waiters == 1, || broken(format_args!("at rest {waiters} waiters are registered, and one reads facts")))
}

/// When every event has ended, whoever waited for one has been shown that.
pub(in crate::network) fn none_waits(ends_awaited: u32) -> OracleResult {
    holds(ends_awaited == 0, || broken(format_args!("all events have ended, and {ends_awaited} ends are waited for")))
}

fn broken(what: impl std::fmt::Display) -> Broken {
    Broken::new("numbers", 7, what)
}
