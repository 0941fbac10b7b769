//! P1: no failed event ends without a word. Each that is forgotten is reported, once, with its reason.

use eventful::{DropReason, DroppedFailure, Status};

use super::Seen;
use crate::failure::{Broken, holds};
use crate::spec::{Book, Lifecycle};

/// Judged after the facts of the step were taken in. `before`: failed events that were forgotten
/// before it.
pub(super) fn judge(book: &Book, seen: &Seen<'_>, before: u64) -> Result<(), Broken> {
    let forgotten = book.counts.forgotten[Status::Failed as usize] - before;
    let sound = seen.dropped.iter().all(|dropped| is_gone(book, seen, dropped) && has_reason(book, seen, dropped));
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
pub(super) fn judge_records(book: &Book, seen: &Seen<'_>) -> Result<(), Broken> {
    for dropped in seen.dropped {
        let known = seen.roster.number(&dropped.key).and_then(|event| book.record(event));
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

/// It may have been accepted again by the same command.
fn is_gone(book: &Book, seen: &Seen<'_>, dropped: &DroppedFailure) -> bool {
    let event = seen.roster.number(&dropped.key);
    event.is_some_and(|event| book.record(event).is_none_or(|record| record.status() != Status::Failed))
}

fn has_reason(book: &Book, seen: &Seen<'_>, dropped: &DroppedFailure) -> bool {
    let is_over = book.is_expired(Lifecycle::Failed(dropped.failed_at), seen.now);
    match dropped.why == DropReason::Expired {
        true => is_over,
        false => !is_over && book.drops_oldest(),
    }
}
