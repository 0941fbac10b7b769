//! P8: attempts are bounded, and waits lie within their limits.

use std::time::Duration;

use eventful::{AttemptEnd, Change, Charge, Config, Fact, Next, Timestamp};

use super::{Said, Seen, Told};
use crate::failure::Broken;
use crate::spec::{Book, Record, backoff};

/// What may become of a run that ends.
#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    end: AttemptEnd,
    next: Fate,
    charge: Charge,
}

#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Completed,
    Failed,
    /// Another attempt, not before the first and not after the second.
    Again(Timestamp, Timestamp),
}

pub(super) fn judge(book: &Book, seen: &Seen<'_>, fact: &Fact) -> Result<(), Broken> {
    let Change::Finished { key, end, error, next, charge, .. } = &fact.change else { return Ok(()) };
    let Some(record) = seen.roster.number(key).and_then(|event| book.record(event)) else { return Ok(()) };
    let verdict = verdict(record, seen);
    let fits = match (&verdict.next, next) {
        (Fate::Completed, Next::Completed) | (Fate::Failed, Next::Failed) => true,
        (Fate::Again(least, most), Next::Retry { eligible_at }) => (least..=most).contains(&eligible_at),
        (Fate::Completed | Fate::Failed | Fate::Again(..), _) => false,
    };
    let explained = error.is_some() || *end == AttemptEnd::Done || is_plain_snooze(seen.said);
    match fits && (verdict.end, verdict.charge) == (*end, *charge) && explained {
        true => Ok(()),
        false => {
            let what = format!("after {:?} of {record:?} {verdict:?} is due, not {:?}", seen.said, fact.change);
            Err(Broken::new("retries", 8, what))
        }
    }
}

fn verdict(record: &Record, seen: &Seen<'_>) -> Verdict {
    let (config, now, charge) = (seen.config, seen.now, record.charge);
    let again = |end, floor| again(charge, config, now, end, floor);
    match seen.said {
        Said::Settle(_, Told::Done) => Verdict { end: AttemptEnd::Done, next: Fate::Completed, charge },
        Said::Settle(_, Told::Permanent) => Verdict { end: AttemptEnd::Failed, next: Fate::Failed, charge },
        Said::Settle(_, Told::Retry { after }) => {
            again(AttemptEnd::Retry, after.unwrap_or_default().min(config.max_retry_after))
        }
        Said::Settle(_, Told::Crashed) => again(AttemptEnd::Crashed, Duration::ZERO),
        Said::Settle(_, Told::Snooze { delay, .. }) if charge.snoozes < config.max_snoozes => {
            let at = now + delay.min(config.max_snooze);
            let charge = Charge { charged: charge.charged - 1, snoozes: charge.snoozes + 1, ..charge };
            Verdict { end: AttemptEnd::Snoozed, next: Fate::Again(at, at), charge }
        }
        Said::Settle(_, Told::Snooze { .. }) => again(AttemptEnd::Retry, Duration::ZERO),
        Said::AbortInflight if charge.refunds < config.max_refunds => {
            let charge = Charge { charged: charge.charged - 1, refunds: charge.refunds + 1, ..charge };
            Verdict { end: AttemptEnd::Interrupted, next: Fate::Again(now, now), charge }
        }
        Said::AbortInflight => again(AttemptEnd::Interrupted, Duration::ZERO),
        // Whoever had a run when the process died is charged for it.
        Said::Open => again(AttemptEnd::Crashed, Duration::ZERO),
        // Nothing else ends a run but a sweep, and that only past its deadline.
        Said::Sweep
        | Said::Submit { .. }
        | Said::Reject { .. }
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
        | Said::Shutdown
        | Said::RejectForDisk => again(AttemptEnd::TimedOut, Duration::ZERO),
    }
}

/// Whether a handler asks to be called later and has no reason to give.
const fn is_plain_snooze(said: Said) -> bool {
    matches!(said, Said::Settle(_, Told::Snooze { has_reason: false, .. }))
}

/// Another attempt after the backoff and not before the floor, or none when all are charged.
fn again(charge: Charge, config: &Config, now: Timestamp, end: AttemptEnd, floor: Duration) -> Verdict {
    if charge.charged >= config.max_attempts {
        let end = if end == AttemptEnd::Retry { AttemptEnd::Failed } else { end };
        return Verdict { end, next: Fate::Failed, charge };
    }
    let (least, most) = backoff(config, charge.charged).into_inner();
    Verdict { end, next: Fate::Again(now + least.max(floor), now + most.max(floor)), charge }
}
