//! Segments: the files of a [`PlainStore`](super::PlainStore) that hold its frames.

use eventful::journal::{Corrupt, OpenError, Sequence};

use super::drive::{Drive, DriveFile};
use super::medium::{DiskError, Life};
use super::record::{self, Kind, Record};

/// Where one frame stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) segment: u64,
    pub(super) at: u64,
    pub(super) record_bytes: usize,
}

/// A segment, read.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) number: u64,
    /// The first frame in it.
    pub(super) base: Sequence,
    /// The first frame that the journal had when it began.
    pub(super) first: Sequence,
    pub(super) frames: Vec<Place>,
    /// Where its sound records end.
    pub(super) end: u64,
    /// Whether bytes follow that are no record.
    pub(super) is_torn: bool,
}

/// The name of a segment's file.
pub(super) fn name(number: u64) -> String {
    format!("log-{number:08}")
}

/// The number of the segment with this name.
pub(super) fn number(name: &str) -> Option<u64> {
    name.strip_prefix("log-")?.parse().ok()
}

/// All bytes of a file.
pub(super) fn read(drive: &Drive, life: Life, name: &str) -> Result<Vec<u8>, DiskError> {
    let file = DriveFile::open(drive, life, name)?;
    let mut bytes = vec![0; file.len()? as usize];
    file.read(0, &mut bytes)?;
    Ok(bytes)
}

/// What a segment holds; nothing when not even its first record is whole, and nothing follows it.
pub(super) fn parse(number: u64, bytes: &[u8]) -> Result<Option<Segment>, OpenError> {
    let mut segment: Option<Segment> = None;
    let mut at = 0;
    while let Some(record) = record::decode(&bytes[at..], number, at as u64) {
        match &mut segment {
            None => segment = Some(begin(number, &record)?),
            Some(segment) => segment.add(&record, at)?,
        }
        at = (at + record::bytes_of(record.body.len())).min(bytes.len());
    }
    let rest = &bytes[at..];
    if record::any(rest, number, at as u64) {
        return Err(corrupt(number, at, "a sound record follows what is none").into());
    }
    if let Some(segment) = &mut segment {
        (segment.end, segment.is_torn) = (at as u64, !rest.is_empty());
    }
    Ok(segment)
}

fn begin(number: u64, record: &Record<'_>) -> Result<Segment, Corrupt> {
    let first = <[u8; 8]>::try_from(record.body).map(u64::from_le_bytes);
    let (Kind::Begin, Ok(first)) = (record.kind, first) else {
        return Err(corrupt(number, 0, "it does not begin as a segment does"));
    };
    let (base, first) = (Sequence::new(record.number), Sequence::new(first));
    Ok(Segment { number, base, first, frames: Vec::new(), end: 0, is_torn: false })
}

impl Segment {
    /// The frame after its last one.
    pub(super) fn next(&self) -> Sequence {
        Sequence::new(self.base.number() + self.frames.len() as u64)
    }

    fn add(&mut self, record: &Record<'_>, at: usize) -> Result<(), Corrupt> {
        match record.kind {
            Kind::Frame if record.number == self.next().number() => {
                let record_bytes = record::bytes_of(record.body.len());
                self.frames.push(Place { segment: self.number, at: at as u64, record_bytes });
            }
            Kind::Seal if record.number == self.next().number() => {}
            Kind::Begin | Kind::Frame | Kind::Seal | Kind::Part | Kind::LastPart => {
                return Err(corrupt(self.number, at, "what stands there does not follow"));
            }
        }
        Ok(())
    }

    /// Takes over what the next segment says about this one: which frame is the last.
    pub(super) fn end_before(&mut self, next: &Self) -> Result<(), Corrupt> {
        if next.base < self.base || next.base > self.next() {
            return Err(corrupt(
                self.number,
                self.end as usize,
                format_args!("frames up to {} are missing", next.base),
            ));
        }
        // A frame that could not be read when the next segment began is not to come back.
        self.frames.truncate((next.base.number() - self.base.number()) as usize);
        Ok(())
    }
}

/// Damage in a segment.
pub(super) fn corrupt(number: u64, at: usize, problem: impl core::fmt::Display) -> Corrupt {
    Corrupt::new(format_args!("{} at byte {at}", name(number)), problem)
}
