//! The writing of a snapshot's parts.
//!
//! Each part is a frame whose sequence is the snapshot's and whose link is the part before; the
//! first part's is the link of the frame that the snapshot ends with.

use std::vec::Vec;

use super::error::WriteError;
use super::frame::{self, FrameHash, Header};
use super::position::FramePosition;
use super::store::{FreeSpace, Journal};
use crate::engine::Shard;

/// The largest number of bytes in a part, besides those of one more record. A part is one write and one sync, and an
/// append waits for it: 256 KiB take a few milliseconds.
pub(super) const PART_BYTES: usize = 256 << 10;

/// Bytes of the room that a part takes around its own, at most. On disk that is the head of a record, and what fills its
/// last sector.
const AROUND_BYTES: u64 = 1024;

/// The parts of the snapshot of everything before a position.
#[derive(Debug)]
pub(super) struct PartWriter {
    position: FramePosition,
    part_bytes: usize,
    /// The number of the next part.
    part: u32,
    /// The link of the part before.
    link: FrameHash,
    body: Vec<u8>,
}

impl PartWriter {
    pub(super) const fn new(position: FramePosition, part_bytes: usize) -> Self {
        Self { position, part_bytes, part: 0, link: position.previous, body: Vec::new() }
    }

    /// Returns the position of the frame after the snapshot.
    pub(super) const fn position(&self) -> FramePosition {
        self.position
    }

    /// Returns the link of the last part.
    pub(super) const fn link(&self) -> FrameHash {
        self.link
    }

    /// Returns whether the next part is to be put.
    pub(super) const fn is_full(&self) -> bool {
        self.body.len() >= self.part_bytes
    }

    /// Adds an item to the next part.
    pub(super) fn add(&mut self, item: &[u8]) {
        self.body.extend_from_slice(item);
    }

    /// Adds to the next part what `write` appends.
    pub(super) fn add_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.body);
    }

    /// Puts the next part, if that leaves half of the reserve.
    pub(super) fn put(&mut self, journal: &mut dyn Journal, reserve: u64, last: bool) -> Result<(), WriteError> {
        let FramePosition { next: at, epoch, .. } = self.position;
        let header = Header { shard: Shard::default(), epoch, sequence: at, previous: self.link };
        let mut bytes = Vec::new();
        let body = &mut self.body;
        // `append` empties the body, and leaves its memory for the next part.
        let link = frame::encode_with(frame::SNAPSHOT_VERSION, &header, &mut bytes, |out| out.append(body))?;
        // With the bytes around the part, so that the reserve is kept to the byte.
        admit(bytes.len() as u64 + AROUND_BYTES, reserve, journal.room())?;
        journal.put_snapshot(at, self.part, &bytes, last)?;
        (self.part, self.link) = (self.part + 1, link);
        Ok(())
    }
}

/// Refuses a write that would not leave half of the reserve.
pub(super) fn admit(bytes: u64, reserve: u64, FreeSpace(room): FreeSpace) -> Result<(), WriteError> {
    if bytes.saturating_add(reserve / 2) > room { Err(WriteError::Full) } else { Ok(()) }
}
