//! What happened, as one number and, if asked for, as text.

use std::hash::{Hash, Hasher};

use eventful::{Action, AttemptEnd, Point, Timestamp};

use super::diary::Diary;
use super::scenario::{Ending, FaultKind, KeyNumber, Request};
use crate::mix::Mix;
use crate::trace::Entry;

/// One thing that happened.
#[derive(Debug, Hash)]
pub(super) enum Step<'a> {
    /// A process of the server began.
    Opened { generation: u32 },
    /// It is over.
    Closed { generation: u32 },
    /// A fault began.
    Fault(&'a FaultKind),
    /// A fault ended.
    FaultOver(&'a FaultKind),
    /// All faults ended.
    Healed,
    /// A client sent a request.
    Sent { client: u8, request: usize, again: u8 },
    /// It was answered.
    Answered { client: u8, request: usize, generation: u32, status: u16, body: &'a [u8] },
    /// It was not.
    Unanswered { client: u8, request: usize, why: &'static str },
    /// The adapter passed a point, and was disturbed or not.
    Passed { point: Point, action: Action },
    /// The handler was called.
    Called { key: KeyNumber, attempt: u32, ending: Ending },
    /// The handler's future is gone.
    Left { key: KeyNumber, attempt: u32, finished: bool },
    /// The engine accepted an event.
    Accepted { key: KeyNumber },
    /// It started a run.
    Started { key: KeyNumber, run: u64 },
    /// It ended a run.
    Finished { key: KeyNumber, run: u64, end: AttemptEnd },
    /// It gave an event another life.
    Redriven { key: KeyNumber },
    /// It ended an event.
    Discarded { key: KeyNumber },
    /// It dropped a record.
    Forgotten { key: KeyNumber },
    /// It starts nothing.
    Paused,
    /// It starts again.
    Resumed,
    /// It was opened, though it was open.
    Reopened,
    /// A shutdown ended.
    ShutDown { drained: u64, interrupted: u64, left: u64, took_micros: u64 },
    /// The journal was opened; a frame that was in doubt is in it, or not.
    JournalOpened { end: u64, found: bool },
    /// A frame was appended to the journal, or not as far as it knows.
    Appended { frame: u64, kept: bool },
    /// The process could not open its journal.
    NotStarted,
}

/// One step of a run, as text.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Line {
    /// When, in microseconds since the beginning.
    pub at_micros: u64,
    /// The hash of the run up to here.
    pub hash: u64,
    /// What happened.
    pub what: String,
    /// The same, for the page that shows the run.
    #[serde(skip)]
    pub entries: Vec<Entry>,
}

/// The steps so far.
#[derive(Debug, Default)]
pub(super) struct Trace {
    hash: Mix,
    pub(super) kept: Option<(Diary, Vec<Line>)>,
}

impl Trace {
    /// One that keeps what happens, when these are asked for.
    pub(super) fn keeping(requests: Option<&[Request]>) -> Self {
        Self { hash: Mix::default(), kept: requests.map(|requests| (Diary::of(requests), Vec::new())) }
    }

    pub(super) fn note(&mut self, at: Timestamp, step: &Step<'_>) {
        let at_micros = at.as_micros() - super::clock::EPOCH.as_micros() as u64;
        self.hash.write_u64(at_micros);
        step.hash(&mut self.hash);
        if let Some((diary, kept)) = &mut self.kept {
            let what = if let Step::Answered { client, request, generation, status, body } = step {
                let head = format!("client: {client}, request: {request}, generation: {generation}, status: {status}");
                format!("Answered {{ {head} }} {}", String::from_utf8_lossy(body).trim_end())
            } else {
                format!("{step:?}")
            };
            kept.push(Line { at_micros, hash: self.hash.finish(), what, entries: diary.entries(at_micros, step) });
        }
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash.finish()
    }
}
