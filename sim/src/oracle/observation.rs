//! The view that oracles have of a step.

use std::time::Duration;

use eventful::{
    Config, Digest, Timestamp,
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
    /// The number of the step, among those that were judged.
    pub step: u32,
    /// The latest time that the engine was ever given, this one included.
    pub now: Timestamp,
    /// The command.
    pub said: CommandSummary,
    /// The engine's answer.
    pub answer: &'a Answer,
    /// The facts that it put out.
    pub facts: &'a [Fact],
    /// The effects that it wants.
    pub effects: &'a [Effect],
    /// The failed events that it has forgotten.
    pub dropped: &'a [DroppedFailure],
    /// Its gauges now.
    pub gauges: &'a Gauges,
    /// The time at which it wants to be woken, now.
    pub deadline: Option<Deadline>,
    /// True if it was asked to forget nothing.
    pub holds_expiry: bool,
    /// The engine, to be read.
    pub engine: &'a Engine,
    /// Its configuration.
    pub config: &'a Config,
    /// The keys.
    pub key_table: &'a KeyTable,
}

/// A command, by what oracles need of it.
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
    HoldExpiry,
    ReleaseExpiry,
    Shutdown,
    AbortInflight,
    /// The opening from its journal, without a command.
    Open,
}

/// An outcome, by what oracles need of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is the outcome of the same name")]
pub enum OutcomeSummary {
    Done,
    Retry { after: Option<Duration> },
    Permanent,
    Snooze { delay: Duration, has_reason: bool },
    Crashed,
    NotCalled,
}

impl OutcomeSummary {
    /// Returns the summary of an outcome.
    pub(crate) const fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::Done,
            Outcome::Retry { after, .. } => Self::Retry { after: *after },
            Outcome::Permanent { .. } => Self::Permanent,
            Outcome::Snooze { delay, reason } => Self::Snooze { delay: *delay, has_reason: reason.is_some() },
            Outcome::Crashed { .. } => Self::Crashed,
            Outcome::NotCalled => Self::NotCalled,
        }
    }
}

impl CommandSummary {
    /// Returns the summary of a command. An event that was never submitted has the last number of all.
    pub(crate) fn of(command: &Command, key_table: &KeyTable) -> Self {
        let number = |key| key_table.number(key).unwrap_or(EventNumber::MAX);
        match command {
            Command::Submit(event) => {
                let (digest, size_bytes) = (*event.digest(), event_bytes(event));
                Self::Submit { event: number(event.key()), digest, size_bytes }
            }
            Command::Reject(rejection) => Self::Reject(RejectReason::from(*rejection)),
            Command::Start(ticket) => Self::Start(*ticket),
            Command::Settle { run, outcome } => Self::Settle(*run, OutcomeSummary::of(outcome)),
            Command::Heartbeat(run) => Self::Heartbeat(*run),
            Command::EnqueueFailed { ticket, cause } => Self::EnqueueFailed(*ticket, *cause),
            Command::ChannelLost => Self::ChannelLost,
            Command::Sweep => Self::Sweep,
            Command::Redrive(key) => Self::Redrive(number(key)),
            Command::Discard(key) => Self::Discard(number(key)),
            Command::Pause => Self::Pause,
            Command::Resume => Self::Resume,
            Command::HoldExpiry => Self::HoldExpiry,
            Command::ReleaseExpiry => Self::ReleaseExpiry,
            Command::Shutdown => Self::Shutdown,
            Command::AbortInflight => Self::AbortInflight,
        }
    }

    /// The run that it names.
    pub const fn run(&self) -> Option<RunId> {
        if let Self::Settle(run, _) | Self::Heartbeat(run) = *self { Some(run) } else { None }
    }

    /// The event that it names.
    pub const fn event(&self) -> Option<EventNumber> {
        let (Self::Submit { event, .. } | Self::Redrive(event) | Self::Discard(event)) = *self else { return None };
        Some(event)
    }
}
