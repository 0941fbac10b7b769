//! The trace of a run, for people.

use std::fmt;

use serde::Serialize;

use crate::scenario::EventNumber;

/// The entries of a run, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    /// The entries.
    pub entries: Vec<TraceEntry>,
}

impl Trace {
    /// Returns the trace of a run without steps.
    pub(crate) fn of_one(note: String, is_broken: bool) -> Self {
        let what = if is_broken { What::Broken } else { What::Note };
        Self {
            entries: vec![TraceEntry { step: 1, at: 0, lane: Lane::Journal, what, event: None, note, record: None }],
        }
    }
}

/// One entry of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceEntry {
    /// The number of the step that it belongs to.
    pub step: u32,
    /// The time, in microseconds since the start.
    pub at: u64,
    /// The part of the simulation.
    pub lane: Lane,
    /// The kind of entry.
    pub what: What,
    /// The event that it is about.
    pub event: Option<EventNumber>,
    /// A description.
    pub note: String,
    /// The state of the event's record after it.
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

/// A part of the simulation.
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
    /// The process, its clock, and faults.
    World,
}

/// The kind of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum What {
    /// A message from this lane to another one, with its fate.
    Message(Lane, MessageFate),
    /// An attempt began.
    Begin,
    /// An attempt ended.
    End(AttemptFate),
    /// Something within the lane.
    Note,
    /// A fault of the scenario.
    Fault,
    /// A promise was broken.
    Broken,
}

/// The fate of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageFate {
    /// The message had an effect.
    Taken,
    /// The message arrived, and changed nothing.
    NoEffect,
    /// The message was refused.
    Refused,
    /// The message was sent.
    Sent,
    /// The message did not arrive.
    NotSent,
    /// The message stops a handler.
    Stop,
}

/// The end of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptFate {
    /// The attempt succeeded.
    Done,
    /// The attempt failed, and may be repeated.
    Retry,
    /// The attempt failed permanently.
    Permanent,
    /// The handler asked to be called later.
    Snooze,
    /// The handler or its worker panicked.
    Crashed,
    /// The handler was dropped before its end.
    Dropped,
}

/// A time for which some parts do not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutageSpan {
    /// The note of the entry at which it begins.
    pub note: String,
    /// The duration, in microseconds.
    pub lasts: u64,
    /// Its name.
    pub name: &'static str,
    /// The lanes of the parts, by name or by kind.
    pub parts: Vec<String>,
}

impl OutageSpan {
    /// Creates a span of `lasts` microseconds that begins with the entry of this note.
    pub(crate) fn new(note: String, lasts: u64, name: &'static str, parts: &[&str]) -> Self {
        Self { note, lasts, name, parts: parts.iter().map(|part| (*part).to_owned()).collect() }
    }
}
