//! From the files of a [`PlainStore`](super::PlainStore) to what it holds.

use std::collections::VecDeque;

use eventful::journal::{OpenError, Sequence};

use super::drive::Drive;
use super::medium::Life;
use super::refusal::refused;
use super::segment::{self, Place, Segment};
use super::shelf;

/// What the segments of a journal hold.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) first: Sequence,
    pub(super) end: Sequence,
    pub(super) frames: VecDeque<Place>,
    /// Each segment's number, and its first frame.
    pub(super) segments: VecDeque<(u64, Sequence)>,
    /// A number that no segment has had.
    pub(super) next_segment: u64,
}

/// Reads all segments, and takes away what a crash left half done.
///
/// What the cache shows may not be on the medium. So the last segment is synced, and then read
/// from the medium. A bad end is read twice before it counts as torn: a disk that answers
/// differently each time is refused.
pub(super) fn hold(drive: &Drive, life: Life) -> Result<Held, OpenError> {
    let names = drive.disk().names(life).map_err(|error| refused("the directory", error))?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| segment::number(name)).collect();
    numbers.sort_unstable();
    let next_segment = numbers.last().map_or(1, |last| last + 1);
    let mut segments = Vec::with_capacity(numbers.len());
    // From the last one back: that it was never begun is what only a last one may say.
    while let Some(number) = numbers.pop() {
        let is_last = segments.is_empty();
        if is_last {
            sync(drive, life, number)?;
            drive.disk().evict();
        }
        match read(drive, life, number, is_last)? {
            Some(segment) => segments.push(segment),
            None if is_last => remove(drive, life, &segment::name(number))?,
            None => return Err(segment::corrupt(number, 0, "its first record is damaged").into()),
        }
    }
    segments.reverse();
    shelf::sweep(drive, life, &names)?;
    joined(segments, next_segment)
}

fn joined(mut segments: Vec<Segment>, next_segment: u64) -> Result<Held, OpenError> {
    for at in 1..segments.len() {
        let (before, rest) = segments.split_at_mut(at);
        before[at - 1].end_before(&rest[0])?;
    }
    let oldest = segments.first().map_or(Sequence::FIRST, |oldest| oldest.base);
    let first = segments.iter().map(|segment| segment.first).max().unwrap_or(Sequence::FIRST);
    let end = segments.last().map_or(Sequence::FIRST, Segment::next);
    if first < oldest || first > end {
        let number = segments.first().map_or(0, |oldest| oldest.number);
        return Err(segment::corrupt(number, 0, format_args!("frames from {first} on are missing")).into());
    }
    let skipped = (first.number() - oldest.number()) as usize;
    let frames = segments.iter().flat_map(|segment| segment.frames.iter().copied()).skip(skipped).collect();
    let segments = segments.iter().map(|segment| (segment.number, segment.base)).collect();
    Ok(Held { first, end, frames, segments, next_segment })
}

fn read(drive: &Drive, life: Life, number: u64, is_last: bool) -> Result<Option<Segment>, OpenError> {
    let name = segment::name(number);
    let once = || segment::read(drive, life, &name).map_err(|error| refused(&name, error));
    let bytes = once()?;
    let read = segment::parse(number, &bytes)?;
    if is_last && read.as_ref().is_none_or(|segment| segment.is_torn) && once()? != bytes {
        return Err(segment::corrupt(number, 0, "the disk does not answer the same twice").into());
    }
    Ok(read)
}

fn sync(drive: &Drive, life: Life, number: u64) -> Result<(), OpenError> {
    let name = segment::name(number);
    let file = super::drive::DriveFile::open(drive, life, &name).map_err(|error| refused(&name, error))?;
    file.sync().map_err(|error| refused(&name, error))
}

fn remove(drive: &Drive, life: Life, name: &str) -> Result<(), OpenError> {
    drive.disk().remove(life, name).map_err(|error| refused(name, error))
}
