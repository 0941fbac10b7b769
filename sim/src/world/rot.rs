//! Snapshots that rot while the process runs, and what a journal is held to all the same.
//!
//! A journal keeps two ways back: the snapshot that it made last, and the one that it was made of, or all
//! frames. So the newest may rot as long as there is another sound way.

use std::collections::BTreeSet;

use eventful::journal::{MaintainError, Maintained, Sequence};

use crate::seeded_rng::Stream;

/// The parts that have rotted.
#[derive(Debug)]
pub(super) struct Rot {
    pub(super) rotten: BTreeSet<Sequence>,
    /// A snapshot is being made.
    pub(super) is_making: bool,
    /// One rotted since that was begun: it may have been read before, and trimmed around.
    pub(super) has_struck_meanwhile: bool,
    pub(super) stream: Stream,
}

impl Rot {
    pub(super) const fn new(stream: Stream) -> Self {
        Self { rotten: BTreeSet::new(), is_making: false, has_struck_meanwhile: false, stream }
    }

    /// A snapshot that is being made is given up.
    pub(super) fn forget_process(&mut self) {
        (self.is_making, self.has_struck_meanwhile) = (false, false);
    }

    /// A step was made, after which there are these snapshots. One that is gone may come again, and is sound.
    pub(super) fn note(&mut self, maintained: &Result<Maintained, MaintainError>, there: &[Sequence]) {
        self.rotten.retain(|at| there.contains(at));
        self.is_making = matches!(maintained, Ok(Maintained::More));
        if matches!(maintained, Ok(Maintained::Nothing)) {
            self.has_struck_meanwhile = false;
        }
    }

    /// Returns whether a snapshot may fail of damage: the one that was written rotted before it was read back.
    pub(super) const fn excuses_failure(&self) -> bool {
        self.has_struck_meanwhile
    }
}
