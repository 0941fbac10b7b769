//! A copy of a journal, made while its owner writes to it.

use std::io;
use std::sync::Arc;
use std::vec;

use super::super::error::{MaintainError, OpenError};
use super::super::inspect;
use super::super::sequence::Sequence;
use super::super::store::{Extent, Journal as _, Owner};
use super::active::end;
use super::copying::UnfinishedCopy;
use super::directory::Directory;
use super::opening::refused;
use super::read_only::ReadOnly;
use super::reader::SharedFile;
use super::volume::{OpenMode, Volume as _};
use super::{DiskStore, StoreVolume, marker, segment, snapshot_files};

/// Bytes that are copied at once: enough that calls cost little, and few enough for memory.
const CHUNK_BYTES: usize = 1 << 20;

/// The contents of a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackedUp {
    /// Its frames.
    pub extent: Extent,
    /// The number of snapshots in it.
    pub snapshots: usize,
    /// The bytes that were copied.
    pub bytes: u64,
}

impl DiskStore {
    /// Copies this journal as it is now into `to`, a new one: all frames that are durable, and the snapshots. Its
    /// owner may write to it meanwhile. Every frame is checked before, and the copy is in its directory only when it
    /// is whole.
    ///
    /// # Errors
    ///
    /// [`MaintainError`] when there is no journal, or a frame of it is damaged; or when `to` cannot be written, or is
    /// not new. Then no copy is made.
    pub fn backup(&self, to: &Self, owner: &Owner) -> Result<BackedUp, MaintainError> {
        let directory = to.directory()?;
        let mut from = self.open_to_read()?;
        // Read and checked first: a copy of a damaged journal would pass for a backup.
        inspect::facts(&mut from, &mut |_, _| {})?;
        let copying = UnfinishedCopy::begin(directory, owner)?;
        let copied = copy(&from, directory);
        let bytes = copied.map_err(|error| refused(&directory.place(), &error))?;
        copying.finish()?;
        Ok(BackedUp { extent: from.extent(), snapshots: from.snapshot_files.list().len(), bytes })
    }

    /// Returns the directory of this store.
    pub(super) fn directory(&self) -> Result<&Directory, OpenError> {
        match &self.medium {
            StoreVolume::Directory(directory) => Ok(directory),
            StoreVolume::Volume { place, .. } => {
                Err(OpenError::Io { place: place.clone(), cause: "it is not a directory".into() })
            }
        }
    }
}

/// Copies all files, and returns their bytes.
fn copy(from: &ReadOnly, to: &Directory) -> io::Result<u64> {
    let mut copied = 0;
    let newest = from.frames.segments.back().map(|newest| newest.number);
    for held in &from.frames.segments {
        let file = held.file.clone().ok_or(io::ErrorKind::NotFound)?;
        let copy = copy_file(&file, held.end, to, &segment::name(held.number))?;
        // The records up to `held.end` are without the one that ends the segment, so the copy gets its own.
        if newest != Some(held.number) {
            end(&copy, held.number, held.end, held.number + 1)?;
        }
        copied += held.end;
    }
    for at in from.snapshot_files.list() {
        let (bytes, file) = from.snapshot_files.file(at)?.ok_or(io::ErrorKind::NotFound)?;
        copy_file(&file, bytes, to, &snapshot_files::name(at))?;
        copied += bytes;
    }
    to.sync_names()?;
    // Last: it marks a journal whose files are all there.
    marker::set(to)?;
    Ok(copied)
}

/// Copies the first bytes of a file, durably.
fn copy_file(from: &SharedFile, bytes: u64, to: &Directory, name: &str) -> io::Result<SharedFile> {
    let copy = to.open(name, OpenMode::Create)?;
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut at = 0;
    while at < bytes {
        let length = usize::try_from(bytes - at).unwrap_or(usize::MAX).min(CHUNK_BYTES);
        from.read_at(at, &mut chunk[..length])?;
        copy.write_at(at, &chunk[..length])?;
        at += length as u64;
    }
    copy.sync()?;
    Ok(Arc::new(copy))
}

impl BackedUp {
    /// Returns the first frame that is not in it.
    pub const fn end(&self) -> Sequence {
        self.extent.end
    }
}
