//! P8: attempts are bounded, and waits lie within their limits.

use std::time::Duration;

use eventful::{AttemptEnd, Change, Fact};

use super::{OutcomeSummary, Said, Seen};
use crate::failure::{Broken, holds};
use crate::spec::{Book, Cause, Ruling};

pub(super) fn judge(book: &Book, seen: &Seen<'_>, fact: &Fact) -> Result<(), Broken> {
    let Change::Finished { key, end, error, next, charge, .. } = &fact.change else { return Ok(()) };
    let Some(record) = seen.roster.number(key).and_then(|event| book.record(event)) else { return Ok(()) };
    let ruling = Ruling::of(seen.config, record.charge, seen.now, cause(seen.said));
    let is_explained = error.is_some() || *end == AttemptEnd::Done || is_plain_snooze(seen.said);
    holds(is_explained && ruling.allows(seen.config, seen.now, *end, *charge, *next), || {
        let what = format_args!("after {:?} of {record:?} {ruling:?} is due, not {:?}", seen.said, fact.change);
        Broken::new("retries", 8, what)
    })
}

/// Why a run ends that this command ends.
fn cause(said: Said) -> Cause {
    match said {
        Said::Settle(_, OutcomeSummary::Done) => Cause::Done,
        Said::Settle(_, OutcomeSummary::Permanent) => Cause::Permanent,
        Said::Settle(_, OutcomeSummary::Retry { after }) => Cause::Retry { after: after.unwrap_or(Duration::ZERO) },
        Said::Settle(_, OutcomeSummary::Crashed) => Cause::Crashed,
        Said::Settle(_, OutcomeSummary::Snooze { delay, .. }) => Cause::Snooze { delay },
        Said::AbortInflight | Said::Settle(_, OutcomeSummary::NotCalled) => Cause::Interrupted,
        // Whoever had a run when the process died is charged for it.
        Said::Open => Cause::Crashed,
        // Nothing else ends a run but a sweep, and that only past its deadline.
        Said::Sweep
        | Said::Submit { .. }
        | Said::Reject(_)
        | Said::Start(_)
        | Said::Heartbeat(_)
        | Said::EnqueueFailed(..)
        | Said::ChannelLost
        | Said::Redrive(_)
        | Said::Discard(_)
        | Said::Pause
        | Said::Resume
        | Said::HoldExpiry
        | Said::ReleaseExpiry
        | Said::Shutdown => Cause::TimedOut,
    }
}

/// Whether a handler asks to be called later and has no reason to give.
const fn is_plain_snooze(said: Said) -> bool {
    matches!(said, Said::Settle(_, OutcomeSummary::Snooze { has_reason: false, .. }))
}
