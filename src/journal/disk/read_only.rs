//! A journal that is only read, perhaps while its owner writes to it.

use std::string::String;
use std::sync::Arc;
use std::vec::Vec;

use super::super::error::{OpenError, ReadError, WriteError};
use super::super::sequence::Sequence;
use super::super::store::{Extent, FreeSpace, Journal};
use super::frames::Frames;
use super::opening::{Held, Purpose, hold, refused};
use super::snapshot_files::SnapshotFiles;
use super::volume::Volume;

/// The number of times that a directory is read again because its owner changes it meanwhile. An owner changes files
/// far more rarely than they are read; more tries in vain mean that something else is wrong.
const ATTEMPTS: usize = 8;

/// A journal as it was when it was opened: later writes of its owner are not seen, and removed files can still be
/// read.
#[derive(Debug)]
pub(super) struct ReadOnly {
    pub(super) frames: Frames,
    pub(super) snapshot_files: SnapshotFiles,
}

impl ReadOnly {
    /// Opens what the directory holds up to its watermark.
    pub(super) fn open(volume: &Arc<dyn Volume>, place: &str) -> Result<Self, OpenError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let held = hold(&**volume, place, Purpose::Read).and_then(|held| Self::keep(volume, place, held));
            match held {
                Err(OpenError::Io { .. } | OpenError::Corrupt(_)) if attempts < ATTEMPTS => {}
                held => return held,
            }
        }
    }

    fn keep(volume: &Arc<dyn Volume>, place: &str, held: Option<Held>) -> Result<Self, OpenError> {
        let nothing = || OpenError::Io { place: place.into(), cause: "there is no journal in it".into() };
        let held = held.ok_or_else(nothing)?;
        let mut snapshot_files = SnapshotFiles::new(volume, place, &held.snapshots);
        snapshot_files.keep_open().map_err(|error| refused(&place, &error))?;
        Ok(Self { frames: Frames::new(volume, place, held.extent, held.segments), snapshot_files })
    }
}

fn refuse<T>() -> Result<T, WriteError> {
    let cause: String = "it was opened to be read only".into();
    Err(WriteError::Unreachable { cause })
}

impl Journal for ReadOnly {
    fn extent(&self) -> Extent {
        self.frames.extent
    }

    fn room(&self) -> FreeSpace {
        FreeSpace(0)
    }

    fn append(&mut self, _: Sequence, _: &[u8]) -> Result<(), WriteError> {
        refuse()
    }

    fn read(
        &mut self,
        from: Sequence,
        limit_bytes: usize,
        visit: &mut dyn FnMut(Sequence, &[u8]),
    ) -> Result<Sequence, ReadError> {
        self.frames.read(from, limit_bytes, visit)
    }

    fn put_snapshot(&mut self, _: Sequence, _: u32, _: &[u8], _: bool) -> Result<(), WriteError> {
        refuse()
    }

    fn snapshots(&mut self) -> Result<Vec<Sequence>, ReadError> {
        Ok(self.snapshot_files.list())
    }

    fn snapshot(&mut self, at: Sequence, part: u32) -> Result<Option<Vec<u8>>, ReadError> {
        self.snapshot_files.get(at, part)
    }

    fn trim(&mut self, _: Sequence) -> Result<(), WriteError> {
        refuse()
    }
}
