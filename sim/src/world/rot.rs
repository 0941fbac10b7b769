//! Snapshots that rot while the process runs, and the promises that still hold.
//!
//! A journal keeps two ways to recover: the snapshot that it made last, and the one from which that was made, or all
//! frames. So the newest may rot as long as the other way is undamaged.

use std::collections::BTreeSet;

use eventful::journal::{MaintainError, Maintained, Sequence};

use crate::seeded_rng::Stream;

/// The state about rotten snapshots.
#[derive(Debug)]
pub(super) struct Rot {
    pub(super) rotten: BTreeSet<Sequence>,
    /// True while a snapshot is being made.
    pub(super) is_making: bool,
    /// True if one rotted since that was begun: it may have been read before.
    pub(super) has_struck_meanwhile: bool,
    pub(super) stream: Stream,
}

impl Rot {
    pub(super) const fn new(stream: Stream) -> Self {
        Self { rotten: BTreeSet::new(), is_making: false, has_struck_meanwhile: false, stream }
    }

    /// Drops the snapshot that is being made.
    pub(super) fn forget_process(&mut self) {
        (self.is_making, self.has_struck_meanwhile) = (false, false);
    }

    /// Notes a step of maintenance, after which there are these snapshots. One that is gone may be made again,
    /// undamaged.
    pub(super) fn note(&mut self, maintained: &Result<Maintained, MaintainError>, there: &[Sequence]) {
        self.rotten.retain(|at| there.contains(at));
        self.is_making = matches!(maintained, Ok(Maintained::More));
        if matches!(maintained, Ok(Maintained::Nothing)) {
            self.has_struck_meanwhile = false;
        }
    }

    /// Returns whether a snapshot may fail because of damage: the one that was written rotted before it was verified.
    pub(super) const fn excuses_failure(&self) -> bool {
        self.has_struck_meanwhile
    }
}
