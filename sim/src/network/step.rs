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
    /// The process ended.
    Closed { generation: u32 },
    /// A fault began.
    Fault(&'a NetworkFaultKind),
    /// A fault ended.
    FaultOver(&'a NetworkFaultKind),
    /// All faults ended.
    Healed,
    /// A client sent a request.
    Sent { client: u8, request: usize, again: u8 },
    /// The request had a response.
    Answered { client: u8, request: usize, generation: u32, status: u16, body: &'a [u8] },
    /// The request had none.
    Unanswered { client: u8, request: usize, why: &'static str },
    /// The adapter passed a point, and was disturbed or not.
    Passed { point: Point, action: Action },
    /// The handler was called.
    Called { key: KeyNumber, attempt: u32, ending: HandlerEnding },
    /// The handler's future is gone.
    Left { key: KeyNumber, attempt: u32, finished: bool },
    /// The engine accepted an event.
    Accepted { key: KeyNumber },
    /// The engine started a run.
    Started { key: KeyNumber, run: u64 },
    /// The engine ended a run.
    Finished { key: KeyNumber, run: u64, end: AttemptEnd },
    /// The engine redrove a failed event.
    Redriven { key: KeyNumber },
    /// The engine discarded an event.
    Discarded { key: KeyNumber },
    /// The engine forgot a record.
    Forgotten { key: KeyNumber },
    /// The engine was paused.
    Paused,
    /// The engine was resumed.
    Resumed,
    /// The engine was opened again.
    Reopened,
    /// A shutdown ended.
    ShutDown { drained: u64, interrupted: u64, left: u64, took_micros: u64 },
    /// The journal was opened; `found` says whether the frame in doubt is in it.
    JournalOpened { end: u64, found: bool },
    /// A frame was appended to the journal; `kept` says whether it was acknowledged.
    Appended { frame: u64, kept: bool },
    /// The process could not open its journal.
    NotStarted,
}
