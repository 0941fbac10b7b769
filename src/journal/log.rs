//! The engine's journal, written frame by frame: one frame for each group of facts.

use std::boxed::Box;
use std::vec::Vec;

use super::due::Snapshots;
use super::error::WriteError;
use super::frame::{self, Header};
use super::position::FramePosition;
use super::sequence::Sequence;
use super::store::{FreeSpace, Journal};
use super::wire;
use crate::engine::{
    Config, Epoch, Shard,
    facts::{Change, Fact},
};

/// An open journal, at its end. [`recover`](super::recover) opens one.
#[derive(Debug)]
pub struct JournalLog {
    pub(super) journal: Box<dyn Journal>,
    pub(super) position: FramePosition,
    pub(super) snapshots: Snapshots,
    frame: Vec<u8>,
}

impl JournalLog {
    pub(super) fn new(journal: Box<dyn Journal>, position: FramePosition, config: Config, snapshot_after: u64) -> Self {
        let snapshots = Snapshots::new(config, snapshot_after);
        Self { journal, position, snapshots, frame: Vec::new() }
    }

    /// Returns the number of the next frame.
    pub fn next(&self) -> Sequence {
        self.position.next
    }

    /// Returns the bytes that it can still take.
    pub fn room(&self) -> FreeSpace {
        self.journal.room()
    }

    /// Checks that writes would be found again. See [`Journal::reach`].
    ///
    /// # Errors
    ///
    /// [`WriteError::Unreachable`]
    pub fn reach(&self) -> Result<(), WriteError> {
        self.journal.reach()
    }

    /// Appends a group of facts as one frame. They are durable when this returns.
    ///
    /// # Errors
    ///
    /// [`WriteError`]. After any but [`WriteError::Full`], [`WriteError::Unreachable`] and [`WriteError::TooLarge`]
    /// the log must not be used any more.
    pub fn append(&mut self, facts: &[Fact]) -> Result<(), WriteError> {
        // A group that opens an engine belongs to the epoch that it begins: the last one, if there were several.
        let epoch = facts.iter().rev().find_map(opened).unwrap_or(self.position.epoch);
        let FramePosition { next: sequence, previous, .. } = self.position;
        let header = Header { shard: Shard::default(), epoch, sequence, previous };
        // The memory of the last frame is used again: groups have about the same size.
        self.frame.clear();
        let link = frame::encode_with(frame::VERSION, &header, &mut self.frame, |out| {
            facts.iter().for_each(|fact| wire::encode(fact, out));
        })?;
        self.journal.append(sequence, &self.frame)?;
        // Only now: after an error the next frame has the same number, if anything is appended at all.
        self.position = FramePosition { next: sequence.next(), previous: link, epoch };
        self.snapshots.note(self.frame.len());
        Ok(())
    }

    /// To be called when nothing was appended for a while.
    ///
    /// # Errors
    ///
    /// [`WriteError`]
    pub fn seal(&mut self) -> Result<(), WriteError> {
        self.journal.seal()
    }
}

/// Returns the epoch that this fact begins.
fn opened(fact: &Fact) -> Option<Epoch> {
    if let Change::Epoch(epoch) = fact.change { Some(epoch) } else { None }
}
