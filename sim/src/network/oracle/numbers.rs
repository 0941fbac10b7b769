//! The oracle of metrics: counters only rise, and gauges add up.

use eventful::{
    Status,
    engine::{EnqueueFailure, facts::AttemptEnd},
    metrics::{FactCounters, Metrics, RejectReason, Stats, SweptReason},
};

use super::{OracleResult, holds};
use crate::failure::Broken;
use crate::spec::{FactCounts, ReferenceState};

/// The counters of one process when they were last read.
#[derive(Debug, Default)]
pub(in crate::network) struct SeenCounters {
    last: Vec<u64>,
    /// The number of reopenings of the journal.
    reopenings: u64,
    /// The counts that histograms took over from earlier engines of the process.
    carried: Option<RunCounts>,
}

/// The numbers of starts, ends and successes.
type RunCounts = [u64; 3];

impl SeenCounters {
    /// Checks the current numbers against the last ones. `before` was counted before the engine was opened, as far as
    /// it is durable.
    pub(in crate::network) fn see(&mut self, stats: &Stats, before: &FactCounts) -> OracleResult {
        equations(&stats.engine)?;
        let reopened = std::mem::replace(&mut self.reopenings, stats.journal_reopenings) != stats.journal_reopenings;
        if reopened {
            // Facts that were lost are no longer counted, so counters may fall over an opening.
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
        holds(rise, || broken(format_args!("counters fell from {:?} to {counters:?} without a reopening", self.last)))?;
        self.last = counters;
        Ok(())
    }

    /// Checks the histograms. They count since the engine was opened, plus what they took over from the engines before
    /// it: that surplus is found at the first check, and stays the same.
    fn histograms(&mut self, metrics: &Metrics, before: &FactCounts) -> OracleResult {
        let Metrics { facts, histograms, .. } = metrics;
        let measured = [
            before.started + histograms.queue_time.count(),
            before.finished_total() + histograms.processing_time.count(),
            before.finished[AttemptEnd::Done as usize] + histograms.end_to_end.count(),
        ];
        let counted = [facts.started, facts.finished_total(), facts.finished(AttemptEnd::Done)];
        let surplus = |(measured, counted): (u64, u64)| measured.checked_sub(counted);
        let carried = measured.into_iter().zip(counted).map(surplus).collect::<Option<Vec<_>>>();
        let carried = carried.and_then(|carried| RunCounts::try_from(carried).ok());
        let expected = match self.carried {
            Some(carried) => Some(carried),
            None if self.reopenings > 0 => carried,
            None => Some(RunCounts::default()),
        };
        self.carried = expected;
        holds(carried.is_some() && carried == expected, || {
            broken(format_args!("histograms count {measured:?} starts, ends and successes, facts {counted:?}"))
        })
    }
}

/// Checks that the engine has counted the facts that happened.
pub(in crate::network) fn agree(expected: &ReferenceState, facts: &FactCounters) -> OracleResult {
    let (ours, theirs) = (expected.counts, FactCounts::of(facts));
    holds(ours == theirs, || broken(format_args!("counters are {theirs:?}, the facts make {ours:?}")))
}

/// Returns the counters of facts.
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

/// Checks the equations between counters and gauges that the design states.
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
        Some((what, left, right)) => Err(broken(format_args!("{what} does not hold: {left} is not {right}"))),
        None => Ok(()),
    }
}

/// Checks that each ticket refused by the channel was counted at once. Tickets behind it are refused too.
pub(in crate::network) fn failures(stats: &Stats, full: u64, closed: u64) -> OracleResult {
    let failures = |cause| stats.engine.tallies.enqueue_failures(cause);
    let counted = (failures(EnqueueFailure::Full), failures(EnqueueFailure::Closed));
    holds(counted.0 >= full && counted.1 >= closed, || {
        broken(format_args!(
            "the channel refused {:?} tickets as full and closed, but the counters are {counted:?}",
            (full, closed)
        ))
    })
}

/// Checks the numbers once no work is left.
pub(in crate::network) fn at_rest(stats: &Stats) -> OracleResult {
    let gauges = &stats.engine.gauges;
    holds(stats.submitters_waiting == 0, || {
        broken(format_args!("at rest {} submitters wait for room", stats.submitters_waiting))
    })?;
    // The one reader has room for all facts.
    holds(stats.subscription_dropped == 0, || {
        broken(format_args!("{} facts were dropped for a reader with room for all", stats.subscription_dropped))
    })?;
    let left = [gauges.queued, gauges.line, gauges.delayed, gauges.gated, gauges.inflight, gauges.pending()];
    holds(left == [0; 6], || broken(format_args!("at rest there is work left: {gauges:?}")))
}

/// Checks that only the one reader of facts is registered: a waiter leaves no entry behind.
pub(in crate::network) fn one_reads(waiters: usize) -> OracleResult {
    holds(waiters == 1, || {
        broken(format_args!("at rest {waiters} waiters are registered, expected the 1 that reads facts"))
    })
}

/// Checks that every caller that waited for an end has returned once all events have ended.
pub(in crate::network) fn none_waits(ends_awaited: u32) -> OracleResult {
    holds(ends_awaited == 0, || {
        broken(format_args!("all events have ended, but {ends_awaited} callers still wait for an end"))
    })
}

fn broken(what: impl std::fmt::Display) -> Broken {
    Broken::new("numbers", 7, what)
}
