//! The segment that is being written.

use std::io;
use std::sync::Arc;

use super::super::frame::FrameHash;
use super::reader::SharedFile;
use super::record::{self, ALIGN_BYTES, RecordBuffer, RecordKind, RecordPlace, bytes_of};
use super::segment::{self, HEAD_RECORD_BYTES, NEW, Preface};
use super::spare::{Ahead, Spare, make};
use super::volume::Volume;

/// Bytes of a record without a body.
const MARK_BYTES: u64 = bytes_of(0) as u64;

/// Bytes behind a frame that are kept for a seal, a trim and the end of the segment: without them a full segment could
/// not be ended.
const KEPT_BYTES: u64 = 3 * MARK_BYTES;

/// Bytes behind the last record that a closed journal keeps of the disk, where its newest segment has them. The next
/// opening takes its segment of them, if others have filled the disk meanwhile: 4 KiB, and the rest is for outcomes.
pub(super) const KEPT_FOR_OPENING_BYTES: u64 = 64 << 10;

/// Room that an opening leaves: a block of a file system for the end of the segment before, and one for names.
const END_BYTES: u64 = 2 * 4096;

/// Average bytes of records from which on zeroing a segment costs more than it saves. Measured: with groups of 25 KiB
/// it brings a quarter more of them per second, with 70 KiB it costs a quarter.
const ZEROED_BELOW_BYTES: u64 = 48 << 10;

/// The sizes of segments.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    /// The bytes of the first one of an opening. Each one that follows has twice as many.
    pub(super) first: u64,
    pub(super) most: u64,
}

/// The newest segment, the only one that is written.
#[derive(Debug)]
pub(super) struct Active {
    volume: Arc<dyn Volume>,
    number: u64,
    file: SharedFile,
    /// The byte at which its records end, and the number of records behind the head.
    tail: u64,
    records: u64,
    /// Bytes of its file.
    bytes: u64,
    /// The link of its head.
    link: FrameHash,
    /// The bytes of the next segment, where there is room.
    next_bytes: u64,
    most: u64,
    spare: Option<Spare>,
    record: RecordBuffer,
}

impl Active {
    /// Begins a segment of a journal that is being opened, durably.
    pub(super) fn begin(
        volume: &Arc<dyn Volume>,
        number: u64,
        preface: &Preface,
        sizes: Sizes,
        room: u64,
    ) -> io::Result<Self> {
        // Where others have left little they would take the rest of it, too. The segment before still gets its end.
        let left = room.saturating_sub(END_BYTES) / ALIGN_BYTES as u64 * ALIGN_BYTES as u64;
        let needed = KEPT_FOR_OPENING_BYTES.min(sizes.first).min(left).max(bytes_for(0));
        let bytes = sized(sizes.first, needed, room);
        let file = make(&**volume, bytes, Ahead::Zeroed)?;
        let link = name(&**volume, &file, number, preface)?;
        let (volume, tail) = (Arc::clone(volume), HEAD_RECORD_BYTES);
        let next_bytes = sizes.first.saturating_mul(2).min(sizes.most);
        Ok(Self {
            volume,
            number,
            file,
            tail,
            records: 0,
            bytes,
            link,
            next_bytes,
            most: sizes.most,
            spare: None,
            record: RecordBuffer::default(),
        })
    }

    /// Returns its number.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// Returns the byte at which its records end.
    pub(super) const fn tail(&self) -> u64 {
        self.tail
    }

    /// Returns the bytes of its file.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the bytes of the file that is prepared for the next one.
    pub(super) fn spare_bytes(&self) -> u64 {
        self.spare.as_ref().map_or(0, Spare::bytes)
    }

    /// Returns the bytes of frames that it can still take.
    pub(super) const fn room(&self) -> u64 {
        self.bytes.saturating_sub(self.tail + KEPT_BYTES)
    }

    /// Returns whether a frame of this many bytes fits.
    pub(super) const fn fits(&self, frame: usize) -> bool {
        bytes_of(frame) as u64 <= self.room()
    }

    /// Returns whether a record without a body fits, and the end of the segment behind it.
    pub(super) const fn fits_mark(&self) -> bool {
        self.tail + 2 * MARK_BYTES <= self.bytes
    }

    /// Writes a record behind the others, and makes it durable.
    pub(super) fn write(&mut self, kind: RecordKind, number: u64, body: &[u8]) -> io::Result<()> {
        let place = RecordPlace { file: self.number, at: self.tail };
        record::encode(kind, number, body, place, &mut self.record);
        self.file.write_at(self.tail, self.record.bytes())?;
        // One write and one sync for each group: the bytes were allocated and zeroed before.
        self.file.sync()?;
        self.tail += bytes_of(body.len()) as u64;
        self.records += 1;
        Ok(())
    }

    /// Returns whether the next segment is to be prepared: this one is half full.
    pub(super) const fn wants_next(&self) -> bool {
        self.spare.is_none() && self.tail > self.bytes / 2
    }

    /// Begins to prepare the next segment, when there is plenty of room.
    pub(super) fn prepare(&mut self, room: u64) {
        // An eighth at most, like every segment: where less is free, the next one is made when it is needed, and
        // smaller.
        if room / 8 >= self.next_bytes {
            self.spare = Some(Spare::begin(&self.volume, self.next_bytes, self.ahead()));
        }
    }

    /// Returns how to prepare the next segment: zeros cost as many bytes of the disk as the records that replace them.
    const fn ahead(&self) -> Ahead {
        // The average of this segment is the best guess for the next one.
        let average = (self.tail - HEAD_RECORD_BYTES) / if self.records == 0 { 1 } else { self.records };
        if average < ZEROED_BELOW_BYTES { Ahead::Zeroed } else { Ahead::Allocated }
    }

    /// Returns the file of the next segment, for a frame of this many bytes, while other files can take `room`. It has
    /// no name yet.
    pub(super) fn next_file(&mut self, frame: usize, room: u64) -> io::Result<(SharedFile, u64)> {
        let needed = bytes_for(frame);
        // A spare that failed, or that is too small, is replaced: its error may be of the past.
        if let Some(spare) = self.spare.take() {
            let bytes = spare.bytes();
            if let Ok(file) = spare.take()
                && bytes >= needed
            {
                return Ok((file, bytes));
            }
        }
        let bytes = sized(self.next_bytes, needed, room);
        Ok((make(&*self.volume, bytes, self.ahead())?, bytes))
    }

    /// Continues in this file, durably, and ends the segment before.
    pub(super) fn continue_in(&mut self, file: SharedFile, bytes: u64, preface: &Preface) -> io::Result<()> {
        let number = self.number + 1;
        let link = name(&*self.volume, &file, number, preface)?;
        // The new segment is durable under its name before the old one ends.
        end(&self.file, self.number, self.tail, number)?;
        (self.number, self.file, self.link) = (number, file, link);
        (self.tail, self.records, self.bytes) = (HEAD_RECORD_BYTES, 0, bytes);
        self.next_bytes = self.next_bytes.saturating_mul(2).min(self.most);
        Ok(())
    }

    /// Returns the preface of the segment that follows, as far as it depends on this one.
    pub(super) const fn followed_by(&self, preface: Preface) -> Preface {
        Preface { end_before: self.tail, before: self.link, ..preface }
    }

    /// Releases the bytes that it has not used yet, but for so many.
    pub(super) fn release_unused(&mut self, kept: u64) -> io::Result<()> {
        if let Some(spare) = self.spare.take() {
            // The result of the preparation does not matter any more.
            let _ = spare.take();
            self.volume.remove(NEW)?;
        }
        let used = self.tail + KEPT_BYTES + kept;
        if used < self.bytes {
            self.file.cut(used)?;
            self.bytes = used;
        }
        Ok(())
    }
}

/// Ends a segment whose records end at `tail`: it continues in another one, which is durable. Its unused bytes are
/// released.
pub(super) fn end(file: &SharedFile, number: u64, tail: u64, next: u64) -> io::Result<()> {
    let mut record = RecordBuffer::default();
    record::encode(RecordKind::End, next, &[], RecordPlace { file: number, at: tail }, &mut record);
    file.write_at(tail, record.bytes())?;
    file.sync()?;
    // After the sync: a crash before the cut only leaves unused bytes behind.
    file.cut(tail + MARK_BYTES)
}

/// Returns the bytes of a segment that has room for a frame of this size.
pub(super) const fn bytes_for(frame: usize) -> u64 {
    HEAD_RECORD_BYTES + bytes_of(frame) as u64 + KEPT_BYTES
}

/// Returns the bytes of a segment: the wanted ones, but an eighth of the room at most, because snapshots need room,
/// too.
fn sized(wanted: u64, needed: u64, room: u64) -> u64 {
    wanted.min(room / 8).max(needed).next_multiple_of(ALIGN_BYTES as u64)
}

/// Writes the head of a segment, and gives its file its name. Both are durable then.
fn name(volume: &dyn Volume, file: &SharedFile, number: u64, preface: &Preface) -> io::Result<FrameHash> {
    let head = preface.encode(number);
    file.write_at(0, head.bytes())?;
    // The head is durable before the name: a segment under its name always has a head.
    file.sync()?;
    volume.rename(NEW, &segment::name(number))?;
    volume.sync_names()?;
    Ok(FrameHash::of(head.bytes()))
}
