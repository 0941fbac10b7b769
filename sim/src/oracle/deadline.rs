//! P1: the engine asks to be woken for everything that waits for a time, gives the reason, and never spins.

use eventful::{
    Timestamp,
    engine::{Answer, Deadline, Phase, Wake},
};

use super::Observation;
use crate::failure::Broken;
use crate::spec::{EventLimits, Lifecycle, ReferenceRecord, ReferenceState};

const ORACLE: &str = "deadline";

/// Checks the deadline of an engine. `test`: the latest time at which the channel must be tested.
pub(super) fn judge(expected: &ReferenceState, seen: &Observation<'_>, test: Option<Timestamp>) -> Result<(), Broken> {
    let deadline = seen.deadline;
    if let Some(deadline) = deadline {
        judge_reason(seen, deadline)?;
        judge_spin(seen, deadline)?;
    }
    judge_missing(expected, seen, deadline, test)
}

/// Checks that the reason is one that the phase allows.
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

/// Checks that a sweep that was not cut short leaves nothing that is due.
fn judge_spin(seen: &Observation<'_>, deadline: Deadline) -> Result<(), Broken> {
    let Answer::Swept(swept) = seen.answer else { return Ok(()) };
    let handled = swept.retries_due + swept.expired_runs + swept.forgotten;
    // After a sweep that was cut short more work may be due.
    let cut = handled as usize >= seen.config.sweep_batch.get();
    match cut || deadline.at > seen.now {
        true => Ok(()),
        false => {
            broken(format!("after a sweep at {} the engine asks for the next at {deadline:?}, which is due", seen.now))
        }
    }
}

/// Checks that there is a wake-up no later than the first time that is waited for.
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
        (None, _) if waits => broken(format!("the engine asks for no wake-up, but has {gauges:?}")),
        (None, Some(latest)) => broken(format!("the engine asks for no wake-up, but work is due at {latest}")),
        (Some(deadline), Some(latest)) if deadline.at > latest.max(seen.now) => {
            broken(format!("the engine asks to be woken at {deadline:?}, but work is due at {latest}"))
        }
        _ => Ok(()),
    }
}

/// Returns the time now if failed events exceed their bound, as the oldest are dropped at once.
fn overflow(expected: &ReferenceState, seen: &Observation<'_>) -> Option<Timestamp> {
    let sweeps = seen.engine.phase() != Phase::Stopped && !seen.holds_expiry;
    (sweeps && expected.drops_oldest() && expected.has_failed_overflow()).then_some(seen.now)
}

/// Returns the time at which the first delayed work becomes due. Computed only now and then, as it takes a recount.
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
