//! P1: the engine asks to be woken for whatever waits for time, says why, and never spins.

use eventful::{
    Timestamp,
    engine::{Answer, Deadline, Phase, Wake},
};

use super::Observation;
use crate::failure::Broken;
use crate::spec::{EventLimits, Lifecycle, ReferenceRecord, ReferenceState};

const ORACLE: &str = "deadline";

/// `test`: when the channel must be put to the test at the latest.
pub(super) fn judge(expected: &ReferenceState, seen: &Observation<'_>, test: Option<Timestamp>) -> Result<(), Broken> {
    let deadline = seen.deadline;
    if let Some(deadline) = deadline {
        judge_reason(seen, deadline)?;
        judge_spin(seen, deadline)?;
    }
    judge_missing(expected, seen, deadline, test)
}

/// Checks that the deadline names only what the phase allows.
fn judge_reason(seen: &Observation<'_>, deadline: Deadline) -> Result<(), Broken> {
    let feeds = seen.engine.phase() == Phase::Running && !seen.engine.is_paused();
    let allowed = match (seen.engine.phase(), deadline.why) {
        (Phase::Stopped, _) => false,
        (_, Wake::Expiry) if seen.holds_expiry => false,
        (Phase::Running | Phase::Draining, Wake::RunDeadline | Wake::Expiry) => true,
        (phase, Wake::RetryDue) => phase == Phase::Running,
        (Phase::Running | Phase::Draining, Wake::StuckTicket | Wake::MarkerOverdue | Wake::FeedBlocked) => feeds,
    };
    if allowed { Ok(()) } else { broken(format!("{deadline:?} in phase {:?}", seen.engine.phase())) }
}

/// A sweep that was not cut leaves nothing that is due.
fn judge_spin(seen: &Observation<'_>, deadline: Deadline) -> Result<(), Broken> {
    let Answer::Swept(swept) = seen.answer else { return Ok(()) };
    let handled = swept.retries_due + swept.expired_runs + swept.forgotten;
    let cut = handled as usize >= seen.config.sweep_batch.get();
    match cut || deadline.at > seen.now {
        true => Ok(()),
        false => broken(format!("after a sweep at {} the next is wanted at {deadline:?}", seen.now)),
    }
}

/// Whatever waits for time has a wake-up no later than that time.
fn judge_missing(
    expected: &ReferenceState,
    seen: &Observation<'_>,
    deadline: Option<Deadline>,
    test: Option<Timestamp>,
) -> Result<(), Broken> {
    let (gauges, phase) = (seen.gauges, seen.engine.phase());
    let feeds = phase == Phase::Running && !seen.engine.is_paused();
    let waits = match phase {
        Phase::Running => gauges.inflight + gauges.delayed > 0 || (feeds && gauges.queued + gauges.line > 0),
        Phase::Draining => gauges.inflight > 0,
        Phase::Stopped => false,
    };
    let test = test.filter(|_| feeds);
    let overflow = overflow(expected, seen);
    let latest = [first_due(expected, seen), test, overflow].into_iter().flatten().min();
    match (deadline, latest) {
        (None, _) if waits => broken(format!("nothing is to wake it, but {gauges:?}")),
        (None, Some(latest)) => broken(format!("something is due at {latest}, but nothing is to wake it")),
        (Some(deadline), Some(latest)) if deadline.at > latest.max(seen.now) => {
            broken(format!("something is due at {latest}, but it wants to be woken at {deadline:?}"))
        }
        _ => Ok(()),
    }
}

/// The oldest failed events are to be dropped at once when there are more than are kept.
fn overflow(expected: &ReferenceState, seen: &Observation<'_>) -> Option<Timestamp> {
    let sweeps = seen.engine.phase() != Phase::Stopped && !seen.holds_expiry;
    (sweeps && expected.drops_oldest() && expected.has_failed_overflow()).then_some(seen.now)
}

/// Returns when the first thing that is ahead becomes due. Looked for only now and then: it takes a recount.
fn first_due(expected: &ReferenceState, seen: &Observation<'_>) -> Option<Timestamp> {
    let phase = seen.engine.phase();
    if phase == Phase::Stopped || !seen.step.is_multiple_of(16) {
        return None;
    }
    let due = |record: &ReferenceRecord| match record.stage {
        Lifecycle::Received(at) | Lifecycle::FailedRetry(at) => {
            (phase == Phase::Running).then_some(at).filter(|at| *at > seen.now)
        }
        Lifecycle::Processing { started_at, .. } => {
            Some(started_at + EventLimits::of(seen.config, record.event.event_type()).run_lifetime)
        }
        Lifecycle::Completed(_) | Lifecycle::Failed(_) | Lifecycle::Discarded(_) => None,
    };
    let soonest = expected.all().filter_map(|(_, record)| due(record)).min();
    let expiry = [true, false].into_iter().filter(|_| !seen.holds_expiry).filter_map(|whole| expected.first_end(whole));
    soonest.into_iter().chain(expiry).min()
}

fn broken(what: String) -> Result<(), Broken> {
    Err(Broken::new(ORACLE, 1, what))
}
