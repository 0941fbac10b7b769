//! Counters of facts.

use eventful::{Status, engine::facts::AttemptEnd, metrics::FactCounters};

/// The number of facts of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FactCounts {
    /// The number of accepted events.
    pub accepted: u64,
    /// The number of redriven events.
    pub redriven: u64,
    /// The number of forgotten records, by status.
    pub forgotten: [u64; Status::ALL.len()],
    /// The number of runs started.
    pub started: u64,
    /// The number of runs ended, by kind of end.
    pub finished: [u64; AttemptEnd::ALL.len()],
}

impl FactCounts {
    /// Returns the counts of the engine's counters.
    pub fn of(counters: &FactCounters) -> Self {
        Self {
            accepted: counters.accepted,
            redriven: counters.redriven,
            forgotten: Status::ALL.map(|status| counters.forgotten(status)),
            started: counters.started,
            finished: AttemptEnd::ALL.map(|end| counters.finished(end)),
        }
    }

    /// Returns the number of forgotten records of any status.
    pub fn forgotten_total(&self) -> u64 {
        self.forgotten.iter().sum()
    }

    /// Returns the number of runs ended in any way.
    pub fn finished_total(&self) -> u64 {
        self.finished.iter().sum()
    }
}
