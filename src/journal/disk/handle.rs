//! An open journal on disk.

use core::fmt::Display;
use core::iter;
use std::boxed::Box;
use std::io;
use std::string::{String, ToString as _};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::vec::Vec;

use super::super::error::{OpenError, ReadError, WriteError};
use super::super::frame::FrameHash;
use super::super::sequence::Sequence;
use super::super::store::{Extent, FreeSpace, Journal};
use super::active::{Active, KEPT_FOR_OPENING_BYTES, Sizes};
use super::frames::Frames;
use super::marker;
use super::opening::{Held, refused};
use super::record::{RecordKind, bytes_of};
use super::segment::{self, Preface};
use super::snapshot_files::SnapshotFiles;
use super::volume::{Claim, OpenMode, Volume};

/// The most bytes of a frame or a part: far more than a group has, and few enough for the 4 bytes of a length.
pub(super) const LIMIT_BYTES: usize = 1 << 30;

/// Room that frames and snapshots leave, so that a full journal can be trimmed: a segment without frames, and what a
/// file system takes for its name.
const RESERVE_BYTES: u64 = 4096;

/// The bounds on the bytes of a journal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) max_bytes: u64,
    pub(super) sizes: Sizes,
}

/// An open journal on disk.
#[derive(Debug)]
pub(super) struct DiskJournal {
    volume: Arc<dyn Volume>,
    place: String,
    max_bytes: u64,
    frames: Frames,
    active: Active,
    snapshot_files: SnapshotFiles,
    /// Signals when the removal of the files that were trimmed last has ended.
    removal: Option<Receiver<()>>,
    /// True if nothing follows the last frame yet.
    unsealed: bool,
    /// The reason why it takes no more calls.
    broken: Option<String>,
    /// Unlocks the directory when it is dropped, last of all fields.
    _claim: Claim,
}

impl DiskJournal {
    /// Begins a segment behind what the directory holds.
    pub(super) fn open(
        volume: Arc<dyn Volume>,
        place: &str,
        claim: Claim,
        held: Option<Held>,
        bounds: Bounds,
    ) -> Result<Self, OpenError> {
        let is_marked = held.as_ref().is_some_and(|held| held.is_marked);
        let begun = Self::begin(Arc::clone(&volume), place, claim, held, bounds);
        let journal = begun.map_err(|error| not_begun(&*volume, place, &error))?;
        // Marked last: without the marker a directory is one in the making, and is opened again.
        if !is_marked {
            marker::set(&*journal.volume).map_err(|error| refused(&place, &error))?;
        }
        Ok(journal)
    }

    fn begin(
        volume: Arc<dyn Volume>,
        place: &str,
        claim: Claim,
        held: Option<Held>,
        Bounds { max_bytes, sizes }: Bounds,
    ) -> io::Result<Self> {
        let held = held.unwrap_or_else(Held::nothing);
        let newest = held.segments.back().map(|segment| (segment.number, segment.end));
        let (before, end_before) = newest.unwrap_or_default();
        let snapshot_files = SnapshotFiles::new(&volume, place, &held.snapshots);
        let mut frames = Frames::new(&volume, place, held.extent, held.segments);
        let Extent { first, end: base } = held.extent;
        let preface = Preface { base, first, end_before, before: held.link };
        if let Some((number, end)) = newest {
            // A segment that was not closed has most of its bytes unused: where the disk is full, these can be had.
            let file = segment::open(&*volume, number, OpenMode::Write)?;
            file.cut(end)?;
            frames.note(end, file.len()?);
        }
        let used = frames.bytes() + snapshot_files.bytes();
        // What the operating system has free may be less than the bound, and the other way round.
        let room = max_bytes.saturating_sub(used).min(volume.free_bytes()?);
        // The new segment has its name before the old one ends, so that a crash between them loses neither.
        let active = Active::begin(&volume, before + 1, &preface, sizes, room)?;
        if newest.is_some() {
            let file = segment::open(&*volume, before, OpenMode::Write)?;
            super::active::end(&file, before, end_before, before + 1)?;
            frames.note(end_before, file.len()?);
        }
        frames.push(active.number(), active.bytes());
        let (place, removal, unsealed, broken) = (place.into(), None, false, None);
        Ok(Self { volume, place, max_bytes, frames, active, snapshot_files, removal, unsealed, broken, _claim: claim })
    }

    fn fail(&mut self, cause: &dyn Display) -> WriteError {
        let cause = self.broken.insert(cause.to_string()).clone();
        WriteError::Unknown { cause }
    }

    /// Refuses to write after an error, and what is too large.
    fn admit(&self, bytes: usize) -> Result<(), WriteError> {
        self.writable()?;
        match bytes > LIMIT_BYTES {
            true => Err(WriteError::TooLarge { bytes, limit_bytes: LIMIT_BYTES }),
            false => Ok(()),
        }
    }

    fn writable(&self) -> Result<(), WriteError> {
        self.broken.as_ref().map_or(Ok(()), |cause| Err(WriteError::Unknown { cause: cause.clone() }))
    }

    fn readable(&self) -> Result<(), ReadError> {
        let refused = |cause: &String| ReadError::Io { place: self.place.clone(), cause: cause.clone() };
        self.broken.as_ref().map_or(Ok(()), |cause| Err(refused(cause)))
    }

    /// Returns the room that no file has yet. A disk that does not respond has none; [`Journal::reach`] distinguishes
    /// it from a full one.
    fn free(&self) -> u64 {
        let used = self.frames.bytes() + self.snapshot_files.bytes() + self.active.spare_bytes();
        let bound = self.max_bytes.saturating_sub(used);
        // A disk that does not respond is taken for full: nothing is written to it.
        bound.min(self.volume.free_bytes().unwrap_or(0))
    }

    /// Returns the same, for frames and snapshots.
    fn free_for_more(&self) -> u64 {
        self.free().saturating_sub(RESERVE_BYTES)
    }

    fn write(&mut self, kind: RecordKind, number: Sequence, body: &[u8]) -> Result<(), WriteError> {
        self.active.write(kind, number.number(), body).map_err(|error| self.fail(&error))?;
        self.frames.note(self.active.tail(), self.active.bytes());
        self.unsealed = kind == RecordKind::Frame;
        Ok(())
    }

    /// Accepts the last frame once more, if it has these bytes: it is durable already.
    fn repeat(&mut self, expected: Sequence, frame: &[u8]) -> Result<(), WriteError> {
        let Extent { first, end } = self.frames.extent;
        let mut is_same = false;
        if expected >= first && expected.next() == end {
            let read = self.frames.read(expected, 0, &mut |_, bytes| is_same = bytes == frame);
            read.map_err(|error| self.fail(&error))?;
        }
        if is_same { Ok(()) } else { Err(WriteError::Fenced) }
    }

    /// Continues in a new segment that has room for a frame of this size, if there is `room` for it.
    fn roll(&mut self, frame: usize, room: u64, first: Sequence) -> Result<(), WriteError> {
        // Checked before anything is tried, as a failed allocation may leave bytes behind.
        if super::active::bytes_for(frame) > room + self.active.spare_bytes() {
            return Err(WriteError::Full);
        }
        let (file, bytes) = match self.active.next_file(frame, room) {
            Ok(next) => next,
            Err(error) if error.kind() == io::ErrorKind::StorageFull => return Err(WriteError::Full),
            Err(error) => return Err(self.fail(&error)),
        };
        // The fields about the segment before are set by `followed_by`.
        let preface = Preface { base: self.frames.extent.end, first, end_before: 0, before: FrameHash::NONE };
        let preface = self.active.followed_by(preface);
        let (number, tail) = (self.active.number() + 1, self.active.tail());
        if let Err(error) = self.active.continue_in(file, bytes, &preface) {
            return Err(self.fail(&error));
        }
        self.frames.note(tail, tail + bytes_of(0) as u64);
        self.frames.push(number, bytes);
        self.unsealed = false;
        Ok(())
    }

    /// Continues in a new segment if a record without a body does not fit into this one.
    fn make_place(&mut self, first: Sequence) -> Result<(), WriteError> {
        if self.active.fits_mark() { Ok(()) } else { self.roll(0, self.free(), first) }
    }

    /// Removes what was trimmed, beside the caller: the removal of a large file takes milliseconds. What remains is
    /// removed at the next opening.
    fn forget(&mut self) {
        let mut names = self.snapshot_files.trim(self.frames.extent.first);
        names.extend(iter::from_fn(|| self.frames.drop_trimmed()).map(segment::name));
        if names.is_empty() {
            return;
        }
        let (volume, (sender, removed)) = (Arc::clone(&self.volume), sync_channel(1));
        self.volume.aside(Box::new(move || {
            // A name that stays is removed at the next opening.
            names.iter().for_each(|name| drop(volume.remove(name)));
            let _ = sender.send(());
        }));
        // One removal at a time: the names of the one before must be gone before their room counts.
        self.await_removal();
        self.removal = Some(removed);
    }

    /// Waits until what was trimmed is removed.
    fn await_removal(&mut self) {
        // Without a thread the files remain until the next opening.
        self.removal.take().map(|removed| removed.recv().ok());
    }

    /// Releases unused bytes of the newest segment, if that makes room for this many bytes.
    fn make_room(&mut self, bytes: u64) -> Result<(), WriteError> {
        let free = self.free_for_more();
        if bytes <= free {
            return Ok(());
        }
        // Even all unused bytes of the newest segment would not be enough.
        if bytes > free + self.active.room() + self.active.spare_bytes() {
            return Err(WriteError::Full);
        }
        self.active.release_unused(0).map_err(|error| self.fail(&error))?;
        self.frames.note(self.active.tail(), self.active.bytes());
        if bytes > self.free_for_more() { Err(WriteError::Full) } else { Ok(()) }
    }

    /// Marks all that was acknowledged as durable, and releases what the next opening does not need.
    fn close(&mut self) -> Result<(), WriteError> {
        self.await_removal();
        self.seal()?;
        self.active.release_unused(KEPT_FOR_OPENING_BYTES).map_err(|error| self.fail(&error))
    }
}

/// Returns the error of a journal behind which no segment could be begun.
fn not_begun(volume: &dyn Volume, place: &str, error: &io::Error) -> OpenError {
    if error.kind() != io::ErrorKind::StorageFull {
        return refused(&place, error);
    }
    let (free, needed) = (volume.free_bytes().unwrap_or_default(), super::active::bytes_for(0));
    let cause = std::format!(
        "the disk is full: {free} bytes of it are free, and opening the journal takes {needed} at least: make room; what \
         the journal holds stays, and can be read meanwhile"
    );
    OpenError::Io { place: place.into(), cause }
}

impl Journal for DiskJournal {
    fn extent(&self) -> Extent {
        self.frames.extent
    }

    fn room(&self) -> FreeSpace {
        // The newest segment has room that no other file can take.
        let kept = self.active.room().saturating_add(self.active.spare_bytes());
        FreeSpace(self.free().saturating_add(kept).saturating_sub(RESERVE_BYTES))
    }

    fn reach(&self) -> Result<(), WriteError> {
        self.volume.reach().map_err(|error| WriteError::Unreachable { cause: error.to_string() })
    }

    fn append(&mut self, expected: Sequence, frame: &[u8]) -> Result<(), WriteError> {
        self.admit(frame.len())?;
        // Checked at each append: writes to a directory that was replaced would be lost.
        self.reach()?;
        if expected != self.frames.extent.end {
            return self.repeat(expected, frame);
        }
        if !self.active.fits(frame.len()) {
            self.roll(frame.len(), self.free_for_more(), self.frames.extent.first)?;
        }
        self.write(RecordKind::Frame, expected, frame)?;
        self.frames.extent.end = expected.next();
        // Prepared ahead, beside the appends: zeroing a large segment would hold up one of them.
        if self.active.wants_next() {
            self.active.prepare(self.free_for_more());
        }
        Ok(())
    }

    fn read(
        &mut self,
        from: Sequence,
        limit_bytes: usize,
        visit: &mut dyn FnMut(Sequence, &[u8]),
    ) -> Result<Sequence, ReadError> {
        self.readable()?;
        self.frames.read(from, limit_bytes, visit)
    }

    fn put_snapshot(&mut self, at: Sequence, part: u32, bytes: &[u8], last: bool) -> Result<(), WriteError> {
        self.admit(bytes.len())?;
        // The room of unused bytes is for snapshots, too, where nothing else is left.
        self.make_room(bytes_of(bytes.len()) as u64)?;
        match self.snapshot_files.put(at, part, bytes, last) {
            Ok(true) if at >= self.frames.extent.first => Ok(()),
            Ok(_) => {
                Err(self.fail(&std::format_args!("part {part} of the snapshot before frame {at} follows nothing")))
            }
            Err(error) if error.kind() == io::ErrorKind::StorageFull => Err(WriteError::Full),
            Err(error) => Err(self.fail(&error)),
        }
    }

    fn drop_unfinished(&mut self) {
        self.snapshot_files.drop_unfinished();
    }

    fn snapshots(&mut self) -> Result<Vec<Sequence>, ReadError> {
        self.readable()?;
        Ok(self.snapshot_files.list())
    }

    fn snapshot(&mut self, at: Sequence, part: u32) -> Result<Option<Vec<u8>>, ReadError> {
        self.readable()?;
        self.snapshot_files.get(at, part)
    }

    fn trim(&mut self, below: Sequence) -> Result<(), WriteError> {
        self.writable()?;
        let Extent { first, end } = self.frames.extent;
        let below = below.min(end);
        if below <= first {
            return Ok(());
        }
        self.make_place(below)?;
        // The record comes before the removal: after a crash in between the next opening removes the files.
        self.write(RecordKind::Trim, below, &[])?;
        self.frames.extent.first = below;
        self.forget();
        // The bytes of the newest segment are free only once another one follows it.
        if below == end && self.frames.newest_has_frames() {
            match self.roll(0, self.free(), below) {
                Ok(()) => self.forget(),
                // Nothing is lost by that: the bytes become free with a later segment.
                Err(WriteError::Full) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn seal(&mut self) -> Result<(), WriteError> {
        self.writable()?;
        if !self.unsealed {
            return Ok(());
        }
        let Extent { first, end } = self.frames.extent;
        self.make_place(first)?;
        // Rolling has sealed it: the record `end` is a watermark, too.
        if self.unsealed { self.write(RecordKind::Seal, end, &[]) } else { Ok(()) }
    }
}

impl Drop for DiskJournal {
    fn drop(&mut self) {
        // Whatever fails now, the next opening reads what is there.
        let _ = self.close();
    }
}
