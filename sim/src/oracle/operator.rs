//! P1: operators get what they ask for, or are refused for a reason.

use eventful::{Answer, Change, Phase, Refusal, Status};

use super::{Said, Seen};
use crate::failure::{Broken, holds};
use crate::spec::Book;

/// Judged before the facts of the step are taken in.
pub(super) fn judge(book: &Book, seen: &Seen<'_>) -> Result<(), Broken> {
    let stopped = Answer::Refused(Refusal::ShuttingDown);
    let has_stopped = seen.engine.phase() == Phase::Stopped;
    // The answer that is due, and whether something is to change.
    let (due, changes) = match seen.said {
        Said::Redrive(event) => match book.present(event, seen.now).map(|record| record.status()) {
            None => (Answer::NotFound, false),
            Some(Status::Failed) if seen.engine.phase() != Phase::Running => (stopped, false),
            // A bound may stand against it, which is judged with those of submissions.
            Some(Status::Failed) if matches!(seen.answer, Answer::Refused(_)) => (seen.answer.clone(), false),
            Some(Status::Failed) => (Answer::Noted, true),
            Some(status) => (Answer::NotFailed(status), false),
        },
        Said::Discard(_) | Said::Pause | Said::Resume if has_stopped => (stopped, false),
        Said::Discard(event) => match book.present(event, seen.now).map(|record| record.status()) {
            None => (Answer::NotFound, false),
            Some(Status::Completed) => (Answer::TooLate, false),
            Some(status) => (Answer::Noted, status != Status::Discarded),
        },
        Said::Pause => (Answer::Noted, !book.paused),
        Said::Resume => (Answer::Noted, book.paused),
        Said::Shutdown | Said::AbortInflight | Said::HoldExpiry | Said::ReleaseExpiry => {
            return judge_answer(seen, &Answer::Noted);
        }
        Said::Submit { .. }
        | Said::Reject(_)
        | Said::Start(_)
        | Said::Settle(..)
        | Said::Heartbeat(_)
        | Said::EnqueueFailed(..)
        | Said::ChannelLost
        | Said::Sweep
        | Said::Open => return Ok(()),
    };
    judge_answer(seen, &due)?;
    let changed: Vec<_> = seen.facts.iter().map(|fact| &fact.change).collect();
    let is_due = match changed[..] {
        [] => !changes,
        [change] => changes && carries_out(seen, change),
        _ => false,
    };
    holds(is_due, || broken(format_args!("{:?} changes {changed:?}, and a change is due: {changes}", seen.said)))
}

fn judge_answer(seen: &Seen<'_>, due: &Answer) -> Result<(), Broken> {
    holds(seen.answer == due, || broken(format_args!("{:?} is answered {:?}, due is {due:?}", seen.said, seen.answer)))
}

/// Whether a change is what was asked for.
fn carries_out(seen: &Seen<'_>, change: &Change) -> bool {
    match (seen.said, change) {
        (Said::Redrive(event), Change::Redriven(key)) | (Said::Discard(event), Change::Discarded(key)) => {
            seen.roster.number(key) == Some(event)
        }
        (Said::Pause, Change::Paused) | (Said::Resume, Change::Resumed) => true,
        _ => false,
    }
}

fn broken(what: impl std::fmt::Display) -> Broken {
    Broken::new("operator", 1, what)
}
