//! What happened in a run, for people to look at.

use std::fmt;

use serde::Serialize;

use crate::scenario::EventNumber;

/// Everything that happened in a run, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    /// What happened.
    pub entries: Vec<TraceEntry>,
}

impl Trace {
    /// All that is known of a run without steps.
    pub(crate) fn of_one(note: String, is_broken: bool) -> Self {
        let what = if is_broken { What::Broken } else { What::Note };
        Self {
            entries: vec![TraceEntry { step: 1, at: 0, lane: Lane::Journal, what, event: None, note, record: None }],
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceEntry {
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

impl fmt::Display for TraceEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { step, at, lane, what, note, record, event: _ } = self;
        let lane = format!("{lane:?}");
        let mark = match what {
            What::Message(to, _) => format!("-> {to:?}"),
            What::Begin => "begins".to_owned(),
            What::End(_) => "ends".to_owned(),
            What::Note => String::new(),
            What::Fault => "FAULT".to_owned(),
            What::Broken => "BROKEN".to_owned(),
        };
        write!(f, "{step:>5} {:>12.6} s  {lane:<10} {mark:<13} {note}", *at as f64 / 1e6)?;
        record.as_ref().map_or(Ok(()), |record| write!(f, "  [{record}]"))
    }
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
    Message(Lane, MessageFate),
    /// An attempt began.
    Begin,
    /// An attempt ended.
    End(AttemptFate),
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
pub enum MessageFate {
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
pub enum AttemptFate {
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

/// A time in which some parts do not work as they should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutageSpan {
    /// The note of the entry with which it begins.
    pub note: String,
    /// For how long, in microseconds.
    pub lasts: u64,
    /// Its name.
    pub name: &'static str,
    /// The lanes of the parts, by name or by kind.
    pub parts: Vec<String>,
}

impl OutageSpan {
    /// A time of `lasts` microseconds that begins with the entry of this note.
    pub(crate) fn new(note: String, lasts: u64, name: &'static str, parts: &[&str]) -> Self {
        Self { note, lasts, name, parts: parts.iter().map(|part| (*part).to_owned()).collect() }
    }
}
