//! When the next snapshot is due, and how far the one that is being made has come.

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

/// Damaged snapshots of which is kept what is wrong with them, until that is asked for.
const DAMAGED: usize = 16;

/// Doublings of the bytes that an attempt waits for.
const DOUBLINGS: u32 = 6;

/// The plan for the next snapshot, and the one that is being made.
#[derive(Debug)]
pub(super) struct Snapshots {
    pub(super) config: Config,
    pub(super) part_bytes: usize,
    /// Bytes of frames that call for a snapshot.
    pub(super) after_bytes: u64,
    /// Bytes of frames since the last one.
    pub(super) since: u64,
    /// As many of these were there when the one being made began to gather its frames.
    pub(super) gathered: u64,
    /// Bytes of frames that the one being made stands for, besides those of the one before.
    pub(super) held: u64,
    /// Room that is not for new events. Below it and a quarter more, room is short.
    pub(super) reserve: u64,
    /// One is due, however few bytes there were.
    pub(super) again: bool,
    /// Attempts that failed of damage, one after the other.
    pub(super) failures: u32,
    /// The one that the next one is made of, and older ones in case that it is damaged.
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
    /// Parts are being read back. The last one has this link; nothing when another life wrote them.
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

    /// Returns whether one is due: after so many bytes, or of few when that makes room that is short. The room
    /// is only asked for when that decides.
    pub(super) fn is_due(&self, journal: &dyn Journal) -> bool {
        let pause = 1 << self.failures.min(DOUBLINGS);
        let is_over = |bytes: u64| self.since >= bytes.saturating_mul(pause);
        self.again || is_over(self.after_bytes) || (is_over(self.worth()) && self.is_short(journal.room()))
    }

    /// Bytes of frames that are worth a snapshot where room is short. One without facts is not.
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

    /// Gives up the one that is being made.
    pub(super) fn abandon(&mut self, error: &MaintainError) {
        (self.since, self.again) = (0, false);
        let is_damage = matches!(error, MaintainError::Open(OpenError::Corrupt(_)));
        self.failures = self.failures.saturating_add(is_damage.into());
    }
}
