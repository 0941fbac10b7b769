//! What happened in a run, for people to look at.

use serde::Serialize;

use crate::scenario::EventNumber;

/// Everything that happened in a run, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    /// What happened.
    pub entries: Vec<Entry>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The step of the run that it belongs to.
    pub step: u32,
    /// When, in microseconds since the start.
    pub at: u64,
    /// Where.
    pub lane: Lane,
    /// What.
    pub what: What,
    /// The event that it is about.
    pub event: Option<EventNumber>,
    /// A sentence for people.
    pub note: String,
    /// How the event's record stands after it.
    pub record: Option<String>,
}

/// Where something happened: a part of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// A client.
    Client(u8),
    /// The engine.
    Engine,
    /// The channel.
    Channel,
    /// The dispatcher.
    Dispatcher,
    /// A permit, and the workers that hold it one after the other.
    Worker(u16),
    /// The sweeper.
    Sweeper,
    /// The journal and its disk.
    Journal,
    /// The process, its clock, and what goes wrong.
    World,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum What {
    /// A message from this lane to another one, and what became of it.
    Message(Lane, Verdict),
    /// An attempt began.
    Begin,
    /// An attempt ended.
    End(Fate),
    /// Something within the lane.
    Note,
    /// Something went wrong, as the scenario has it.
    Fault,
    /// A promise was broken.
    Broken,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It had an effect.
    Taken,
    /// It was heard, and changed nothing.
    NoEffect,
    /// It was refused.
    Refused,
    /// It went on its way.
    Sent,
    /// It did not get where it should.
    NotSent,
    /// It tells a handler to stop.
    Stop,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// With success.
    Done,
    /// It may be tried again.
    Retry,
    /// It failed for good.
    Permanent,
    /// It asked to be called later.
    Snooze,
    /// It panicked, or its worker did.
    Crashed,
    /// It was dropped on its way.
    Dropped,
}
