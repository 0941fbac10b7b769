//! P1: no failed event ends without a word. Each that is forgotten is reported, once, with its reason.

use eventful::{DropReason, DroppedFailure, FailedOverflow, Status};

use super::{Book, Seen, Stage};
use crate::failure::Broken;

/// Judged after the facts of the step were taken in. `before`: failed events that were forgotten
/// before it.
pub(super) fn judge(book: &Book, seen: &Seen<'_>, before: u64) -> Result<(), Broken> {
    let forgotten = book.forgotten[Status::Failed as usize] - before;
    let sound = seen.dropped.iter().all(|dropped| is_gone(book, seen, dropped) && has_reason(book, seen, dropped));
    match sound && forgotten == seen.dropped.len() as u64 {
        true => Ok(()),
        false => {
            let what = format!("{forgotten} failed events are forgotten, and reported are {:?}", seen.dropped);
            Err(Broken::new("dropped", 1, what))
        }
    }
}

/// It may have been accepted again by the same command.
fn is_gone(book: &Book, seen: &Seen<'_>, dropped: &DroppedFailure) -> bool {
    let event = seen.roster.number(&dropped.key);
    event.is_some_and(|event| book.known(event).is_none_or(|known| known.stage.status() != Status::Failed))
}

fn has_reason(book: &Book, seen: &Seen<'_>, dropped: &DroppedFailure) -> bool {
    let end = book.forgets_at(Stage::Failed(dropped.failed_at), seen.config);
    let is_over = end.is_some_and(|end| end <= seen.now);
    match dropped.why == DropReason::Expired {
        true => is_over,
        false => !is_over && seen.config.failed_overflow == FailedOverflow::DropOldest,
    }
}
