//! A journal on a simulated disk, without a database: segments of records, and a file for each
//! snapshot. Fast, and as strict as the real one.
//!
//! Each opening begins a new segment. What the first record of a segment says of the one before,
//! namely which frame was its last, is final. In the last segment the records end at the first one
//! that is not sound. When a sound one follows, that is rot, and refused; otherwise it is the torn
//! tail of the one append that was not acknowledged, and cut. So rot in the very last frame is
//! taken for a torn tail until something follows the frame: another one, a
//! [`seal`](Journal::seal), or the next segment. A trim begins a segment, too, which says what the
//! first frame is.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use eventful::journal::{Extent, Journal, JournalStore, OpenError, Owner, ReadError, Room, Sequence, WriteError};

use super::drive::{Drive, DriveFile};
use super::medium::{DiskError, Life};
use super::opening::hold;
use super::record::{self, Kind, Record};
use super::refusal::refused;
use super::segment::{self, Place};
use super::shelf::{self, Shelf};
use crate::chance::Stream;

/// Bytes that the first record of a segment takes.
const BEGIN_BYTES: u64 = record::bytes_of(8) as u64;

/// The most bytes that one frame can have.
const LIMIT_BYTES: usize = 1 << 30;

/// Bytes of frames after which a read ends, however many are asked for: so a few frames are several reads.
const PAGE_BYTES: usize = 600;

/// Space that frames and snapshots leave, so that a full journal can be trimmed and sealed.
const RESERVE_BYTES: u64 = 4096;

/// A place for a journal on a drive. Clones are the same one; whoever opens it fences the owner before.
#[derive(Debug, Clone)]
pub struct PlainStore {
    drive: Drive,
    opening: Arc<AtomicU64>,
    /// The first frame that was not trimmed, and the bytes of the largest part that was put.
    first: Arc<AtomicU64>,
    largest_part: Arc<AtomicUsize>,
    /// The bytes of all frames that were appended before each one.
    sizes: Arc<Mutex<BTreeMap<Sequence, u64>>>,
}

impl PlainStore {
    /// The journal that has this drive to itself.
    pub fn new(drive: Drive) -> Self {
        let first = Arc::new(AtomicU64::new(Sequence::FIRST.number()));
        Self { drive, opening: Arc::default(), first, largest_part: Arc::default(), sizes: Arc::default() }
    }

    /// The first frame that was not trimmed, as the last owner knew it.
    pub fn first(&self) -> Sequence {
        Sequence::new(self.first.load(Ordering::Relaxed))
    }

    /// Bytes of the largest part of a snapshot that was put.
    pub fn largest_part(&self) -> usize {
        self.largest_part.load(Ordering::Relaxed)
    }

    /// Bytes of the frames from this one on.
    pub fn bytes_from(&self, from: Sequence) -> u64 {
        let sizes = self.sizes();
        let all = sizes.last_key_value().map_or(0, |(_, before)| *before);
        all - sizes.get(&from).copied().unwrap_or_default().min(all)
    }

    fn note_size(&self, frame: Sequence, bytes: usize) {
        let mut sizes = self.sizes();
        let before = sizes.get(&frame).copied().unwrap_or_default();
        sizes.insert(frame.next(), before + bytes as u64);
    }

    fn sizes(&self) -> MutexGuard<'_, BTreeMap<Sequence, u64>> {
        self.sizes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The finished snapshots on the drive, the newest last.
    pub fn snapshots(&self) -> Vec<Sequence> {
        shelf::all(&self.drive.disk().names_now(), self.first())
    }

    /// Flips a bit of this snapshot, if any of it is synced. Returns whether there was one.
    pub fn rot_snapshot(&self, at: Sequence, stream: &mut Stream) -> bool {
        self.drive.disk().rot_file(&shelf::name(at), stream)
    }

    /// The drive.
    pub const fn drive(&self) -> &Drive {
        &self.drive
    }
}

impl JournalStore for PlainStore {
    fn open(&mut self, _: &Owner) -> Result<Box<dyn Journal>, OpenError> {
        let opening = self.opening.fetch_add(1, Ordering::Relaxed) + 1;
        let life = self.drive.disk().life();
        let held = hold(&self.drive, life)?;
        let shelf = Shelf::open(&self.drive, life, held.first)?;
        let (first, end) = (held.first, held.end);
        self.first.store(first.number(), Ordering::Relaxed);
        self.sizes().split_off(&end.next());
        let segment = held.next_segment;
        let file =
            begin(&self.drive, life, segment, end, first).map_err(|error| refused(&segment::name(segment), error))?;
        let mut segments = held.segments;
        segments.push_back((segment, end));
        Ok(Box::new(PlainJournal {
            store: self.clone(),
            opening,
            life,
            first,
            end,
            frames: held.frames,
            segments,
            next_segment: segment + 1,
            file,
            tail: BEGIN_BYTES,
            is_sealed: true,
            poison: None,
            shelf,
            record: Vec::new(),
        }))
    }

    fn blocks(&self) -> bool {
        false
    }
}

/// Begins a segment, durably.
fn begin(drive: &Drive, life: Life, number: u64, base: Sequence, first: Sequence) -> Result<DriveFile, DiskError> {
    let file = DriveFile::open(drive, life, &segment::name(number))?;
    let record = Record { kind: Kind::Begin, number: base.number(), body: &first.number().to_le_bytes() };
    let mut bytes = Vec::new();
    record::encode(&record, number, 0, &mut bytes);
    file.write(0, &bytes)?;
    file.sync()?;
    drive.disk().sync_names(life)?;
    Ok(file)
}

#[derive(Debug)]
struct PlainJournal {
    store: PlainStore,
    opening: u64,
    life: Life,
    first: Sequence,
    end: Sequence,
    frames: VecDeque<Place>,
    /// The number of each segment, and its first frame.
    segments: VecDeque<(u64, Sequence)>,
    next_segment: u64,
    /// The last segment.
    file: DriveFile,
    /// Where it ends.
    tail: u64,
    /// Whether something follows the last frame.
    is_sealed: bool,
    /// Why it takes no more calls.
    poison: Option<String>,
    shelf: Shelf,
    record: Vec<u8>,
}

impl PlainJournal {
    fn own(&self) -> Result<(), WriteError> {
        if self.store.opening.load(Ordering::Relaxed) != self.opening {
            return Err(WriteError::Fenced);
        }
        match &self.poison {
            Some(cause) => Err(WriteError::Unknown { cause: cause.clone() }),
            None => Ok(()),
        }
    }

    /// Nothing more is taken after this.
    fn poison(&mut self, error: &dyn core::fmt::Display) -> WriteError {
        let cause = self.poison.insert(error.to_string()).clone();
        WriteError::Unknown { cause }
    }

    /// Appends a record, and makes it durable.
    fn write(&mut self, kind: Kind, number: Sequence, body: &[u8]) -> Result<Place, WriteError> {
        let (segment, at) = (self.next_segment - 1, self.tail);
        let record = Record { kind, number: number.number(), body };
        record::encode(&record, segment, at, &mut self.record);
        match self.file.write(at, &self.record) {
            Ok(()) => {}
            Err(DiskError::NoSpace) => {
                // What was written of it is taken back, so that nothing was.
                return Err(match self.file.set_len(at) {
                    Ok(()) => WriteError::Full,
                    Err(error) => self.poison(&error),
                });
            }
            Err(error) => return Err(self.poison(&error)),
        }
        if let Err(error) = self.file.sync() {
            return Err(self.poison(&error));
        }
        let record_bytes = self.record.len();
        self.tail += record_bytes as u64;
        Ok(Place { segment, at, record_bytes })
    }

    fn admit(&self, bytes: usize) -> Result<(), WriteError> {
        self.own()?;
        if bytes > LIMIT_BYTES {
            return Err(WriteError::TooLarge { bytes, limit_bytes: LIMIT_BYTES });
        }
        if Room(record::bytes_of(bytes) as u64) > self.room() { Err(WriteError::Full) } else { Ok(()) }
    }

    fn readable(&self) -> Result<(), ReadError> {
        self.poison
            .as_ref()
            .map_or(Ok(()), |cause| Err(ReadError::Io { place: "the journal".to_owned(), cause: cause.clone() }))
    }

    /// Begins another segment, so that the ones before can be taken away one day.
    fn roll(&mut self) -> Result<(), WriteError> {
        let number = self.next_segment;
        let (drive, life) = (&self.store.drive, self.life);
        match begin(drive, life, number, self.end, self.first) {
            Ok(file) => {
                (self.file, self.tail, self.next_segment, self.is_sealed) = (file, BEGIN_BYTES, number + 1, true);
                self.segments.push_back((number, self.end));
                Ok(())
            }
            Err(error) => Err(self.poison(&error)),
        }
    }

    fn forget(&mut self, below: Sequence) -> Result<(), DiskError> {
        self.shelf.trim(below)?;
        while self.segments.get(1).is_some_and(|(_, base)| *base <= below) {
            if let Some((number, _)) = self.segments.pop_front() {
                self.store.drive.disk().remove(self.life, &segment::name(number))?;
            }
        }
        Ok(())
    }

    /// The file of a segment, unless `open` is it.
    fn segment<'f>(&self, number: u64, open: &'f mut Option<(u64, DriveFile)>) -> Result<&'f DriveFile, ReadError> {
        let file = match open.take() {
            Some((open, file)) if open == number => file,
            _ => {
                let name = segment::name(number);
                DriveFile::open(&self.store.drive, self.life, &name).map_err(|error| unread(number, error))?
            }
        };
        Ok(&open.insert((number, file)).1)
    }
}

/// Fills `bytes` with a frame.
fn frame<'b>(
    file: &DriveFile,
    sequence: Sequence,
    place: Place,
    bytes: &'b mut Vec<u8>,
) -> Result<&'b [u8], ReadError> {
    bytes.resize(place.record_bytes, 0);
    file.read(place.at, bytes).map_err(|error| unread(place.segment, error))?;
    match record::decode(bytes, place.segment, place.at) {
        Some(Record { kind: Kind::Frame, number, body }) if number == sequence.number() => Ok(body),
        _ => Err(segment::corrupt(place.segment, place.at as usize, "it is not what was written").into()),
    }
}

/// A segment that the disk does not read.
fn unread(number: u64, error: DiskError) -> ReadError {
    ReadError::Io { place: segment::name(number), cause: error.to_string() }
}

impl Journal for PlainJournal {
    fn extent(&self) -> Extent {
        Extent { first: self.first, end: self.end }
    }

    fn room(&self) -> Room {
        Room(self.store.drive.disk().room().saturating_sub(RESERVE_BYTES))
    }

    fn append(&mut self, expected: Sequence, frame: &[u8]) -> Result<(), WriteError> {
        self.own()?;
        if expected != self.end {
            return Err(WriteError::Fenced);
        }
        self.admit(frame.len())?;
        let written = self.write(Kind::Frame, expected, frame);
        // What fails may be there all the same, unless it was refused.
        if !matches!(written, Err(WriteError::Full)) {
            self.store.note_size(expected, frame.len());
        }
        let place = written?;
        self.frames.push_back(place);
        self.end = expected.next();
        self.is_sealed = false;
        Ok(())
    }

    fn read(
        &mut self,
        from: Sequence,
        limit_bytes: usize,
        visit: &mut dyn FnMut(Sequence, &[u8]),
    ) -> Result<Sequence, ReadError> {
        self.readable()?;
        let Some(skipped) = from.number().checked_sub(self.first.number()) else {
            return Err(eventful::journal::Corrupt::new(format_args!("frame {from}"), "it was trimmed").into());
        };
        let (mut next, mut read, mut bytes, mut open) = (from, 0, Vec::new(), None);
        for place in self.frames.range((skipped as usize).min(self.frames.len())..) {
            let frame = frame(self.segment(place.segment, &mut open)?, next, *place, &mut bytes)?;
            visit(next, frame);
            next = next.next();
            read += frame.len();
            if read >= limit_bytes.min(PAGE_BYTES) {
                break;
            }
        }
        Ok(next)
    }

    fn put_snapshot(&mut self, at: Sequence, part: u32, bytes: &[u8], last: bool) -> Result<(), WriteError> {
        self.admit(bytes.len())?;
        self.store.largest_part.fetch_max(bytes.len(), Ordering::Relaxed);
        match self.shelf.put(at, part, bytes, last) {
            Ok(Some(())) => Ok(()),
            Ok(None) => Err(self.poison(&format_args!("part {part} follows nothing"))),
            Err(DiskError::NoSpace) => Err(WriteError::Full),
            Err(error) => Err(self.poison(&error)),
        }
    }

    fn snapshots(&mut self) -> Result<Vec<Sequence>, ReadError> {
        self.readable()?;
        Ok(self.shelf.list())
    }

    fn snapshot(&mut self, at: Sequence, part: u32) -> Result<Option<Vec<u8>>, ReadError> {
        self.readable()?;
        self.shelf.get(at, part)
    }

    fn trim(&mut self, below: Sequence) -> Result<(), WriteError> {
        self.own()?;
        let below = below.min(self.end);
        if below <= self.first {
            return Ok(());
        }
        self.frames.drain(..(below.number() - self.first.number()) as usize);
        self.first = below;
        self.store.first.store(below.number(), Ordering::Relaxed);
        self.roll()?;
        self.forget(below).map_err(|error| self.poison(&error))
    }

    fn seal(&mut self) -> Result<(), WriteError> {
        self.own()?;
        if !self.is_sealed {
            self.write(Kind::Seal, self.end, &[])?;
            self.is_sealed = true;
        }
        Ok(())
    }
}
