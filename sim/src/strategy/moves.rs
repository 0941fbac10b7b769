//! Commands as a test chooses them, before their tickets and runs are known.

use std::time::Duration;

use eventful::{
    Event, Key, Timestamp,
    engine::{Command, EnqueueFailure, ErrorText, GroupName, NotBefore, Outcome, Overlap, Rejection, ScheduleTick},
};
use proptest::prelude::*;

use super::events::{key, payload, schedule};
use super::{KeyAim, RunAim, TickAim, TicketAim};
use crate::spec::model::Model;

/// A command whose ticket, run or key is still to be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AimedCommand {
    /// A command without any of them.
    Plain(Command),
    /// [`Command::Start`].
    Start(TicketAim),
    /// [`Command::EnqueueFailed`].
    EnqueueFailed(TicketAim, EnqueueFailure),
    /// [`Command::Settle`].
    Settle(RunAim, Outcome),
    /// [`Command::Heartbeat`].
    Heartbeat(RunAim),
    /// [`Command::Redrive`].
    Redrive(KeyAim),
    /// [`Command::Discard`].
    Discard(KeyAim),
    /// [`Command::Tick`].
    Tick(TickAim, Option<Event>, Overlap),
}

impl AimedCommand {
    /// Returns the command for an engine in the state of `model`.
    pub fn resolve(&self, model: &Model) -> Command {
        match self {
            Self::Plain(command) => command.clone(),
            Self::Start(ticket) => Command::Start(ticket.resolve(model)),
            Self::EnqueueFailed(ticket, cause) => {
                Command::EnqueueFailed { ticket: ticket.resolve(model), cause: *cause }
            }
            Self::Settle(run, outcome) => Command::Settle { run: run.resolve(model), outcome: outcome.clone() },
            Self::Heartbeat(run) => Command::Heartbeat(run.resolve(model)),
            Self::Redrive(key) => Command::Redrive(key.resolve(model)),
            Self::Discard(key) => Command::Discard(key.resolve(model)),
            // Without a schedule its instants would show nothing.
            Self::Tick(aim, ..) if aim.lacks_schedule(model) => Command::SetSchedules(aim.schedules(model)),
            Self::Tick(aim, event, overlap) => {
                let ((schedule, nominal), event, overlap) = (aim.resolve(model), event.clone(), *overlap);
                Command::Tick(Box::new(ScheduleTick { schedule, nominal, event, overlap }))
            }
        }
    }
}

/// Returns a strategy for commands of all kinds; those that end the engine are rare.
pub fn moves() -> impl Strategy<Value = AimedCommand> {
    prop_oneof![
        24 => events().prop_map(|event| AimedCommand::Plain(Command::Submit(event))),
        24 => TicketAim::strategy().prop_map(AimedCommand::Start),
        20 => (RunAim::strategy(), outcomes()).prop_map(|(run, outcome)| AimedCommand::Settle(run, outcome)),
        4 => RunAim::strategy().prop_map(AimedCommand::Heartbeat),
        4 => (TicketAim::strategy(), causes()).prop_map(|(ticket, cause)| AimedCommand::EnqueueFailed(ticket, cause)),
        14 => Just(AimedCommand::Plain(Command::Sweep)),
        3 => KeyAim::strategy().prop_map(AimedCommand::Redrive),
        2 => KeyAim::strategy().prop_map(AimedCommand::Discard),
        4 => operations().prop_map(AimedCommand::Plain),
        6 => ticks(),
    ]
}

/// Returns instants of schedules; of some nothing is to be accepted.
fn ticks() -> impl Strategy<Value = AimedCommand> {
    let overlap = prop_oneof![Just(Overlap::Skip), Just(Overlap::Allow)];
    let event = prop_oneof![5 => events().prop_map(Some), 1 => Just(None)];
    (TickAim::strategy(), event, overlap).prop_map(|(aim, event, overlap)| AimedCommand::Tick(aim, event, overlap))
}

fn operations() -> impl Strategy<Value = Command> {
    prop_oneof![
        3 => Just(Command::Pause),
        4 => (proptest::bool::ANY, proptest::bool::weighted(0.4)).prop_map(|(one, paused)| {
            let group = GroupName::new(if one { "g/1" } else { "h" }).expect("a short name");
            Command::PauseGroup { group, paused }
        }),
        5 => Just(Command::Resume),
        3 => proptest::sample::subsequence(vec![0, 1], 0..=2).prop_map(|numbers| {
            Command::SetSchedules(numbers.into_iter().map(schedule).collect())
        }),
        3 => Just(Command::ChannelLost),
        1 => Just(Command::HoldExpiry),
        2 => Just(Command::ReleaseExpiry),
        1 => prop_oneof![Just(Rejection::Invalid), Just(Rejection::TooLarge)].prop_map(Command::Reject),
        1 => prop_oneof![3 => Just(Command::Shutdown), 1 => Just(Command::AbortInflight)],
    ]
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        4 => Just(Outcome::Done),
        3 => proptest::collection::vec(events(), 0..5).prop_map(|then| Outcome::DoneWith { then }),
        4 => (errors(), proptest::option::of(waits())).prop_map(|(error, after)| Outcome::Retry { error, after }),
        2 => errors().prop_map(|error| Outcome::Permanent { error }),
        3 => (waits(), proptest::option::of(errors())).prop_map(|(delay, reason)| Outcome::Snooze { delay, reason }),
        1 => errors().prop_map(|error| Outcome::Crashed { error }),
        1 => Just(Outcome::NotCalled),
    ]
}

fn errors() -> impl Strategy<Value = ErrorText> {
    prop_oneof![9 => (0..3_u8).prop_map(ErrorText::new), 1 => Just(ErrorText::new("ä".repeat(ErrorText::MAX_BYTES)))]
}

fn waits() -> impl Strategy<Value = Duration> {
    prop_oneof![
        1 => Just(Duration::ZERO),
        6 => (0..80_000_u64).prop_map(Duration::from_micros),
        1 => Just(Duration::MAX),
    ]
}

fn causes() -> impl Strategy<Value = EnqueueFailure> {
    prop_oneof![Just(EnqueueFailure::Full), Just(EnqueueFailure::Closed)]
}

fn keys() -> impl Strategy<Value = Key> {
    (0..10_u8).prop_map(key)
}

/// Returns events of a few keys, mostly with the same payload, so that duplicates and conflicts happen.
fn events() -> impl Strategy<Value = Event> {
    let payloads = prop_oneof![8 => Just(0_u8), 2 => 1..4_u8];
    (keys(), payloads, starts(), types(), groups()).prop_map(|(key, number, start, event_type, group)| {
        let event = Event::new(key, payload(number));
        let event = event_type.map_or(event.clone(), |name| event.with_type(name).expect("a short type"));
        let event = group.map_or(event.clone(), |name| event.with_group(name).expect("a short name"));
        match start {
            None => event,
            Some(NotBefore::At(at)) => event.with_not_before(at),
            Some(NotBefore::After(delay)) => event.with_delay(delay),
        }
    })
}

/// Returns two groups, or none.
fn groups() -> impl Strategy<Value = Option<&'static str>> {
    prop_oneof![2 => Just(None), 3 => Just(Some("g/1")), 2 => Just(Some("h"))]
}

/// Returns two types, or none.
fn types() -> impl Strategy<Value = Option<&'static str>> {
    prop_oneof![2 => Just(None), 2 => Just(Some("a.b")), 1 => Just(Some("c"))]
}

/// Returns start times: most events may start at once; a time may lie in the past.
fn starts() -> impl Strategy<Value = Option<NotBefore>> {
    let micros = || (0..80_000_u64).prop_map(Duration::from_micros);
    prop_oneof![
        10 => Just(None),
        1 => micros().prop_map(|delay| Some(NotBefore::After(delay))),
        1 => micros().prop_map(|after| Some(NotBefore::At(Timestamp::from_micros(1_000_000) + after))),
    ]
}
