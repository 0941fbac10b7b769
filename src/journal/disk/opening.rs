//! Opening: from the files of a directory to the journal in them. `docs/ARCHITECTURE.md` has the table of what each
//! file can look like at opening.

use core::fmt::Display;
use std::collections::VecDeque;
use std::io;
use std::string::String;
use std::sync::Arc;
use std::vec::Vec;

use super::super::error::{Corrupt, OpenError};
use super::super::frame::FrameHash;
use super::super::sequence::Sequence;
use super::super::store::Extent;
use super::marker;
use super::reader::{RecordRead, RecordReader, SharedFile};
use super::record::{ALIGN_BYTES, RecordHead, RecordKind};
use super::segment::{self, HEAD_RECORD_BYTES, Preface, Segment, corrupt};
use super::shard_names;
use super::snapshot_files;
use super::volume::{OpenMode, Volume};

/// The purpose for which a directory is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Writing: what a crash left unfinished is cut and removed.
    Write,
    /// Reading, perhaps while its owner writes: nothing is changed, and every file is kept open.
    Read,
}

/// The contents of a journal's files.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) extent: Extent,
    pub(super) segments: VecDeque<Segment>,
    /// The link of the head of the newest segment.
    pub(super) link: FrameHash,
    /// The snapshots, and the bytes of each.
    pub(super) snapshots: Vec<(Sequence, u64)>,
    /// True if there is a marker.
    pub(super) is_marked: bool,
}

impl Held {
    /// Returns the contents of a journal that was never opened.
    pub(super) fn nothing() -> Self {
        let extent = Extent { first: Sequence::FIRST, end: Sequence::FIRST };
        let (segments, snapshots) = Default::default();
        Self { extent, segments, link: FrameHash::NONE, snapshots, is_marked: false }
    }
}

/// A directory that is being opened.
struct Opening<'v> {
    volume: &'v dyn Volume,
    place: &'v str,
    purpose: Purpose,
}

/// The newest segment, up to its end.
struct Newest {
    preface: Preface,
    link: FrameHash,
    file: SharedFile,
    bytes: u64,
    first: Sequence,
    next: Sequence,
    /// The byte at which its records end.
    end: u64,
    /// The segment in which it continues.
    continues_in: Option<u64>,
}

/// Reads what the directory holds; none when no journal was made there.
pub(super) fn hold(volume: &dyn Volume, place: &str, purpose: Purpose) -> Result<Option<Held>, OpenError> {
    Opening { volume, place, purpose }.hold()
}

/// Returns the error for a directory whose journal has vanished, but for this file.
pub(super) fn gone(place: &str, left: &str) -> OpenError {
    let marker = std::format!("{place}/{left}");
    OpenError::Gone { place: place.into(), problem: "its segments are missing".into(), marker }
}

/// Returns the error for a refusal of the operating system.
pub(super) fn refused(place: &dyn Display, error: &io::Error) -> OpenError {
    OpenError::Io { place: std::format!("{place}"), cause: std::format!("{error}") }
}

impl Opening<'_> {
    fn hold(&self) -> Result<Option<Held>, OpenError> {
        let names = self.volume.names().map_err(|error| refused(&self.place, &error))?;
        // A new journal beside those of shards would know nothing of their events.
        if let Some(found) = names.iter().find_map(|name| shard_names::count(name)) {
            return Err(OpenError::OtherShards { place: self.place.into(), found, wanted: 1 });
        }
        let is_marked = marker::is_set(self.volume, self.place, &names)?;
        // Asked before anything is read, since half a copy may look like a damaged journal.
        if names.iter().any(|name| name == marker::UNFINISHED) {
            let cause = "a journal was being copied or salvaged into it, which did not end: do it again".into();
            return Err(OpenError::Io { place: self.place.into(), cause });
        }
        let mut numbers: Vec<u64> = names.iter().filter_map(|name| segment::number(name)).collect();
        numbers.sort_unstable();
        let Some(newest) = numbers.pop() else {
            // A marker or a snapshot shows that there was a journal: it must not be replaced by a new one.
            let left = names.iter().find(|name| *name == marker::FORMAT || snapshot_files::number(name).is_some());
            return left.map_or(Ok(None), |left| Err(gone(self.place, left)));
        };
        let newest_held = self.newest(newest)?;
        let segments = self.older(newest, &newest_held, &numbers)?;
        let first = newest_held.first;
        let extent = Extent { first, end: newest_held.next };
        let kept = |at: &Sequence| *at >= first;
        let snapshots: Vec<Sequence> =
            names.iter().filter_map(|name| snapshot_files::number(name)).filter(kept).collect();
        // Nothing is removed before all segments were found: a journal that is refused stays as it is.
        if self.purpose == Purpose::Write {
            self.clear(&names, segments.front().map_or(newest, |oldest| oldest.number), first)?;
        }
        let snapshots = snapshots.into_iter().map(|at| Ok((at, self.bytes_of(&snapshot_files::name(at))?)));
        let snapshots = snapshots.collect::<Result<_, OpenError>>()?;
        Ok(Some(Held { extent, segments, link: newest_held.link, snapshots, is_marked }))
    }

    fn io(&self, number: u64) -> impl Fn(io::Error) -> OpenError {
        let place = std::format!("{}/{}", self.place, segment::name(number));
        move |error| refused(&place, &error)
    }

    fn corrupt(&self, number: u64, at: u64, problem: impl Display) -> OpenError {
        corrupt(self.place, number, at, problem).into()
    }

    fn bytes_of(&self, name: &str) -> Result<u64, OpenError> {
        let bytes = self.volume.open(name, OpenMode::Read).and_then(|file| file.len());
        bytes.map_err(|error| refused(&std::format_args!("{}/{name}", self.place), &error))
    }

    /// Reads the newest segment. The cache may hold bytes that are not on the medium, so the owner of a journal syncs
    /// the segment, and then reads it from the medium.
    fn newest(&self, number: u64) -> Result<Newest, OpenError> {
        let own = self.purpose == Purpose::Write;
        let access = if own { OpenMode::Write } else { OpenMode::Read };
        let file = segment::open(self.volume, number, access).map_err(self.io(number))?;
        if own {
            file.sync().and_then(|()| file.evict()).map_err(self.io(number))?;
        }
        let bytes = file.len().map_err(self.io(number))?;
        let mut reader = RecordReader::new(Arc::clone(&file), number, 0);
        let read = segment::preface(&mut reader, number, bytes).map_err(self.io(number))?;
        let (preface, link) = read.ok_or_else(|| self.corrupt(number, 0, "it does not begin as this segment does"))?;
        let end = reader.at();
        let first = preface.first;
        let mut newest = Newest { preface, link, file, bytes, first, next: preface.base, end, continues_in: None };
        while self.scan(number, &mut reader, &mut newest)? {}
        // The newest segment by its name has ended, so the one that it continues in has vanished.
        if let Some(next) = newest.continues_in {
            let problem = std::format_args!("it is missing, though {} ends with it", segment::name(number));
            return Err(self.corrupt(next, 0, problem));
        }
        // A trim never goes beyond the frames that were durable then.
        if newest.first > newest.next {
            let problem = std::format_args!("frames from {} on are missing", newest.next);
            return Err(self.corrupt(number, newest.end, problem));
        }
        Ok(newest)
    }

    /// Reads records up to the first that is not sound, and decides what that means. Returns whether there is more to
    /// read all the same.
    fn scan(&self, number: u64, reader: &mut RecordReader, newest: &mut Newest) -> Result<bool, OpenError> {
        loop {
            match reader.next(newest.bytes).map_err(self.io(number))? {
                RecordRead::Record { at, head, .. } => {
                    newest.take(&head, number).map_err(|problem| self.corrupt(number, at, problem))?;
                }
                RecordRead::End => {
                    newest.end = reader.at();
                    return Ok(false);
                }
                RecordRead::Unsound => break,
            }
            newest.end = reader.at();
            // Bytes behind an end belong to no record.
            if newest.continues_in.is_some() {
                return Ok(false);
            }
        }
        let has_more = follows_a_record(reader, newest.bytes).map_err(self.io(number))?;
        // A bad end counts once it is read twice: a disk that returns other bytes each time is refused. While the
        // owner writes, the record may have been written meanwhile.
        let mut again = RecordReader::new(Arc::clone(&newest.file), number, newest.end);
        let is_sound = matches!(again.next(newest.bytes).map_err(self.io(number))?, RecordRead::Record { .. });
        match (is_sound, has_more) {
            // A reader without a lock may meet a record that is being written: it continues from there.
            (true, _) if self.purpose == Purpose::Read => {
                *reader = RecordReader::new(Arc::clone(&newest.file), number, newest.end);
                Ok(true)
            }
            (true, _) => Err(self.corrupt(number, newest.end, "the disk does not read the same twice")),
            (false, true) => Err(self.corrupt(number, newest.end, "a sound record follows what is none")),
            (false, false) => Ok(false),
        }
    }

    /// Finds the older segments that have frames from the first one on.
    fn older(&self, newest_number: u64, newest: &Newest, numbers: &[u64]) -> Result<VecDeque<Segment>, OpenError> {
        let keeps_open = self.purpose == Purpose::Read;
        let file = keeps_open.then(|| Arc::clone(&newest.file));
        let Newest { end, bytes, .. } = *newest;
        let mut later = newest.preface;
        let mut number = newest_number;
        let mut segments = VecDeque::from([Segment { number, base: later.base, end, bytes, file }]);
        // Back from the newest: each head proves which segment comes before it.
        while later.base > newest.first {
            number -= 1;
            if !numbers.contains(&number) {
                let problem = std::format_args!("it is missing, with frames before {}", later.base);
                return Err(self.corrupt(number, 0, problem));
            }
            let (preface, segment) = self.older_one(number, &later)?;
            segments.push_front(if keeps_open { segment } else { Segment { file: None, ..segment } });
            later = preface;
        }
        Ok(segments)
    }

    fn older_one(&self, number: u64, later: &Preface) -> Result<(Preface, Segment), OpenError> {
        let file = segment::open(self.volume, number, OpenMode::Read).map_err(self.io(number))?;
        let bytes = file.len().map_err(self.io(number))?;
        let mut reader = RecordReader::new(Arc::clone(&file), number, 0);
        // Only the head: the frames of older segments are checked when they are read.
        let read = segment::preface(&mut reader, number, bytes.min(HEAD_RECORD_BYTES)).map_err(self.io(number))?;
        let (preface, link) = read.ok_or_else(|| self.corrupt(number, 0, "it does not begin as this segment does"))?;
        if link != later.before || preface.base > later.base {
            return Err(self.corrupt(number, 0, "it is not the segment that the next one follows"));
        }
        if later.end_before > bytes {
            let problem = std::format_args!("frames up to {} are missing", later.base.previous());
            return Err(self.corrupt(number, bytes, problem));
        }
        Ok((preface, Segment { number, base: preface.base, end: later.end_before, bytes, file: Some(file) }))
    }

    /// Removes what a crash left unfinished, and what was trimmed.
    fn clear(&self, names: &[String], oldest: u64, first: Sequence) -> Result<(), OpenError> {
        // Older segments and snapshots have been trimmed; unfinished files never had a reader.
        let is_waste = |name: &&String| {
            is_unfinished(name)
                || segment::number(name).is_some_and(|number| number < oldest)
                || snapshot_files::number(name).is_some_and(|at| at < first)
        };
        for name in names.iter().filter(is_waste) {
            match self.volume.remove(name) {
                // The previous owner may still be removing files.
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(refused(&std::format_args!("{}/{name}", self.place), &error));
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }
}

impl Newest {
    /// Takes in the next record.
    fn take(&mut self, head: &RecordHead, number: u64) -> Result<(), &'static str> {
        let sequence = Sequence::new(head.number);
        match head.kind {
            RecordKind::Frame if sequence == self.next => self.next = sequence.next(),
            RecordKind::Seal if sequence == self.next => {}
            RecordKind::Trim if sequence >= self.first && sequence <= self.next => self.first = sequence,
            RecordKind::End if head.number == number + 1 => self.continues_in = Some(head.number),
            RecordKind::Head
            | RecordKind::Frame
            | RecordKind::Seal
            | RecordKind::Trim
            | RecordKind::End
            | RecordKind::Part
            | RecordKind::LastPart => {
                return Err("what stands there does not follow");
            }
        }
        Ok(())
    }
}

/// Returns whether a file with this name was to be renamed once it was whole.
pub(super) fn is_unfinished(name: &str) -> bool {
    [segment::NEW, snapshot_files::NEW, marker::NEW].contains(&name)
}

/// Returns whether a whole record stands anywhere behind the bytes at which the reader stopped.
fn follows_a_record(reader: &mut RecordReader, limit: u64) -> io::Result<bool> {
    let stopped = reader.at();
    // Zeros are the unused rest of a segment, the usual end.
    if reader.is_blank(limit)? {
        return Ok(false);
    }
    reader.go_to(stopped + ALIGN_BYTES as u64);
    while reader.seek(limit)? {
        let at = reader.at();
        if let RecordRead::Record { .. } = reader.next(limit)? {
            return Ok(true);
        }
        reader.go_to(at + ALIGN_BYTES as u64);
    }
    Ok(false)
}

/// Returns the damage that a journal has no segment at all.
pub(super) fn missing(place: &str) -> Corrupt {
    Corrupt::new(place, "it has no segment")
}
