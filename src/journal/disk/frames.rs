//! Reading of a journal's frames, in order.

use std::collections::VecDeque;
use std::io;
use std::string::String;
use std::sync::Arc;

use super::super::error::{Corrupt, ReadError};
use super::super::sequence::Sequence;
use super::super::store::Extent;
use super::reader::{RecordRead, RecordReader};
use super::record::RecordKind;
use super::segment::{self, Segment, corrupt, preface};
use super::volume::Volume;

/// A function that is called with the number and the bytes of a frame.
pub(super) type VisitRecord<'a> = &'a mut dyn FnMut(Sequence, &[u8]);

/// The segments of a journal, and the place where the last read of them has ended.
#[derive(Debug)]
pub(super) struct Frames {
    volume: Arc<dyn Volume>,
    place: String,
    pub(super) extent: Extent,
    /// The oldest first; never empty.
    pub(super) segments: VecDeque<Segment>,
    cursor: Option<FrameCursor>,
}

/// The place of a frame.
#[derive(Debug)]
struct FrameCursor {
    segment: u64,
    reader: RecordReader,
    next: Sequence,
}

impl Frames {
    pub(super) fn new(volume: &Arc<dyn Volume>, place: &str, extent: Extent, segments: VecDeque<Segment>) -> Self {
        Self { volume: Arc::clone(volume), place: place.into(), extent, segments, cursor: None }
    }

    /// Returns the bytes of the segments.
    pub(super) fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Returns whether there are frames in the newest segment.
    pub(super) fn newest_has_frames(&self) -> bool {
        self.segments.back().is_some_and(|newest| newest.base < self.extent.end)
    }

    /// Adds a segment that was just begun.
    pub(super) fn push(&mut self, number: u64, bytes: u64) {
        // The records begin behind the head.
        let end = segment::HEAD_RECORD_BYTES;
        self.segments.push_back(Segment { number, base: self.extent.end, end, bytes, file: None });
    }

    /// Updates the end of the records in the newest segment, and its bytes.
    pub(super) fn note(&mut self, end: u64, bytes: u64) {
        if let Some(newest) = self.segments.back_mut() {
            (newest.end, newest.bytes) = (end, bytes);
        }
    }

    /// Drops the oldest segment if all of its frames are trimmed, and returns its number.
    pub(super) fn drop_trimmed(&mut self) -> Option<u64> {
        let after = self.segments.get(1)?;
        // The oldest segment is needed until the one after it begins at or before the first frame.
        if after.base > self.extent.first {
            return None;
        }
        self.segments.pop_front().map(|segment| segment.number)
    }

    /// Reads frames; see [`Journal::read`](super::super::store::Journal::read).
    pub(super) fn read(
        &mut self,
        from: Sequence,
        limit_bytes: usize,
        visit: VisitRecord<'_>,
    ) -> Result<Sequence, ReadError> {
        let Extent { first, end } = self.extent;
        if from < first {
            return Err(Corrupt::new(std::format_args!("{}, frame {from}", self.place), "it was trimmed").into());
        }
        if from >= end {
            return Ok(from);
        }
        // Pages are read one after the other: the reader is kept where the last one ended.
        let mut cursor = match self.cursor.take().filter(|cursor| cursor.next == from) {
            Some(cursor) => cursor,
            None => self.go_to(from)?,
        };
        let mut bytes = 0;
        while cursor.next < end {
            bytes += self.step(&mut cursor, visit)?;
            if bytes >= limit_bytes {
                break;
            }
        }
        let next = cursor.next;
        self.cursor = Some(cursor);
        Ok(next)
    }

    /// Returns the place of this frame, which the journal has.
    fn go_to(&self, from: Sequence) -> Result<FrameCursor, ReadError> {
        // The segment in which the frame is, by the first frame of each.
        let at = self.segments.partition_point(|segment| segment.base <= from).saturating_sub(1);
        let mut cursor = self.begin(at)?;
        while cursor.next < from {
            let limit = self.segments.get(at).map_or(0, |segment| segment.end);
            let head = cursor.reader.skip(limit).map_err(|error| self.unread(cursor.segment, &error))?;
            // Only the heads are read: the frames before are passed over.
            match head.filter(|head| matches!(head.kind, RecordKind::Frame | RecordKind::Seal | RecordKind::Trim)) {
                Some(head) if head.kind == RecordKind::Frame => cursor.next = Sequence::new(head.number).next(),
                Some(_) => {}
                None => return Err(self.damaged(&cursor)),
            }
        }
        Ok(cursor)
    }

    /// Returns the place of the first frame of the segment at this index.
    fn begin(&self, index: usize) -> Result<FrameCursor, ReadError> {
        let segment = self.segments.get(index).ok_or_else(|| super::opening::missing(&self.place))?;
        let number = segment.number;
        let file = segment.open(&*self.volume).map_err(|error| self.unread(number, &error))?;
        let mut reader = RecordReader::new(file, number, 0);
        let read = preface(&mut reader, number, segment.end).map_err(|error| self.unread(number, &error))?;
        if read.is_none_or(|(preface, _)| preface.base != segment.base) {
            return Err(corrupt(&self.place, number, 0, "it does not begin as this segment does").into());
        }
        Ok(FrameCursor { segment: number, reader, next: segment.base })
    }

    /// Reads the next record, and returns the bytes of the frame in it.
    fn step(&self, cursor: &mut FrameCursor, visit: VisitRecord<'_>) -> Result<usize, ReadError> {
        let oldest = self.segments.front().map_or(0, |segment| segment.number);
        let index = usize::try_from(cursor.segment.saturating_sub(oldest)).unwrap_or(usize::MAX);
        let limit = self.segments.get(index).map_or(0, |segment| segment.end);
        let number = cursor.segment;
        match cursor.reader.next(limit).map_err(|error| self.unread(number, &error))? {
            RecordRead::Record { head, body, .. }
                if head.kind == RecordKind::Frame && head.number == cursor.next.number() =>
            {
                visit(cursor.next, body);
                cursor.next = cursor.next.next();
                Ok(body.len())
            }
            RecordRead::Record { head, .. } if matches!(head.kind, RecordKind::Seal | RecordKind::Trim) => Ok(0),
            RecordRead::End => {
                let after = self.begin(index + 1)?;
                // A segment that is missing between two others shows here at the latest.
                if after.next != cursor.next {
                    let problem = std::format_args!("frames up to {} are missing", after.next.previous());
                    return Err(corrupt(&self.place, number, limit, problem).into());
                }
                *cursor = after;
                Ok(0)
            }
            RecordRead::Record { .. } | RecordRead::Unsound => Err(self.damaged(cursor)),
        }
    }

    fn damaged(&self, cursor: &FrameCursor) -> ReadError {
        corrupt(&self.place, cursor.segment, cursor.reader.at(), "it is not what was written").into()
    }

    fn unread(&self, number: u64, error: &io::Error) -> ReadError {
        let place = std::format!("{}/{}", self.place, segment::name(number));
        ReadError::Io { place, cause: std::format!("{error}") }
    }
}
