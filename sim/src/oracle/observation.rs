//! The view of oracles on a step.

use std::time::Duration;

use eventful::{
    Config, Digest, Event, Timestamp,
    engine::{
        Answer, Command, Deadline, DroppedFailure, Effect, Engine, EnqueueFailure, Outcome, RunId, Ticket, facts::Fact,
    },
    metrics::{Gauges, RejectReason},
};

use crate::key_table::KeyTable;
use crate::scenario::EventNumber;
use crate::spec::event_bytes;

/// One step, as an outsider sees it.
#[derive(Debug, Clone, Copy)]
pub struct Observation<'a> {
    /// The number of the step, among those that were checked.
    pub step: u32,
    /// The latest time that the engine was ever given, this one included.
    pub now: Timestamp,
    /// The command.
    pub said: CommandSummary,
    /// The follow-ups with which the command ends a run.
    pub then: &'a [Event],
    /// The result.
    pub answer: &'a Answer,
    /// The facts that were put out.
    pub facts: &'a [Fact],
    /// The effects that were put out.
    pub effects: &'a [Effect],
    /// The failed events that were forgotten.
    pub dropped: &'a [DroppedFailure],
    /// The gauges now.
    pub gauges: &'a Gauges,
    /// The time now at which the engine asks to be woken.
    pub deadline: Option<Deadline>,
    /// True if expiry is held.
    pub holds_expiry: bool,
    /// The engine, to be read.
    pub engine: &'a Engine,
    /// The configuration.
    pub config: &'a Config,
    /// The keys.
    pub key_table: &'a KeyTable,
}

/// A command, reduced to what oracles need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the command of the same name")]
pub enum CommandSummary {
    Submit {
        event: EventNumber,
        digest: Digest,
        size_bytes: usize,
    },
    Reject(RejectReason),
    Start(Ticket),
    Settle(RunId, OutcomeSummary),
    Heartbeat(RunId),
    EnqueueFailed(Ticket, EnqueueFailure),
    ChannelLost,
    Sweep,
    Redrive(EventNumber),
    Discard(EventNumber),
    Pause,
    Resume,
    PauseGroup {
        paused: bool,
    },
    SetSchedules,
    Tick,
    HoldExpiry,
    ReleaseExpiry,
    Shutdown,
    AbortInflight,
    /// No command yet: the engine was opened from its journal.
    Open,
}

/// An outcome, reduced to what oracles need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is the outcome of the same name")]
pub enum OutcomeSummary {
    Done,
    DoneWith { first: EventNumber, count: u8, payload: u8 },
    Retry { after: Option<Duration> },
    Permanent,
    Snooze { delay: Duration, has_reason: bool },
    Crashed,
    NotCalled,
}

impl OutcomeSummary {
    /// Returns the summary of an outcome.
    pub(crate) fn of(outcome: &Outcome, key_table: &KeyTable) -> Self {
        match outcome {
            Outcome::Done => Self::Done,
            Outcome::DoneWith { then } => {
                let first = then.first();
                let number = first.and_then(|event| key_table.number(event.key())).unwrap_or(EventNumber::MAX);
                let payload = first.and_then(|event| event.payload().first()).copied().unwrap_or_default();
                Self::DoneWith { first: number, count: u8::try_from(then.len()).unwrap_or(u8::MAX), payload }
            }
            Outcome::Retry { after, .. } => Self::Retry { after: *after },
            Outcome::Permanent { .. } => Self::Permanent,
            Outcome::Snooze { delay, reason } => Self::Snooze { delay: *delay, has_reason: reason.is_some() },
            Outcome::Crashed { .. } => Self::Crashed,
            Outcome::NotCalled => Self::NotCalled,
        }
    }
}

impl CommandSummary {
    /// Returns the summary of a command. An event that was never submitted has the highest number.
    pub(crate) fn of(command: &Command, key_table: &KeyTable) -> Self {
        let number = |key| key_table.number(key).unwrap_or(EventNumber::MAX);
        match command {
            Command::Submit(event) => {
                let (digest, size_bytes) = (*event.digest(), event_bytes(event));
                Self::Submit { event: number(event.key()), digest, size_bytes }
            }
            Command::Reject(rejection) => Self::Reject(RejectReason::from(*rejection)),
            Command::Start(ticket) => Self::Start(*ticket),
            Command::Settle { run, outcome } => Self::Settle(*run, OutcomeSummary::of(outcome, key_table)),
            Command::Heartbeat(run) => Self::Heartbeat(*run),
            Command::EnqueueFailed { ticket, cause } => Self::EnqueueFailed(*ticket, *cause),
            Command::ChannelLost => Self::ChannelLost,
            Command::Sweep => Self::Sweep,
            Command::Redrive(key) => Self::Redrive(number(key)),
            Command::Discard(key) => Self::Discard(number(key)),
            Command::Pause => Self::Pause,
            Command::Resume => Self::Resume,
            Command::PauseGroup { paused, .. } => Self::PauseGroup { paused: *paused },
            Command::SetSchedules(_) => Self::SetSchedules,
            Command::Tick(_) => Self::Tick,
            Command::HoldExpiry => Self::HoldExpiry,
            Command::ReleaseExpiry => Self::ReleaseExpiry,
            Command::Shutdown => Self::Shutdown,
            Command::AbortInflight => Self::AbortInflight,
        }
    }

    /// Returns the run that the command names.
    pub const fn run(&self) -> Option<RunId> {
        if let Self::Settle(run, _) | Self::Heartbeat(run) = *self { Some(run) } else { None }
    }

    /// Returns whether the command ends a run with follow-ups.
    pub const fn has_follow_ups(&self) -> bool {
        matches!(self, Self::Settle(_, OutcomeSummary::DoneWith { .. }))
    }

    /// Returns the event that the command names.
    pub const fn event(&self) -> Option<EventNumber> {
        let (Self::Submit { event, .. } | Self::Redrive(event) | Self::Discard(event)) = *self else { return None };
        Some(event)
    }
}
