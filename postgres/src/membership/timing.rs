//! The times of a cluster.

use core::time::Duration;

/// The times of a cluster, which all its nodes must share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timing {
    /// A node that shows no life for so long is dead.
    pub(crate) lease: Duration,
    /// By so much a node ends its service before others may take it for dead: clocks that differ in rate by a tenth are safe.
    pub(crate) margin: Duration,
    /// The time between beats: four may fail in a lease.
    pub(crate) beat: Duration,
    /// The time between reads while a shard is about to change hands, and before a round that failed is repeated.
    pub(crate) hurry: Duration,
}

impl Timing {
    /// The times that go with a lease: beats at a fifth of it, a margin of a tenth.
    pub(crate) fn of(lease: Duration) -> Self {
        Self { lease, margin: lease / 10, beat: lease / 5, hurry: lease / 50 }
    }
}
