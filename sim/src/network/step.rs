//! One thing that happened in a run.

use eventful::{
    engine::facts::AttemptEnd,
    node::{Action, Point},
};

use super::scenario::{HandlerEnding, KeyNumber, NetworkFaultKind};

/// The number of the inspector among the clients.
pub(super) const INSPECTOR_NUMBER: u8 = u8::MAX;

/// One thing that happened.
#[derive(Debug, Hash)]
pub(super) enum NetworkStep<'a> {
    /// A process of the server began.
    Opened { generation: u32 },
    /// It is over.
    Closed { generation: u32 },
    /// A fault began.
    Fault(&'a NetworkFaultKind),
    /// A fault ended.
    FaultOver(&'a NetworkFaultKind),
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
    Called { key: KeyNumber, attempt: u32, ending: HandlerEnding },
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
