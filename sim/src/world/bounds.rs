//! Bounds of a journal: of the frames behind its newest snapshot, of its snapshots, and of their times.

use eventful::journal::{MaintainError, Maintained, OpenError, Sequence};

use super::backlog::Backlog;
use super::journal::WorldJournal;
use crate::failure::{Broken, holds};
use crate::scenario::Journaling;

/// Bytes that trimming may take before it frees any: its record, and what begins and ends a segment where that record
/// has no place in the newest one. Without them a full disk could not be trimmed, so they may be of the half that parts
/// and the frame behind a snapshot must leave.
const TRIM_BYTES: u64 = 4 * 512;

/// Bytes of a frame with a fact, at least.
const LEAST_BYTES: u64 = 45;

/// Attempts that fail of damage double the bytes that are waited for, at most so often.
const DOUBLINGS: u32 = 6;

impl WorldJournal {
    /// Bytes of the frames behind the newest snapshot, or the newest sound one.
    pub(super) fn behind(&self, is_sound: bool) -> u64 {
        let snapshots = self.store.snapshots();
        let newest = snapshots.iter().rev().find(|at| !is_sound || !self.rot.rotten.contains(*at));
        self.store.bytes_from(newest.copied().unwrap_or(Sequence::FIRST))
    }

    /// Bytes of frames after which the next snapshot is due.
    fn due_after(&self) -> u64 {
        self.settings.snapshot_after_bytes << self.backlog.failures.min(DOUBLINGS)
    }

    /// Judges a step towards a snapshot, before which so much was behind the newest sound one, so much room free, and
    /// so many frames ever appended.
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
            broken(format_args!("a snapshot is begun with {behind} bytes behind the newest one, and none is due"))
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

    /// Judges that no snapshot is of use, although room is short.
    fn judge_short(&self) -> Result<(), Broken> {
        let Journaling { reserve_bytes, snapshot_after_bytes, .. } = self.settings;
        let worth = (reserve_bytes / 16).min(snapshot_after_bytes).max(LEAST_BYTES);
        let (behind, most) =
            (self.behind(false), self.backlog.excused + (worth << self.backlog.failures.min(DOUBLINGS)));
        holds(behind < most, || {
            broken(format_args!("room is short, and with {behind} bytes behind the newest snapshot none is made"))
        })
    }

    /// Judges what is kept while the writer has nothing to do.
    pub(super) fn judge_rest(&self) -> Result<(), Broken> {
        let (behind, excused) = (self.behind(false), self.backlog.excused);
        holds(behind < excused + self.due_after(), || {
            broken(format_args!("{behind} bytes are behind the newest snapshot, and none is made"))
        })?;
        let kept = self.store.snapshots().len();
        let most = 2 + self.rot.rotten.len() + self.backlog.deaths;
        holds(kept <= most, || broken(format_args!("{kept} snapshots are kept, and {most} are of use")))
    }
}

fn broken(what: impl std::fmt::Display) -> Broken {
    Broken::new("journal", 9, what)
}
