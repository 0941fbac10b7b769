//! The times at which snapshots are due, and the state of the one that is being made.

use std::boxed::Box;
use std::vec::Vec;

use super::error::{Corrupt, MaintainError, OpenError};
use super::frame::{self, FrameHash};
use super::loading::SnapshotParts;
use super::merge::{CopyingRecords, GatheringKeys, Replaying, Writing};
use super::parts::PART_BYTES;
use super::sequence::Sequence;
use super::store::{FreeSpace, Journal};
use crate::engine::Config;

/// The number of damaged snapshots whose damage is kept until it is asked for. Any small number would do: a journal
/// rarely has more than two snapshots.
const DAMAGED: usize = 16;

/// The number of times that the bytes before the next attempt double, after attempts that damage failed: 64 times as
/// many bytes are rare enough that a journal which stays damaged does little in vain, and a mended one still gets its
/// snapshot.
const DOUBLINGS: u32 = 6;

/// The plan for the next snapshot, and the one that is being made.
#[derive(Debug)]
pub(super) struct Snapshots {
    pub(super) config: Config,
    pub(super) part_bytes: usize,
    /// Bytes of frames after which a snapshot is due.
    pub(super) after_bytes: u64,
    /// Bytes of frames since the last snapshot.
    pub(super) since: u64,
    /// The value of `since` when the snapshot that is being made began to gather its frames.
    pub(super) gathered: u64,
    /// Bytes of frames in the snapshot that is being made, besides those of the one before.
    pub(super) held: u64,
    /// Free space that is not for new events. Below it and a quarter more, space is short.
    pub(super) reserve: u64,
    /// True if one is due, however few bytes there were.
    pub(super) again: bool,
    /// Attempts in a row that damage failed.
    pub(super) failures: u32,
    /// The snapshot from which the next one is made, and older ones in case that it is damaged.
    pub(super) base: Option<Sequence>,
    pub(super) older: Vec<Sequence>,
    pub(super) damaged: Vec<Corrupt>,
    pub(super) stage: SnapshotStage,
}

/// The stage of the snapshot that is being made.
#[derive(Debug)]
pub(super) enum SnapshotStage {
    /// None is being made.
    Idle,
    Gathering(Box<GatheringKeys>),
    Copying(Box<CopyingRecords>),
    Replaying(Box<Replaying>),
    Writing(Box<Writing>),
    /// Parts are being read back. The last one has this link; none when an earlier opening wrote them.
    Verifying {
        parts: Box<SnapshotParts>,
        written: Option<FrameHash>,
    },
}

impl Snapshots {
    pub(super) fn new(config: Config, after_bytes: u64) -> Self {
        Self {
            config,
            part_bytes: PART_BYTES,
            after_bytes,
            since: 0,
            gathered: 0,
            held: 0,
            reserve: 0,
            again: false,
            failures: 0,
            base: None,
            older: Vec::new(),
            damaged: Vec::new(),
            stage: SnapshotStage::Idle,
        }
    }

    /// Returns whether a snapshot is due: after so many bytes, or after few when they make space short. The free space
    /// is read only when that decides.
    pub(super) fn is_due(&self, journal: &dyn Journal) -> bool {
        let pause = 1 << self.failures.min(DOUBLINGS);
        let has_grown_by = |bytes: u64| self.since >= bytes.saturating_mul(pause);
        self.again || has_grown_by(self.after_bytes) || (has_grown_by(self.worth()) && self.is_short(journal.room()))
    }

    /// Returns the bytes of frames that are worth a snapshot where space is short. A snapshot without facts is not.
    pub(super) fn worth(&self) -> u64 {
        (self.reserve / 16).min(self.after_bytes).max(frame::HEADER_BYTES as u64 + 1)
    }

    pub(super) fn is_short(&self, FreeSpace(room): FreeSpace) -> bool {
        room < self.reserve.saturating_add(self.reserve / 4)
    }

    /// Counts bytes that were appended.
    pub(super) fn note(&mut self, bytes: usize) {
        self.since += bytes as u64;
    }

    /// Keeps what is wrong with snapshots until that is asked for.
    pub(super) fn note_damaged(&mut self, damaged: impl IntoIterator<Item = Corrupt>) {
        self.damaged.extend(damaged);
        self.damaged.truncate(DAMAGED);
    }

    /// Abandons the snapshot that is being made.
    pub(super) fn abandon(&mut self, error: &MaintainError) {
        // From zero, so that the next attempt does not follow at once, and fail in the same way.
        (self.since, self.again) = (0, false);
        let is_damage = matches!(error, MaintainError::Open(OpenError::Corrupt(_)));
        self.failures = self.failures.saturating_add(is_damage.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::memory::MemoryStore;
    use crate::journal::store::{JournalStore as _, Owner};

    #[test]
    fn frame_without_facts_is_not_worth_a_snapshot() {
        let journal = MemoryStore::bounded(10).open(&Owner::new("a test")).expect("memory");
        let mut snapshots = Snapshots::new(Config::default(), 1 << 20);
        snapshots.reserve = 16;
        snapshots.note(frame::HEADER_BYTES);
        assert!(snapshots.is_short(journal.room()) && !snapshots.is_due(&*journal));

        snapshots.note(1);
        assert!(snapshots.is_due(&*journal));
    }
}
