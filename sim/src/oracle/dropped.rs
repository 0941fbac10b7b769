//! P1: every failed event that is forgotten is reported, once, with its reason.

use eventful::{
    Status,
    engine::{DropReason, DroppedFailure},
};

use super::Observation;
use crate::failure::{Broken, holds};
use crate::spec::{Lifecycle, ReferenceState};

/// Checks the reports of a step, after its facts were applied. `before`: the number of failed events forgotten before
/// it.
pub(super) fn judge(expected: &ReferenceState, seen: &Observation<'_>, before: u64) -> Result<(), Broken> {
    let forgotten = expected.counts.forgotten[Status::Failed as usize] - before;
    let sound =
        seen.dropped.iter().all(|dropped| is_gone(expected, seen, dropped) && has_reason(expected, seen, dropped));
    match sound && forgotten == seen.dropped.len() as u64 {
        true => Ok(()),
        false => {
            let what = format!("{forgotten} failed events were forgotten, but the reports are {:?}", seen.dropped);
            Err(Broken::new("dropped", 1, what))
        }
    }
}

/// Checks that the reports have the data of their records. Must be called before the facts of the step are applied:
/// the record of an event that fails in the step is not there yet.
pub(super) fn judge_records(expected: &ReferenceState, seen: &Observation<'_>) -> Result<(), Broken> {
    for dropped in seen.dropped {
        let known = seen.key_table.number(&dropped.key).and_then(|event| expected.record(event));
        let Some((failed_at, record)) = known.and_then(|record| match record.stage {
            Lifecycle::Failed(at) => Some((at, record)),
            Lifecycle::Received(_)
            | Lifecycle::Processing { .. }
            | Lifecycle::FailedRetry(_)
            | Lifecycle::Completed(_)
            | Lifecycle::Discarded(_) => None,
        }) else {
            continue;
        };
        let shown = (dropped.failed_at, dropped.attempt, &dropped.error);
        holds(shown == (failed_at, record.attempt, &record.last_error), || {
            Broken::new("dropped", 1, format_args!("the report {dropped:?} differs from {record:?}"))
        })?;
    }
    Ok(())
}

/// Returns whether the failed record is gone. The event may have been accepted again by the same command.
fn is_gone(expected: &ReferenceState, seen: &Observation<'_>, dropped: &DroppedFailure) -> bool {
    let event = seen.key_table.number(&dropped.key);
    event.is_some_and(|event| expected.record(event).is_none_or(|record| record.status() != Status::Failed))
}

fn has_reason(expected: &ReferenceState, seen: &Observation<'_>, dropped: &DroppedFailure) -> bool {
    let is_expired = expected.is_expired(Lifecycle::Failed(dropped.failed_at), seen.now);
    match dropped.why == DropReason::Expired {
        true => is_expired,
        false => !is_expired && expected.drops_oldest(),
    }
}
