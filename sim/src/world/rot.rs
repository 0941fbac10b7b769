//! Snapshots that rot while the process runs, and what a journal is held to all the same.
//!
//! A journal keeps two ways back: the snapshot that it made last, and the one that it was made of, or all
//! frames. So the newest may rot as long as there is another sound way.

use std::collections::BTreeSet;

use eventful::journal::{JournalStore as _, MaintainError, Maintained, Owner, Sequence};

use super::World;
use super::journal::Journal;
use crate::chance::Stream;
use crate::failure::Broken;
use crate::scenario::FaultKind;

/// Bytes of a record besides its event and its last error: its history, times and numbers.
const REST_BYTES: usize = 600;

/// What has rotted.
#[derive(Debug)]
pub(super) struct Rot {
    rotten: BTreeSet<Sequence>,
    /// A snapshot is being made.
    is_making: bool,
    /// One rotted since that was begun: it may have been read before, and trimmed around.
    has_struck_meanwhile: bool,
    stream: Stream,
}

impl Rot {
    pub(super) const fn new(stream: Stream) -> Self {
        Self { rotten: BTreeSet::new(), is_making: false, has_struck_meanwhile: false, stream }
    }

    /// A snapshot that is being made is given up.
    pub(super) fn forget_process(&mut self) {
        (self.is_making, self.has_struck_meanwhile) = (false, false);
    }

    /// A step was made.
    pub(super) fn note(&mut self, maintained: &Result<Maintained, MaintainError>) {
        self.is_making = matches!(maintained, Ok(Maintained::More));
        if matches!(maintained, Ok(Maintained::Nothing)) {
            self.has_struck_meanwhile = false;
        }
    }

    /// Whether a snapshot may fail of damage: the one that was written rotted before it was read back.
    pub(super) const fn excuses_failure(&self) -> bool {
        self.has_struck_meanwhile
    }
}

impl Journal {
    /// How many sound ways back there are besides this snapshot.
    pub(super) fn ways_besides(&self, at: Sequence) -> usize {
        let snapshots = self.store.snapshots();
        let sound = snapshots.iter().filter(|other| **other != at && !self.rot.rotten.contains(other)).count();
        sound + usize::from(self.store.first() == Sequence::FIRST)
    }

    /// Whether the newest snapshot is one of several ways back.
    pub(super) fn can_lose_the_newest(&self) -> bool {
        self.store.snapshots().last().is_some_and(|newest| self.ways_besides(*newest) > 0)
    }

    /// Judges that a snapshot that was just made is not the only way back.
    pub(super) fn judge_ways_back(&mut self, made: Sequence) -> Result<(), Broken> {
        self.rot.rotten.remove(&made);
        let excused = core::mem::take(&mut self.rot.has_struck_meanwhile);
        match excused || self.ways_besides(made) > 0 {
            true => Ok(()),
            false => {
                Err(broken(format_args!("the snapshot before frame {made} is made, and there is no other way back")))
            }
        }
    }

    /// Judges that the parts of snapshots are bounded by bytes, but for one record.
    pub(super) fn judge_parts(&self) -> Result<(), Broken> {
        let (Some(limit), largest) = (self.settings.part_bytes, self.store.largest_part()) else { return Ok(()) };
        let record = 2 * self.largest_fact + REST_BYTES;
        match largest <= limit + record {
            true => Ok(()),
            false => Err(Broken::new(
                "journal",
                9,
                format_args!(
                    "a part of a snapshot has {largest} bytes; {limit} make it full, and a record has {record}"
                ),
            )),
        }
    }
}

impl World<'_> {
    /// A bit of the newest snapshot is another one from now on, if there is another way back.
    pub(super) fn rot_snapshot(&mut self) {
        let Some(journal) = &mut self.journal else { return };
        let Some(newest) = journal.store.snapshots().last().copied() else { return };
        let may_rot = !journal.rot.rotten.contains(&newest) && journal.can_lose_the_newest();
        if !may_rot || !journal.store.rot_snapshot(newest, &mut journal.rot.stream) || !self.is_damaged(newest) {
            return;
        }
        let Some(journal) = &mut self.journal else { return };
        journal.rot.rotten.insert(newest);
        journal.rot.has_struck_meanwhile |= journal.rot.is_making;
        self.probes.fault(FaultKind::SnapshotRots);
        self.note_journal(|| format!("the snapshot before frame {newest} rots"));
    }

    /// Whether the store finds damage in a snapshot. What rots may be of no matter.
    fn is_damaged(&mut self, at: Sequence) -> bool {
        let opened = self.copy_of_journal(false).open(&Owner::new("a look"));
        let mut parts = opened.into_iter().flat_map(|mut journal| (0..).map(move |part| journal.snapshot(at, part)));
        parts.find_map(|part| match part {
            Ok(Some(_)) => None,
            Ok(None) => Some(false),
            Err(_) => Some(true),
        }) == Some(true)
    }
}

fn broken(what: impl core::fmt::Display) -> Broken {
    Broken::new("journal", 10, what)
}
