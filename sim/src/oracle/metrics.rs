//! P7: counters only rise, and equal a fold of results and facts; gauges equal a recount.

use std::fmt::Debug;

use eventful::{
    Status,
    engine::{
        Answer, Bound, Engine, EnqueueFailure, Refusal, Swept,
        facts::{AfterRun, AttemptEnd, Change},
    },
    metrics::{FactCounters, Gauges, RejectReason, SweptReason, Tallies},
};

use super::{CommandSummary, Observation, follow_ups};
use crate::failure::Broken;
use crate::spec::ReferenceState;

const ORACLE: &str = "metrics";

/// The sums of results, and the metrics after the last step.
#[derive(Debug, Default)]
pub(super) struct CountedMetrics {
    deduplicated: u64,
    conflicted: u64,
    tickets_stale: u64,
    outcomes_stale: u64,
    sweeps: u64,
    rejected: [u64; RejectReason::ALL.len()],
    failures: [u64; 2],
    retries_due: u64,
    expired_runs: u64,
    lost: u64,
    /// The number of events that waited for their time after the last step.
    delayed: u64,
}

impl CountedMetrics {
    pub(super) fn judge(&mut self, expected: &ReferenceState, seen: &Observation<'_>) -> Result<(), Broken> {
        if let Answer::Swept(swept) = seen.answer {
            self.judge_sweep(seen, swept)?;
        }
        self.delayed = seen.gauges.delayed;
        self.count(seen);
        let (known, conflicting) = follow_ups::tallied(expected, seen);
        (self.deduplicated, self.conflicted) = (self.deduplicated + known, self.conflicted + conflicting);
        self.judge_tallies(seen.engine.tallies())?;
        judge_facts(expected, seen.engine.fact_counters())?;
        judge_gauges(expected, seen.gauges)
    }

    fn count(&mut self, seen: &Observation<'_>) {
        match (seen.said, seen.answer) {
            (CommandSummary::Submit { .. }, Answer::Duplicate(_)) => self.deduplicated += 1,
            (CommandSummary::Submit { .. }, Answer::Conflict(_)) => self.conflicted += 1,
            (CommandSummary::Submit { .. }, Answer::Refused(refusal)) => self.rejected[reason(*refusal) as usize] += 1,
            (CommandSummary::Reject(reason), _) => self.rejected[reason as usize] += 1,
            (CommandSummary::Start(_), Answer::Stale) => self.tickets_stale += 1,
            (CommandSummary::Settle(..) | CommandSummary::Heartbeat(_), Answer::Stale) => self.outcomes_stale += 1,
            (CommandSummary::EnqueueFailed(_, cause), Answer::Noted) => self.failures[cause as usize] += 1,
            (CommandSummary::Sweep, Answer::Swept(swept)) => {
                self.sweeps += 1;
                self.retries_due += u64::from(swept.retries_due);
                self.expired_runs += u64::from(swept.expired_runs);
            }
            _ => {}
        }
    }

    /// Checks the counts that a sweep returns.
    fn judge_sweep(&self, seen: &Observation<'_>, swept: &Swept) -> Result<(), Broken> {
        // Overdue markers are checked by the reference model.
        let Swept { retries_due, expired_runs, forgotten: swept_away, marker_overdue: _ } = *swept;
        let (mut expired, mut forgotten, mut retried) = (0, 0, 0);
        for fact in seen.facts {
            match &fact.change {
                Change::Finished { next, .. } => {
                    expired += 1;
                    retried += u64::from(matches!(next, AfterRun::Retry { eligible_at } if *eligible_at > seen.now));
                }
                Change::Forgotten(keys) => forgotten += keys.len() as u32,
                Change::Accepted(_)
                | Change::Started { .. }
                | Change::Redriven(_)
                | Change::Discarded(_)
                | Change::Paused
                | Change::Resumed
                | Change::GroupPaused { .. }
                | Change::Scheduled { .. }
                | Change::Epoch(_) => {}
            }
        }
        same("expired runs of a sweep", expired_runs, expired)?;
        same("records that a sweep forgets", swept_away, forgotten)?;
        // Delayed before and added by the sweep, without those that are still delayed.
        let due = (self.delayed + retried).saturating_sub(seen.gauges.delayed);
        same("retries that a sweep finds due", u64::from(retries_due), due)
    }

    fn judge_tallies(&mut self, tallies: &Tallies) -> Result<(), Broken> {
        same("duplicates", tallies.deduplicated, self.deduplicated)?;
        same("conflicts", tallies.conflicted, self.conflicted)?;
        same("stale tickets", tallies.tickets_stale, self.tickets_stale)?;
        same("stale outcomes", tallies.outcomes_stale, self.outcomes_stale)?;
        same("sweeps", tallies.sweeps, self.sweeps)?;
        each("rejections", RejectReason::ALL, |reason| tallies.rejected(reason), &self.rejected)?;
        let causes = [EnqueueFailure::Full, EnqueueFailure::Closed];
        each("enqueue failures", causes, |cause| tallies.enqueue_failures(cause), &self.failures)?;
        same("retries that became due", tallies.swept(SweptReason::RetryDue), self.retries_due)?;
        same("expired runs", tallies.swept(SweptReason::ExpiredRun), self.expired_runs)?;
        let lost = tallies.swept(SweptReason::LostTicket);
        match lost >= std::mem::replace(&mut self.lost, lost) {
            true => Ok(()),
            false => broken(format!("the count of lost tickets fell to {lost}")),
        }
    }
}

const fn reason(refusal: Refusal) -> RejectReason {
    match refusal {
        Refusal::Overloaded { bound: Bound::Group, .. } => RejectReason::Group,
        Refusal::Overloaded { bound: Bound::Bytes, .. } => RejectReason::Bytes,
        Refusal::Overloaded { bound: Bound::Failed, .. } => RejectReason::Failed,
        Refusal::Overloaded { bound: Bound::Pending | Bound::Records | Bound::PausedGroups, .. } => RejectReason::Count,
        Refusal::Overloaded { bound: Bound::Disk, .. } => RejectReason::Disk,
        Refusal::Overloaded { bound: Bound::JournalSlow, .. } => RejectReason::JournalSlow,
        Refusal::Overloaded { bound: Bound::JournalUnreachable, .. } => RejectReason::JournalUnreachable,
        Refusal::TooLarge { .. } => RejectReason::TooLarge,
        Refusal::ShuttingDown => RejectReason::ShuttingDown,
    }
}

/// Checks that the whole metrics show the parts that are checked after each step.
pub(super) fn judge_whole(engine: &Engine) -> Result<(), Broken> {
    let whole = engine.metrics();
    same("counters of facts", &whole.facts, engine.fact_counters())?;
    same("tallies", &whole.tallies, engine.tallies())?;
    same("gauges", whole.gauges, engine.gauges())
}

/// Checks the counters of facts. The fold of the facts rises with each of them, so the counters that equal it do.
fn judge_facts(expected: &ReferenceState, facts: &FactCounters) -> Result<(), Broken> {
    same("accepted", facts.accepted, expected.counts.accepted)?;
    same("redriven", facts.redriven, expected.counts.redriven)?;
    each("forgotten", Status::ALL, |status| facts.forgotten(status), &expected.counts.forgotten)?;
    same("started", facts.started, expected.counts.started)?;
    each("finished", AttemptEnd::ALL, |end| facts.finished(end), &expected.counts.finished)
}

fn judge_gauges(expected: &ReferenceState, gauges: &Gauges) -> Result<(), Broken> {
    each("records by status", Status::ALL, |status| gauges.records(status), &expected.by_status)?;
    same("runs in flight", gauges.inflight, expected.count(Status::Processing))?;
    same("bytes", gauges.bytes, expected.bytes)?;
    same("bytes of failed events", gauges.failed_bytes, expected.failed_bytes)?;
    let waiting = expected.count(Status::Received) + expected.count(Status::FailedRetry);
    let places = gauges.queued + gauges.line + gauges.delayed + gauges.gated;
    same("queued + line + delayed + gated", places, waiting)?;
    same(
        "accepted = records + forgotten",
        expected.counts.accepted,
        expected.total() + expected.counts.forgotten_total(),
    )?;
    same("started = finished + in flight", expected.counts.started, expected.counts.finished_total() + gauges.inflight)
}

/// Checks that a number is the counted one.
pub(super) fn same<T: PartialEq + Debug>(what: &str, shown: T, counted: T) -> Result<(), Broken> {
    match shown == counted {
        true => Ok(()),
        false => broken(format!("{what}: the engine shows {shown:?}, expected {counted:?}")),
    }
}

/// Does the same as [`same`], for a number of each label. Nothing is copied while all are equal.
fn each<L: Copy, const N: usize>(
    what: &str,
    labels: [L; N],
    shown: impl Fn(L) -> u64,
    counted: &[u64; N],
) -> Result<(), Broken> {
    match labels.iter().zip(counted).all(|(label, counted)| shown(*label) == *counted) {
        true => Ok(()),
        false => same(what, labels.map(shown), *counted),
    }
}

fn broken(what: String) -> Result<(), Broken> {
    Err(Broken::new(ORACLE, 7, what))
}
