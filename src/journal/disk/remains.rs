//! The whole records in the files of a damaged journal.
//!
//! A record is proved by its own checksums and its place, so nothing else has to be right. Links from frame to frame
//! show which of them belong together.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::vec;
use std::vec::Vec;

use super::super::sequence::Sequence;
use super::reader::{RecordRead, RecordReader, SharedFile};
use super::record::{ALIGN_BYTES, HEAD_BYTES, RecordHead, RecordKind, RecordPlace, decode_head, number_at};
use super::volume::{OpenMode, Volume};
use super::{segment, snapshot_files};

/// Every record that is whole, and traces of others.
#[derive(Debug, Default)]
pub(super) struct Remains {
    files: Vec<SharedFile>,
    frames: BTreeMap<Sequence, Vec<Spot>>,
    parts: BTreeMap<(Sequence, u32), Vec<Spot>>,
    /// The position behind the last frame that certainly was there.
    behind: Option<Sequence>,
    /// True if something may have followed that frame.
    pub(super) is_unsure: bool,
}

/// The place of a record.
#[derive(Debug, Clone, Copy)]
struct Spot {
    file: usize,
    place: RecordPlace,
    head: RecordHead,
}

/// A file whose records are gathered.
struct SalvageSource {
    file: SharedFile,
    number: u64,
    bytes: u64,
    is_newest: bool,
}

impl Remains {
    /// Finds all whole records in these files.
    pub(super) fn find(volume: &dyn Volume) -> io::Result<Self> {
        let names = volume.names()?;
        let mut remains = Self::default();
        let mut segments: Vec<u64> = names.iter().filter_map(|name| segment::number(name)).collect();
        segments.sort_unstable();
        for number in &segments {
            let file = segment::open(volume, *number, OpenMode::Read)?;
            let (bytes, is_newest) = (file.len()?, Some(number) == segments.last());
            // Files that have changed places are read under the numbers that their records were written for.
            let number = written_as(&file, *number, bytes)?;
            remains.gather(SalvageSource { file, number, bytes, is_newest })?;
        }
        for at in names.iter().filter_map(|name| snapshot_files::number(name)) {
            let file: SharedFile = Arc::new(volume.open(&snapshot_files::name(at), OpenMode::Read)?);
            let (bytes, number) = (file.len()?, at.number());
            // A snapshot proves that the frames before it were there.
            remains.behind = remains.behind.max(Some(at));
            remains.gather(SalvageSource { file, number, bytes, is_newest: false })?;
        }
        Ok(remains)
    }

    /// Takes in the records of a file, and continues behind bytes that are none.
    fn gather(&mut self, from: SalvageSource) -> io::Result<()> {
        let SalvageSource { file, number, bytes, is_newest } = from;
        let index = self.files.len();
        self.files.push(Arc::clone(&file));
        let mut reader = RecordReader::new(Arc::clone(&file), number, 0);
        let mut doubt = None;
        loop {
            let at = reader.at();
            match reader.next(bytes)? {
                RecordRead::Record { head, body, .. } => {
                    let base = (head.kind == RecordKind::Head).then(|| Sequence::new(number_at::<8>(body, 0)));
                    self.take(Spot { file: index, place: RecordPlace { file: number, at }, head }, base);
                    self.doubt(doubt.take());
                    self.is_unsure = head.kind == RecordKind::End && is_newest;
                }
                RecordRead::End => break,
                RecordRead::Unsound => {
                    // Zeros to the end: the unused rest of a segment.
                    if reader.is_blank(bytes)? {
                        break;
                    }
                    reader.go_to(at);
                    // A frame with a sound head and a damaged body was there, and is lost.
                    doubt = doubt.max(broken(&file, RecordPlace { file: number, at }, bytes)?);
                    reader.go_to(at + ALIGN_BYTES as u64);
                    if !reader.seek(bytes)? {
                        // An append that a crash tore and one that rotted leave the same traces.
                        self.is_unsure |= is_newest;
                        break;
                    }
                }
            }
        }
        // In an older segment all bytes before its end were durable, so a doubt is a loss.
        if !is_newest {
            self.doubt(doubt);
        }
        Ok(())
    }

    /// Records that a frame was there of which only the head is left.
    fn doubt(&mut self, behind: Option<Sequence>) {
        self.behind = self.behind.max(behind);
    }

    fn take(&mut self, spot: Spot, base: Option<Sequence>) {
        let sequence = Sequence::new(spot.head.number);
        let behind = match spot.head.kind {
            RecordKind::Frame => {
                self.frames.entry(sequence).or_default().push(spot);
                Some(sequence.next())
            }
            // Both are written when the frames before them are durable.
            RecordKind::Seal | RecordKind::Trim => Some(sequence),
            RecordKind::Head => base,
            RecordKind::End => None,
            RecordKind::Part | RecordKind::LastPart => {
                let part = u32::try_from(spot.head.number).unwrap_or(u32::MAX);
                self.parts.entry((Sequence::new(spot.place.file), part)).or_default().push(spot);
                None
            }
        };
        self.behind = self.behind.max(behind);
    }

    /// Returns whether there is nothing at all.
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty() && self.parts.is_empty() && self.behind.is_none()
    }

    /// Returns the position behind the last frame that certainly was there.
    pub(super) const fn behind(&self) -> Option<Sequence> {
        self.behind
    }

    /// Returns the frames of which a whole copy is left.
    pub(super) fn frames(&self) -> impl DoubleEndedIterator<Item = Sequence> {
        self.frames.keys().copied()
    }

    /// Returns the snapshots of which parts are left.
    pub(super) fn snapshots(&self) -> Vec<Sequence> {
        let mut all: Vec<_> = self.parts.keys().map(|(at, _)| *at).collect();
        all.dedup();
        all
    }

    /// Returns the parts of which a whole copy is left.
    pub(super) fn parts(&self) -> impl Iterator<Item = (Sequence, u32)> {
        self.parts.keys().copied()
    }

    /// Returns every whole copy of a frame.
    pub(super) fn frame(&self, sequence: Sequence) -> io::Result<Vec<Vec<u8>>> {
        self.frames.get(&sequence).into_iter().flatten().map(|spot| self.read(spot)).collect()
    }

    /// Returns every whole copy of a part of a snapshot.
    pub(super) fn part(&self, at: Sequence, part: u32) -> io::Result<Vec<Vec<u8>>> {
        self.parts.get(&(at, part)).into_iter().flatten().map(|spot| self.read(spot)).collect()
    }

    fn read(&self, spot: &Spot) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; spot.head.length];
        let file = self.files.get(spot.file).ok_or(io::ErrorKind::NotFound)?;
        file.read_at(spot.place.at + HEAD_BYTES as u64, &mut bytes)?;
        Ok(bytes)
    }
}

/// Returns the number under which the records of a file were written: its own, or that of another segment with which
/// it has changed places.
fn written_as(file: &SharedFile, number: u64, bytes: u64) -> io::Result<u64> {
    if bytes < HEAD_BYTES as u64 {
        return Ok(number);
    }
    let mut head = [0; HEAD_BYTES];
    file.read_at(0, &mut head)?;
    let other = number_at::<8>(&head, 8);
    let is_other = |number| {
        decode_head(&head, RecordPlace { file: number, at: 0 }).is_some_and(|head| head.kind == RecordKind::Head)
    };
    Ok(if !is_other(number) && is_other(other) { other } else { number })
}

/// Returns the position behind the frame in this place, of which only the head is sound.
fn broken(file: &SharedFile, place: RecordPlace, limit: u64) -> io::Result<Option<Sequence>> {
    if place.at + HEAD_BYTES as u64 > limit {
        return Ok(None);
    }
    let mut head = [0; HEAD_BYTES];
    file.read_at(place.at, &mut head)?;
    let head = decode_head(&head, place).filter(|head| head.kind == RecordKind::Frame);
    Ok(head.map(|head| Sequence::new(head.number).next()))
}
