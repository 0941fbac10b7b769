//! The effect of the end of an attempt on its event.

use std::time::Duration;

use eventful::{
    Config, Timestamp,
    engine::{
        ErrorText, RunId,
        facts::{AfterRun, AttemptEnd, Charge},
    },
};

use super::reference_state::broken;
use super::{EventLimits, ReferenceRecord};
use crate::failure::{Broken, holds};

/// The reason for which a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The handler succeeded.
    Done,
    /// The handler reported a permanent error.
    Permanent,
    /// The handler failed, and asks for a wait.
    Retry {
        /// The wait; zero if it asks for none.
        after: Duration,
    },
    /// The handler asks to be called later.
    Snooze {
        /// The time until then.
        delay: Duration,
    },
    /// The handler panicked, or its worker or the process died.
    Crashed,
    /// Its deadline passed.
    TimedOut,
    /// Shutdown ends it, or its worker died before it called the handler.
    Interrupted,
}

/// The effect of the end of a run on its event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ruling {
    /// The way in which the attempt counts.
    pub end: AttemptEnd,
    /// The charge of the event.
    pub charge: Charge,
    /// The fate of the event.
    pub next: RunFate,
}

/// The fate of an event when a run of it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunFate {
    /// The event is completed.
    Completed,
    /// The event has failed.
    Failed,
    /// The event may start again at that time.
    At(Timestamp),
    /// The event may start again after the backoff of its attempts.
    AfterBackoff {
        /// The least wait.
        floor: Duration,
    },
}

impl Ruling {
    /// Returns the ruling at `now` on the end of a run of an event with this charge.
    pub fn of(config: &Config, limits: &EventLimits, charge: Charge, now: Timestamp, cause: Cause) -> Self {
        // A start that is given back does not count as an attempt.
        let given_back = Charge { charged: charge.charged.saturating_sub(1), ..charge };
        match cause {
            Cause::Done => Self { end: AttemptEnd::Done, charge, next: RunFate::Completed },
            Cause::Permanent => Self { end: AttemptEnd::Failed, charge, next: RunFate::Failed },
            Cause::Snooze { delay } if charge.snoozes < config.max_snoozes => {
                let charge = Charge { snoozes: charge.snoozes + 1, ..given_back };
                Self { end: AttemptEnd::Snoozed, charge, next: RunFate::At(now + delay.min(config.max_snooze)) }
            }
            Cause::Interrupted if charge.refunds < config.max_refunds => {
                let charge = Charge { refunds: charge.refunds + 1, ..given_back };
                Self { end: AttemptEnd::Interrupted, charge, next: RunFate::At(now) }
            }
            Cause::Retry { after } => Self::again(limits, charge, AttemptEnd::Retry, after.min(config.max_retry_after)),
            Cause::Snooze { .. } => Self::again(limits, charge, AttemptEnd::Retry, Duration::ZERO),
            Cause::Interrupted => Self::again(limits, charge, AttemptEnd::Interrupted, Duration::ZERO),
            Cause::Crashed => Self::again(limits, charge, AttemptEnd::Crashed, Duration::ZERO),
            Cause::TimedOut => Self::again(limits, charge, AttemptEnd::TimedOut, Duration::ZERO),
        }
    }

    /// Returns another attempt after the backoff and not before the floor, or a failure if all are charged.
    fn again(limits: &EventLimits, charge: Charge, end: AttemptEnd, floor: Duration) -> Self {
        if charge.charged < limits.max_attempts {
            return Self { end, charge, next: RunFate::AfterBackoff { floor } };
        }
        // Crashes and timeouts keep their own name, so that operators see why the event failed.
        let end = if end == AttemptEnd::Retry { AttemptEnd::Failed } else { end };
        Self { end, charge, next: RunFate::Failed }
    }

    /// Returns whether a fact of that time is the ruling. Of a backoff only its bounds are checked.
    pub fn allows(
        &self,
        limits: &EventLimits,
        now: Timestamp,
        end: AttemptEnd,
        charge: Charge,
        next: AfterRun,
    ) -> bool {
        let is_next = match (self.next, next) {
            (RunFate::Completed, AfterRun::Completed) | (RunFate::Failed, AfterRun::Failed) => true,
            (RunFate::At(at), AfterRun::Retry { eligible_at }) => eligible_at == at,
            (RunFate::AfterBackoff { floor }, AfterRun::Retry { eligible_at }) => {
                let (least, most) = backoff(limits, charge.charged);
                (now + least.max(floor)..=now + most.max(floor)).contains(&eligible_at)
            }
            (RunFate::Completed | RunFate::Failed | RunFate::At(_) | RunFate::AfterBackoff { .. }, _) => false,
        };
        is_next && (self.end, self.charge) == (end, charge)
    }
}

/// The end of a run, as a fact has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct RunEnding<'f> {
    pub(super) run: RunId,
    pub(super) end: AttemptEnd,
    pub(super) next: AfterRun,
    pub(super) charge: Charge,
    pub(super) error: Option<&'f ErrorText>,
}

/// Checks that this end of its run may follow, at `now`: some cause must explain it.
pub(super) fn judge(
    config: &Config,
    record: &ReferenceRecord,
    now: Timestamp,
    ended: &RunEnding<'_>,
) -> Result<(), Broken> {
    let RunEnding { run, end, next, charge, error } = *ended;
    let key = record.event.key();
    holds(record.stage.run().is_some_and(|(current, _)| current == run), || {
        broken(4, format_args!("{run} of {key} ended, but its stage is {:?}", record.stage))
    })?;
    holds((end == AttemptEnd::Done) == (next == AfterRun::Completed), || {
        broken(4, format_args!("{run} of {key} ended as {end}, which cannot lead to {next:?}"))
    })?;
    let limits = EventLimits::of(config, record.event.event_type());
    let explains =
        |cause: Cause| Ruling::of(config, &limits, record.charge, now, cause).allows(&limits, now, end, charge, next);
    holds(causes(end, next, now).into_iter().flatten().any(explains), || {
        let before = record.charge;
        broken(
            8,
            format_args!(
                "{run} of {key} with the charge {before:?} ended as {end} at {now}, which cannot lead to {charge:?} and {next:?}"
            ),
        )
    })?;
    holds(error.is_some() || matches!(end, AttemptEnd::Done | AttemptEnd::Snoozed), || {
        broken(1, format_args!("{run} of {key} ended as {end} without an error"))
    })
}

/// Returns the possible causes of an end. The wait that a handler asked for is taken from the result.
fn causes(end: AttemptEnd, next: AfterRun, now: Timestamp) -> [Option<Cause>; 2] {
    let wait = if let AfterRun::Retry { eligible_at } = next { eligible_at.since(now) } else { Duration::ZERO };
    let retry = Some(Cause::Retry { after: Duration::ZERO });
    match end {
        AttemptEnd::Done => [Some(Cause::Done), None],
        AttemptEnd::Retry => [retry, Some(Cause::Retry { after: wait })],
        AttemptEnd::Failed => [retry, Some(Cause::Permanent)],
        AttemptEnd::Snoozed => [Some(Cause::Snooze { delay: wait }), None],
        AttemptEnd::Crashed => [Some(Cause::Crashed), None],
        AttemptEnd::TimedOut => [Some(Cause::TimedOut), None],
        AttemptEnd::Interrupted => [Some(Cause::Interrupted), None],
        // A discard has a fact of its own.
        AttemptEnd::Discarded => [None, None],
    }
}

/// Returns the shortest and the longest wait after this many charged attempts.
fn backoff(config: &EventLimits, charged: u32) -> (Duration, Duration) {
    let mut most = config.backoff.base;
    for _ in 1..charged {
        // Avoids an overflow after many attempts.
        if most >= config.backoff.cap {
            break;
        }
        most = most.saturating_mul(2);
    }
    let most = most.min(config.backoff.cap);
    let micros = most.as_micros() * u128::from(100 - config.backoff.jitter_percent) / 100;
    (Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX)), most)
}
