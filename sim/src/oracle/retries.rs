//! P8: attempts are bounded, and waits lie within their limits.

use std::time::Duration;

use eventful::engine::facts::{AttemptEnd, Change, Fact};

use super::{CommandSummary, Observation, OutcomeSummary, follow_ups};
use crate::failure::{Broken, holds};
use crate::spec::{Cause, EventLimits, ReferenceState, Ruling};

pub(super) fn judge(expected: &ReferenceState, seen: &Observation<'_>, fact: &Fact) -> Result<(), Broken> {
    let Change::Finished { key, end, error, next, charge, .. } = &fact.change else { return Ok(()) };
    let Some(record) = seen.key_table.number(key).and_then(|event| expected.record(event)) else { return Ok(()) };
    let limits = EventLimits::of(seen.config, record.event.event_type());
    let ruling = Ruling::of(seen.config, &limits, record.charge, seen.now, cause(expected, seen));
    let is_explained = error.is_some() || *end == AttemptEnd::Done || is_plain_snooze(seen.said);
    holds(is_explained && ruling.allows(&limits, seen.now, *end, *charge, *next), || {
        let what =
            format_args!("after {:?} of {record:?} the change must be {ruling:?}, not {:?}", seen.said, fact.change);
        Broken::new("retries", 8, what)
    })
}

/// Returns the cause of the end of a run that this command ends.
fn cause(expected: &ReferenceState, seen: &Observation<'_>) -> Cause {
    match seen.said {
        CommandSummary::Settle(_, OutcomeSummary::DoneWith { .. }) => follow_ups::cause(expected, seen),
        CommandSummary::Settle(_, OutcomeSummary::Done) => Cause::Done,
        CommandSummary::Settle(_, OutcomeSummary::Permanent) => Cause::Permanent,
        CommandSummary::Settle(_, OutcomeSummary::Retry { after }) => {
            Cause::Retry { after: after.unwrap_or(Duration::ZERO) }
        }
        CommandSummary::Settle(_, OutcomeSummary::Crashed) => Cause::Crashed,
        CommandSummary::Settle(_, OutcomeSummary::Snooze { delay, .. }) => Cause::Snooze { delay },
        CommandSummary::AbortInflight | CommandSummary::Settle(_, OutcomeSummary::NotCalled) => Cause::Interrupted,
        // Every run that was in flight when the process died is charged.
        CommandSummary::Open => Cause::Crashed,
        // Only a sweep ends a run besides, and only past its deadline.
        CommandSummary::Sweep
        | CommandSummary::Submit { .. }
        | CommandSummary::Reject(_)
        | CommandSummary::Start(_)
        | CommandSummary::Heartbeat(_)
        | CommandSummary::EnqueueFailed(..)
        | CommandSummary::ChannelLost
        | CommandSummary::Redrive(_)
        | CommandSummary::Discard(_)
        | CommandSummary::Pause
        | CommandSummary::PauseGroup { .. }
        | CommandSummary::Resume
        | CommandSummary::SetSchedules
        | CommandSummary::Tick
        | CommandSummary::HoldExpiry
        | CommandSummary::ReleaseExpiry
        | CommandSummary::Shutdown => Cause::TimedOut,
    }
}

/// Returns whether a handler asks for a later call without a reason.
const fn is_plain_snooze(said: CommandSummary) -> bool {
    matches!(said, CommandSummary::Settle(_, OutcomeSummary::Snooze { has_reason: false, .. }))
}
