//! P1: calls of operators do what they ask for, or are refused for a reason.

use eventful::{
    Status,
    engine::{Answer, Phase, Refusal, facts::Change},
};

use super::{CommandSummary, Observation};
use crate::failure::{Broken, holds};
use crate::spec::ReferenceState;

/// Checks an operator's command. Must be called before the facts of the step are applied.
pub(super) fn judge(expected: &ReferenceState, seen: &Observation<'_>) -> Result<(), Broken> {
    let stopped = Answer::Refused(Refusal::ShuttingDown);
    let has_stopped = seen.engine.phase() == Phase::Stopped;
    // The expected result, and whether a change is expected.
    let (due, changes) = match seen.said {
        CommandSummary::Redrive(event) => match expected.present(event, seen.now).map(|record| record.status()) {
            None => (Answer::NotFound, false),
            Some(Status::Failed) if seen.engine.phase() != Phase::Running => (stopped, false),
            // A bound may refuse it, which is checked with those of submissions.
            Some(Status::Failed) if matches!(seen.answer, Answer::Refused(_)) => (seen.answer.clone(), false),
            Some(Status::Failed) => (Answer::Noted, true),
            Some(status) => (Answer::NotFailed(status), false),
        },
        CommandSummary::Discard(_)
        | CommandSummary::Pause
        | CommandSummary::Resume
        | CommandSummary::PauseGroup { .. }
            if has_stopped =>
        {
            (stopped, false)
        }
        CommandSummary::Discard(event) => match expected.present(event, seen.now).map(|record| record.status()) {
            None => (Answer::NotFound, false),
            Some(Status::Completed) => (Answer::TooLate, false),
            Some(status) => (Answer::Noted, status != Status::Discarded),
        },
        CommandSummary::Pause => (Answer::Noted, !expected.paused),
        CommandSummary::Resume => (Answer::Noted, expected.paused),
        // Whether it changes anything is checked with its fact.
        CommandSummary::PauseGroup { .. } => (Answer::Noted, !seen.facts.is_empty()),
        CommandSummary::Shutdown
        | CommandSummary::AbortInflight
        | CommandSummary::HoldExpiry
        | CommandSummary::ReleaseExpiry => {
            return judge_answer(seen, &Answer::Noted);
        }
        CommandSummary::Submit { .. }
        | CommandSummary::Reject(_)
        | CommandSummary::Start(_)
        | CommandSummary::Settle(..)
        | CommandSummary::Heartbeat(_)
        | CommandSummary::EnqueueFailed(..)
        | CommandSummary::ChannelLost
        | CommandSummary::Sweep
        | CommandSummary::SetSchedules
        | CommandSummary::Tick
        | CommandSummary::Open => return Ok(()),
    };
    judge_answer(seen, &due)?;
    let changed: Vec<_> = seen.facts.iter().map(|fact| &fact.change).collect();
    let is_due = match changed[..] {
        [] => !changes,
        [change] => changes && carries_out(seen, change),
        _ => false,
    };
    holds(is_due, || broken(format_args!("{:?} changes {changed:?}, but a change is expected: {changes}", seen.said)))
}

fn judge_answer(seen: &Observation<'_>, due: &Answer) -> Result<(), Broken> {
    holds(seen.answer == due, || broken(format_args!("{:?} returned {:?}, expected {due:?}", seen.said, seen.answer)))
}

/// Returns whether a change is the one that was asked for.
fn carries_out(seen: &Observation<'_>, change: &Change) -> bool {
    match (seen.said, change) {
        (CommandSummary::Redrive(event), Change::Redriven(key))
        | (CommandSummary::Discard(event), Change::Discarded(key)) => seen.key_table.number(key) == Some(event),
        (CommandSummary::PauseGroup { paused: asked }, Change::GroupPaused { paused, .. }) => asked == *paused,
        (CommandSummary::Pause, Change::Paused) | (CommandSummary::Resume, Change::Resumed) => true,
        _ => false,
    }
}

fn broken(what: impl std::fmt::Display) -> Broken {
    Broken::new("operator", 1, what)
}
