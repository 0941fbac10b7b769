//! What a journal held when it was opened.

use crate::engine::{Epoch, Status, Timestamp, facts::Replay};

/// What the journal held when [`Builder::start`](super::Builder::start) had read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovery {
    /// Whether there was no journal before.
    pub is_new: bool,
    /// Events of any status.
    pub records: u64,
    /// Events that will be handled.
    pub pending: u64,
    /// Events that have failed and can be redriven.
    pub failed: u64,
    /// The time at which the oldest pending event was accepted.
    pub oldest_pending: Option<Timestamp>,
    /// Whether an operator had paused the engine, which it still is.
    pub paused: bool,
}

impl Recovery {
    pub(super) fn of(replay: &Replay) -> Self {
        let summary = replay.summary();
        let pending = [Status::Received, Status::Processing, Status::FailedRetry];
        Self {
            // Every opening writes its epoch first.
            is_new: summary.epoch == Epoch::default(),
            records: replay.len() as u64,
            pending: pending.iter().map(|status| replay.count(*status)).sum(),
            failed: replay.count(Status::Failed),
            oldest_pending: replay.oldest_pending(),
            paused: summary.paused,
        }
    }
}
