//! Segments: the files of a journal that hold its frames.

use core::fmt::Display;
use std::io;
use std::string::String;
use std::sync::Arc;
use std::vec::Vec;

use super::super::error::Corrupt;
use super::super::frame::FrameHash;
use super::super::sequence::Sequence;
use super::reader::{RecordRead, RecordReader, SharedFile};
use super::record::{self, RecordBuffer, RecordKind, RecordPlace, bytes_of, number_at};
use super::volume::{OpenMode, Volume};

/// The name of the segment that is being prepared.
pub(super) const NEW: &str = "log.new";

/// Bytes of the body of a head.
const BODY_BYTES: usize = 48;

/// Bytes of the record of a head.
pub(super) const HEAD_RECORD_BYTES: u64 = bytes_of(BODY_BYTES) as u64;

/// Returns the name of a segment's file.
pub(super) fn name(number: u64) -> String {
    std::format!("log-{number:020}")
}

/// Returns the number of the segment with this name.
pub(super) fn number(name: &str) -> Option<u64> {
    // Only what `name` returns: a `log-1` that a person has put there is none of the journal's.
    name.strip_prefix("log-").filter(|digits| digits.len() == 20)?.parse().ok()
}

/// Returns damage in a segment of the journal in this place.
pub(super) fn corrupt(place: &str, number: u64, at: u64, problem: impl Display) -> Corrupt {
    Corrupt::new(std::format_args!("{place}/{} at byte {at}", name(number)), problem)
}

/// The contents of a segment's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Preface {
    /// The first frame in it.
    pub(super) base: Sequence,
    /// The first frame that the journal kept when the segment was begun.
    pub(super) first: Sequence,
    /// The byte at which the segment before ends.
    pub(super) end_before: u64,
    /// The hash of the head of the segment before.
    pub(super) before: FrameHash,
}

impl Preface {
    /// Returns the head of this segment. The next segment refers to it by its hash.
    pub(super) fn encode(&self, number: u64) -> RecordBuffer {
        let mut body = Vec::with_capacity(BODY_BYTES);
        [self.base.number(), self.first.number(), self.end_before, 0]
            .iter()
            .for_each(|field| body.extend_from_slice(&field.to_le_bytes()));
        body.extend_from_slice(&self.before.bytes());
        let mut head = RecordBuffer::default();
        record::encode(RecordKind::Head, number, &body, RecordPlace { file: number, at: 0 }, &mut head);
        head
    }

    fn decode(body: &[u8]) -> Option<Self> {
        let before = body.get(32..BODY_BYTES)?.try_into().ok()?;
        let field = |at| number_at::<8>(body, at);
        let (base, first) = (Sequence::new(field(0)), Sequence::new(field(8)));
        Some(Self { base, first, end_before: field(16), before: FrameHash::new(before) })
    }
}

/// A segment whose records before `end` are final, as far as is known.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    pub(super) number: u64,
    /// The first frame in it.
    pub(super) base: Sequence,
    /// The byte at which its records end.
    pub(super) end: u64,
    /// The bytes of its file.
    pub(super) bytes: u64,
    /// The file, kept open where its name may be removed.
    pub(super) file: Option<SharedFile>,
}

impl Segment {
    /// Returns its file, for reading.
    pub(super) fn open(&self, volume: &dyn Volume) -> io::Result<SharedFile> {
        self.file.clone().map_or_else(|| open(volume, self.number, OpenMode::Read), Ok)
    }
}

/// Opens the file of a segment.
pub(super) fn open(volume: &dyn Volume, number: u64, access: OpenMode) -> io::Result<SharedFile> {
    volume.open(&name(number), access).map(Arc::new)
}

/// Reads the head of a segment, and its link; none when it has no head.
pub(super) fn preface(reader: &mut RecordReader, number: u64, limit: u64) -> io::Result<Option<(Preface, FrameHash)>> {
    let RecordRead::Record { head, body, .. } = reader.next(limit)? else { return Ok(None) };
    if head.kind != RecordKind::Head || head.number != number {
        return Ok(None);
    }
    Ok(Preface::decode(body).map(|preface| (preface, FrameHash::of(preface.encode(number).bytes()))))
}
