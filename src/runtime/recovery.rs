//! A summary of what a journal held when it was opened.

use crate::engine::{Epoch, Status, Timestamp, facts::Replay};

/// The contents of the journal at [`Builder::start`](super::Builder::start).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovery {
    /// True if there was no journal before.
    pub is_new: bool,
    /// The number of events of any status.
    pub records: u64,
    /// The number of events that will be handled.
    pub pending: u64,
    /// The number of events that have failed and can be redriven.
    pub failed: u64,
    /// The time at which the oldest pending event was accepted.
    pub oldest_pending: Option<Timestamp>,
    /// True if an operator had paused the engine, which it still is.
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

    /// Returns the contents of this journal and another one together.
    pub(super) fn with(self, other: &Self) -> Self {
        Self {
            is_new: self.is_new && other.is_new,
            records: self.records + other.records,
            pending: self.pending + other.pending,
            failed: self.failed + other.failed,
            oldest_pending: [self.oldest_pending, other.oldest_pending].into_iter().flatten().min(),
            paused: self.paused || other.paused,
        }
    }
}
