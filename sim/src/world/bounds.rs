//! Bounds of a journal: of the frames behind its newest snapshot, and of its snapshots.

use eventful::journal::{MaintainError, Maintained, OpenError, Sequence};

use super::backlog::Backlog;
use super::journal::WorldJournal;
use crate::failure::{Broken, holds};
use crate::scenario::Journaling;

/// The bytes that trimming may take before it frees any: its record, and the end and the beginning of a segment if
/// that record has no place in the newest one. Without them a full disk could not be trimmed, so they may come from
/// the half of the reserve that parts and the frame behind a snapshot must leave.
const TRIM_BYTES: u64 = 4 * 512;

/// The least number of bytes of a frame with a fact.
const LEAST_BYTES: u64 = 45;

/// The greatest number of times that failures because of damage double the bytes after which a snapshot is due, as the
/// journal has it.
const DOUBLINGS: u32 = 6;

impl WorldJournal {
    /// Returns the bytes of the frames behind the newest snapshot, or the newest undamaged one.
    pub(super) fn behind(&self, is_sound: bool) -> u64 {
        let snapshots = self.store.snapshots();
        let newest = snapshots.iter().rev().find(|at| !is_sound || !self.rot.rotten.contains(*at));
        self.store.bytes_from(newest.copied().unwrap_or(Sequence::FIRST))
    }

    /// Returns the bytes of frames after which the next snapshot is due.
    fn due_after(&self) -> u64 {
        self.settings.snapshot_after_bytes << self.backlog.failures.min(DOUBLINGS)
    }

    /// Checks a step of maintenance. The first argument is the state before it: bytes behind the newest undamaged
    /// snapshot, free space, and the number of frames ever appended.
    pub(super) fn judge_step(
        &mut self,
        (behind, room, frames): (u64, u64, u64),
        maintained: &Result<Maintained, MaintainError>,
    ) -> Result<(), Broken> {
        let reserve = self.settings.reserve_bytes;
        let is_short = room < reserve.saturating_add(reserve / 4);
        let begins = !self.rot.is_making && matches!(maintained, Ok(Maintained::More | Maintained::Snapshot(_)));
        let is_due = behind >= self.due_after() || self.backlog.was_made || is_short;
        holds(!begins || is_due, || {
            broken(format_args!("a snapshot was begun with {behind} bytes behind the newest one, but none is due"))
        })?;
        if matches!(maintained, Ok(Maintained::Nothing)) && is_short {
            self.judge_short()?;
        }
        let left = self.free();
        let trims = matches!(maintained, Ok(Maintained::Snapshot(_))) && self.frames() == frames;
        let trimming = if trims { TRIM_BYTES } else { 0 };
        holds(left >= room || left + trimming >= reserve / 2, || {
            broken(format_args!("a snapshot leaves {left} bytes of a reserve of {reserve}"))
        })?;
        self.backlog.was_made = matches!(maintained, Ok(Maintained::Snapshot(_)));
        match maintained {
            Ok(Maintained::Nothing | Maintained::More) => {}
            Ok(Maintained::Snapshot(_)) => self.backlog = Backlog { was_made: true, ..Backlog::default() },
            Err(error) => {
                self.backlog.excused = self.behind(false);
                let is_damage = matches!(error, MaintainError::Open(OpenError::Corrupt(_)));
                self.backlog.failures += u32::from(is_damage);
            }
        }
        Ok(())
    }

    /// Checks that no snapshot would help, although space is short.
    fn judge_short(&self) -> Result<(), Broken> {
        let Journaling { reserve_bytes, snapshot_after_bytes, .. } = self.settings;
        let worth = (reserve_bytes / 16).min(snapshot_after_bytes).max(LEAST_BYTES);
        let (behind, most) =
            (self.behind(false), self.backlog.excused + (worth << self.backlog.failures.min(DOUBLINGS)));
        holds(behind < most, || {
            broken(format_args!("space is short, but with {behind} bytes behind the newest snapshot none is made"))
        })
    }

    /// Checks what is kept while the writer has nothing to do.
    pub(super) fn judge_rest(&self) -> Result<(), Broken> {
        let (behind, excused) = (self.behind(false), self.backlog.excused);
        holds(behind < excused + self.due_after(), || {
            broken(format_args!("{behind} bytes are behind the newest snapshot, but none is made"))
        })?;
        let kept = self.store.snapshots().len();
        let most = 2 + self.rot.rotten.len() + self.backlog.deaths;
        holds(kept <= most, || broken(format_args!("{kept} snapshots are kept, but only {most} are useful")))
    }
}

fn broken(what: impl std::fmt::Display) -> Broken {
    Broken::new("journal", 9, what)
}
