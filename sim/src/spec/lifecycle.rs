//! The stages of a record.

use eventful::{Status, Timestamp, engine::RunId};

/// The stage of a record, with the times that belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lifecycle {
    /// Waits for its first run since it was accepted or redriven, and may start from this time on.
    Received(Timestamp),
    /// A run is in flight.
    Processing {
        /// The run.
        run: RunId,
        /// The time of its start.
        started_at: Timestamp,
    },
    /// Waits for another attempt, and may start from this time on.
    FailedRetry(Timestamp),
    /// A run succeeded at this time.
    Completed(Timestamp),
    /// Since this time no attempt is left, or none would help.
    Failed(Timestamp),
    /// An operator discarded it at this time.
    Discarded(Timestamp),
}

impl Lifecycle {
    /// Returns the status.
    pub const fn status(self) -> Status {
        match self {
            Self::Received(_) => Status::Received,
            Self::Processing { .. } => Status::Processing,
            Self::FailedRetry(_) => Status::FailedRetry,
            Self::Completed(_) => Status::Completed,
            Self::Failed(_) => Status::Failed,
            Self::Discarded(_) => Status::Discarded,
        }
    }

    /// Returns the time at which it became terminal.
    pub const fn terminal_at(self) -> Option<Timestamp> {
        match self {
            Self::Completed(at) | Self::Failed(at) | Self::Discarded(at) => Some(at),
            Self::Received(_) | Self::Processing { .. } | Self::FailedRetry(_) => None,
        }
    }

    /// Returns the earliest time at which a run may start, while it waits.
    pub const fn eligible_at(self) -> Option<Timestamp> {
        match self {
            Self::Received(at) | Self::FailedRetry(at) => Some(at),
            Self::Processing { .. } | Self::Completed(_) | Self::Failed(_) | Self::Discarded(_) => None,
        }
    }

    /// Returns the run in flight, and its start.
    pub const fn run(self) -> Option<(RunId, Timestamp)> {
        match self {
            Self::Processing { run, started_at } => Some((run, started_at)),
            Self::Received(_) | Self::FailedRetry(_) | Self::Completed(_) | Self::Failed(_) | Self::Discarded(_) => {
                None
            }
        }
    }

    /// Returns whether only a tombstone is kept.
    pub const fn is_tombstone(self) -> bool {
        matches!(self, Self::Completed(_) | Self::Discarded(_))
    }
}
