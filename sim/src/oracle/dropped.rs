//! P1: no failed event ends without a word. Each that is forgotten is reported, once, with its reason.

use eventful::{
    Status,
    engine::{DropReason, DroppedFailure},
};

use super::Observation;
use crate::failure::{Broken, holds};
use crate::spec::{Lifecycle, ReferenceState};

/// Judged after the facts of the step were taken in. `before`: failed events that were forgotten
/// before it.
pub(super) fn judge(expected: &ReferenceState, seen: &Observation<'_>, before: u64) -> Result<(), Broken> {
    let forgotten = expected.counts.forgotten[Status::Failed as usize] - before;
    let sound =
        seen.dropped.iter().all(|dropped| is_gone(expected, seen, dropped) && has_reason(expected, seen, dropped));
    match sound && forgotten == seen.dropped.len() as u64 {
        true => Ok(()),
        false => {
            let what = format!("{forgotten} failed events are forgotten, and reported are {:?}", seen.dropped);
            Err(Broken::new("dropped", 1, what))
        }
    }
}

/// Judges that what is reported of a failed event is what was known of it. Judged before the facts of the step are
/// taken in: an event that fails in the step is not known yet.
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
            Broken::new("dropped", 1, format_args!("reported is {dropped:?} of {record:?}"))
        })?;
    }
    Ok(())
}

/// Returns whether the event is gone, or was accepted again by the same command.
fn is_gone(expected: &ReferenceState, seen: &Observation<'_>, dropped: &DroppedFailure) -> bool {
    let event = seen.key_table.number(&dropped.key);
    event.is_some_and(|event| expected.record(event).is_none_or(|record| record.status() != Status::Failed))
}

fn has_reason(expected: &ReferenceState, seen: &Observation<'_>, dropped: &DroppedFailure) -> bool {
    let is_over = expected.is_expired(Lifecycle::Failed(dropped.failed_at), seen.now);
    match dropped.why == DropReason::Expired {
        true => is_over,
        false => !is_over && expected.drops_oldest(),
    }
}
