//! The stages in the life of a record.

use eventful::{Status, Timestamp, engine::RunId};

/// The stage in the life of a record, with the times that go with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lifecycle {
    /// Waits for its first run since it was accepted or redriven, and may start from then on.
    Received(Timestamp),
    /// A run is in flight.
    Processing {
        /// Its name.
        run: RunId,
        /// The time of its start.
        started_at: Timestamp,
    },
    /// Waits for another attempt, and may start from then on.
    FailedRetry(Timestamp),
    /// A run has ended with success, at that time.
    Completed(Timestamp),
    /// No attempt is left, or none would help, since that time.
    Failed(Timestamp),
    /// An operator has ended it, at that time.
    Discarded(Timestamp),
}

impl Lifecycle {
    /// The status that others see.
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

    /// Returns when it became terminal.
    pub const fn terminal_at(self) -> Option<Timestamp> {
        match self {
            Self::Completed(at) | Self::Failed(at) | Self::Discarded(at) => Some(at),
            Self::Received(_) | Self::Processing { .. } | Self::FailedRetry(_) => None,
        }
    }

    /// The soonest that a run may start, while it waits.
    pub const fn eligible_at(self) -> Option<Timestamp> {
        match self {
            Self::Received(at) | Self::FailedRetry(at) => Some(at),
            Self::Processing { .. } | Self::Completed(_) | Self::Failed(_) | Self::Discarded(_) => None,
        }
    }

    /// The run in flight, and when it started.
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
