//! Counters of facts.

use eventful::{Status, engine::facts::AttemptEnd, metrics::FactCounters};

/// The number of facts of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FactCounts {
    /// Events accepted.
    pub accepted: u64,
    /// Failed events given another life.
    pub redriven: u64,
    /// Records forgotten, by status.
    pub forgotten: [u64; Status::ALL.len()],
    /// Runs started.
    pub started: u64,
    /// Runs ended, by how.
    pub finished: [u64; AttemptEnd::ALL.len()],
}

impl FactCounts {
    /// Returns the counts that the engine's counters say.
    pub fn of(counters: &FactCounters) -> Self {
        Self {
            accepted: counters.accepted,
            redriven: counters.redriven,
            forgotten: Status::ALL.map(|status| counters.forgotten(status)),
            started: counters.started,
            finished: AttemptEnd::ALL.map(|end| counters.finished(end)),
        }
    }

    /// Records forgotten, of any status.
    pub fn forgotten_total(&self) -> u64 {
        self.forgotten.iter().sum()
    }

    /// Runs ended, in any way.
    pub fn finished_total(&self) -> u64 {
        self.finished.iter().sum()
    }
}
