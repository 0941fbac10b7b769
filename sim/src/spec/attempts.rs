//! What the end of an attempt makes of its event.

use std::ops::RangeInclusive;
use std::time::Duration;

use eventful::{AttemptEnd, Charge, Config, ErrorText, Next, RunId, Timestamp};

use super::Record;
use super::book::broken;
use crate::failure::{Broken, holds};

/// The end of a run, as a fact has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended<'f> {
    pub(super) run: RunId,
    pub(super) end: AttemptEnd,
    pub(super) next: Next,
    pub(super) charge: Charge,
    pub(super) error: Option<&'f ErrorText>,
}

/// Judges that this end of its run may follow, at `now`.
pub(super) fn judge(config: &Config, record: &Record, now: Timestamp, ended: &Ended<'_>) -> Result<(), Broken> {
    let Ended { run, end, next, charge, error } = *ended;
    let key = record.event.key();
    holds(record.stage.run().is_some_and(|(current, _)| current == run), || {
        broken(4, format_args!("{run} of {key} has ended, in {:?}", record.stage))
    })?;
    holds((end == AttemptEnd::Done) == (next == Next::Completed), || {
        broken(4, format_args!("{run} of {key} has ended {end}, and then {next:?}"))
    })?;
    holds(charge == charged(config, record.charge, end), || {
        broken(8, format_args!("{run} of {key} has ended {end}, and makes {charge:?} of {:?}", record.charge))
    })?;
    holds(follows(config, record.charge, now, end, next), || {
        broken(8, format_args!("{run} of {key} has ended {end} with {charge:?} at {now}, and then {next:?}"))
    })?;
    holds(error.is_some() || matches!(end, AttemptEnd::Done | AttemptEnd::Snoozed), || {
        broken(1, format_args!("{run} of {key} has ended {end} without a reason"))
    })
}

/// What an event is charged with after its run: a snooze and an interruption are given back.
fn charged(config: &Config, before: Charge, end: AttemptEnd) -> Charge {
    match end {
        AttemptEnd::Snoozed => {
            Charge { charged: before.charged.saturating_sub(1), snoozes: before.snoozes + 1, ..before }
        }
        AttemptEnd::Interrupted if before.refunds < config.max_refunds => {
            Charge { charged: before.charged.saturating_sub(1), refunds: before.refunds + 1, ..before }
        }
        AttemptEnd::Done
        | AttemptEnd::Retry
        | AttemptEnd::Failed
        | AttemptEnd::Crashed
        | AttemptEnd::TimedOut
        | AttemptEnd::Interrupted
        | AttemptEnd::Discarded => before,
    }
}

/// Whether this may become of an event whose run has ended like this.
fn follows(config: &Config, before: Charge, now: Timestamp, end: AttemptEnd, next: Next) -> bool {
    let is_spent = before.charged >= config.max_attempts;
    let backoff = backoff(config, before.charged);
    let (least, most) = (*backoff.start(), *backoff.end());
    match (end, next) {
        (AttemptEnd::Done, Next::Completed) | (AttemptEnd::Failed, Next::Failed) => true,
        (AttemptEnd::Snoozed, Next::Retry { eligible_at }) => {
            before.snoozes < config.max_snoozes && (now..=now + config.max_snooze).contains(&eligible_at)
        }
        (AttemptEnd::Interrupted, Next::Retry { eligible_at }) if before.refunds < config.max_refunds => {
            eligible_at == now
        }
        (AttemptEnd::Retry, Next::Retry { eligible_at }) => {
            let most = most.max(config.max_retry_after);
            !is_spent && (now + least..=now + most).contains(&eligible_at)
        }
        (AttemptEnd::Crashed | AttemptEnd::TimedOut | AttemptEnd::Interrupted, Next::Retry { eligible_at }) => {
            !is_spent && (now + least..=now + most).contains(&eligible_at)
        }
        (AttemptEnd::Crashed | AttemptEnd::TimedOut, Next::Failed) => is_spent,
        (AttemptEnd::Interrupted, Next::Failed) => is_spent && before.refunds >= config.max_refunds,
        // A discard has a fact of its own.
        (
            AttemptEnd::Done
            | AttemptEnd::Retry
            | AttemptEnd::Failed
            | AttemptEnd::Snoozed
            | AttemptEnd::Discarded
            | AttemptEnd::Crashed
            | AttemptEnd::TimedOut
            | AttemptEnd::Interrupted,
            _,
        ) => false,
    }
}

/// The waits that are allowed after so many charged attempts.
pub(crate) fn backoff(config: &Config, charged: u32) -> RangeInclusive<Duration> {
    let doublings = charged.saturating_sub(1).min(20);
    let most = config.backoff.base.saturating_mul(1 << doublings).min(config.backoff.cap);
    let micros = most.as_micros() * u128::from(100 - config.backoff.jitter_percent) / 100;
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))..=most
}
