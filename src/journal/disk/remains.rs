//! What is left in a damaged file: every row in it that is whole, whether the database still knows
//! of it or not.
//!
//! The file is read page by page. A row proves itself by its checksum, so nothing else in the file
//! has to be right. Rows that were trimmed or taken back can come to light again; what fits
//! together is found by the links from frame to frame. A row that is not whole is a trace: of it
//! only its place is known, and that perhaps.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::vec::Vec;

use super::super::frame::{self, FrameError};
use super::super::sequence::Sequence;
use super::rows::{Key, Kind, PAGE_BYTES, decode, follows};

/// Ways to put the rows of one frame together that are tried. More than one row of a place is left
/// only when a commit was taken back and another one put there.
const WAYS: usize = 64;

/// A row of ours has a smaller number in its frame or part than this, and is in a smaller part.
const ROWS: u64 = 1 << 20;
const PARTS: u64 = 1 << 24;

/// Bytes that a frame takes at least: a key, where its row ends, and the head of a row.
const LEAST_BYTES: u64 = 16 + 4 + 5;

/// Pages that are read at once.
const PAGES: usize = 256;

/// Every row that is whole, and what there is of others.
#[derive(Debug)]
pub(super) struct Remains {
    file: File,
    length: u64,
    frames: Rows,
    snapshots: Rows,
    traces: BTreeSet<Trace>,
}

/// A row that is not what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Trace {
    /// The number in its key.
    pub(super) number: Sequence,
    /// It can be told that it is a frame's: then that frame was there.
    pub(super) of_frame: bool,
}

type Rows = BTreeMap<Key, Vec<Row>>;

/// Where a row is in the file.
#[derive(Debug, Clone, Copy)]
struct Row {
    /// By which copies of one row are told from different ones.
    crc: [u8; 4],
    offset: u64,
    length: usize,
}

impl Remains {
    pub(super) fn find(file: File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        let (frames, snapshots, traces) = (Rows::new(), Rows::new(), BTreeSet::new());
        let mut remains = Self { file, length, frames, snapshots, traces };
        let mut pages = std::vec![0; PAGES * PAGE_BYTES];
        let mut offset = 0;
        while offset < length {
            let there = usize::try_from(length - offset).unwrap_or(usize::MAX).min(pages.len());
            remains.file.read_exact_at(&mut pages[..there], offset)?;
            for (number, page) in pages[..there].chunks(PAGE_BYTES).enumerate() {
                remains.take(page, offset + (number * PAGE_BYTES) as u64);
            }
            offset += there as u64;
        }
        Ok(remains)
    }

    /// Takes note of the rows in a page, if it has any.
    fn take(&mut self, page: &[u8], offset: u64) {
        let entries = entries(page);
        self.traces.extend(traces(&entries));
        for (key, start, row) in entries {
            for (kind, rows) in [(Kind::Frame, &mut self.frames), (Kind::Snapshot, &mut self.snapshots)] {
                let (Some(_), Some(&crc)) = (decode(kind, key, row), row.first_chunk()) else { continue };
                let same = rows.entry(key).or_default();
                if same.iter().all(|other| other.crc != crc) {
                    same.push(Row { crc, offset: offset + start as u64, length: row.len() });
                }
            }
        }
    }

    /// Nothing in the file looks like a row of ours.
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty() && self.snapshots.is_empty() && self.traces.is_empty()
    }

    /// The numbers that rows from this one on have which are not whole. A number so far behind that
    /// the file has no room for the frames up to it is itself damaged.
    pub(super) fn traces(&self, from: Sequence) -> impl Iterator<Item = Trace> {
        self.traces.iter().copied().filter(move |trace| trace.number >= from && self.has_room(from, trace.number))
    }

    /// Whether the frames from this one up to that one may be in the file.
    pub(super) const fn has_room(&self, from: Sequence, to: Sequence) -> bool {
        to.number().saturating_sub(from.number()) <= self.length / LEAST_BYTES
    }

    /// The numbers of the frames of which something is left.
    pub(super) fn frames(&self) -> impl DoubleEndedIterator<Item = Sequence> {
        numbers(&self.frames).into_iter()
    }

    /// The frames before which a snapshot was made of which something is left.
    pub(super) fn snapshots(&self) -> impl DoubleEndedIterator<Item = Sequence> {
        numbers(&self.snapshots).into_iter()
    }

    /// The parts of snapshots of which something is left.
    pub(super) fn parts(&self) -> impl Iterator<Item = (Sequence, u32)> {
        let keys = self.snapshots.keys().filter(|(_, place)| place & u64::from(u32::MAX) == 0);
        keys.map(|(at, place)| (Sequence::new(*at), (place >> 32) as u32))
    }

    /// What may have been this frame, each whole in itself.
    pub(super) fn frame(&self, sequence: Sequence) -> io::Result<Vec<Vec<u8>>> {
        self.assemble(Kind::Frame, (sequence.number(), 0))
    }

    /// What may have been this part of a snapshot.
    pub(super) fn part(&self, at: Sequence, part: u32) -> io::Result<Vec<Vec<u8>>> {
        self.assemble(Kind::Snapshot, (at.number(), u64::from(part) << 32))
    }

    fn assemble(&self, kind: Kind, first: Key) -> io::Result<Vec<Vec<u8>>> {
        let rows = match kind {
            Kind::Frame => &self.frames,
            Kind::Snapshot => &self.snapshots,
        };
        let (mut begun, mut whole) = (std::vec![Vec::new()], Vec::new());
        let mut key = first;
        while let Some(next) = rows.get(&key)
            && !begun.is_empty()
        {
            let mut longer = Vec::new();
            for row in next {
                let bytes = self.read(row)?;
                let Some((piece, last)) = decode(kind, key, &bytes) else { continue };
                let with = begun.iter().map(|bytes: &Vec<u8>| [bytes, piece].concat());
                if last { whole.extend(with) } else { longer.extend(with) }
            }
            longer.truncate(WAYS);
            (begun, key.1) = (longer, key.1 + 1);
        }
        // What a newer program wrote is whole, too.
        whole.retain(|bytes| matches!(frame::decode(bytes), Ok(_) | Err(FrameError::TooNew { .. })));
        Ok(whole)
    }

    fn read(&self, row: &Row) -> io::Result<Vec<u8>> {
        let mut bytes = std::vec![0; row.length];
        self.file.read_exact_at(&mut bytes, row.offset)?;
        Ok(bytes)
    }
}

fn numbers(rows: &Rows) -> Vec<Sequence> {
    let mut numbers: Vec<_> = rows.keys().map(|(number, _)| Sequence::new(*number)).collect();
    numbers.dedup();
    numbers
}

/// The rows of a leaf that are not whole, if it is certain enough that it is a leaf of ours.
fn traces(entries: &[(Key, usize, &[u8])]) -> Vec<Trace> {
    let is_whole = |kind, (key, _, row): &(Key, usize, &[u8])| decode(kind, *key, row).is_some();
    let proven =
        [Kind::Frame, Kind::Snapshot].into_iter().find(|kind| entries.iter().any(|entry| is_whole(*kind, entry)));
    let follow = |before, key| match proven {
        Some(kind) => follows(kind, before, key),
        None => follows(Kind::Frame, before, key) || follows(Kind::Snapshot, before, key),
    };
    // The first one is judged by the next.
    let is_in_order = |at: usize| {
        let pair = entries.get(at.saturating_sub(1)).zip(entries.get(at.max(1)));
        pair.is_none_or(|(before, next)| follow(before.0, next.0))
    };
    let fits = |((number, place), _, row): &(Key, usize, &[u8])| {
        let (part, row_number) = (place >> 32, place & u64::from(u32::MAX));
        (1..u64::MAX).contains(number) && part < PARTS && row_number < ROWS && !row.is_empty() && !lists_pages(row)
    };
    if proven.is_none() && !((0..entries.len()).all(is_in_order) && entries.iter().all(fits)) {
        return Vec::new();
    }
    // A key out of order is itself damaged.
    let damaged = entries
        .iter()
        .enumerate()
        .filter(|(at, entry)| is_in_order(*at) && !is_whole(Kind::Frame, entry) && !is_whole(Kind::Snapshot, entry));
    let of_frame = proven == Some(Kind::Frame);
    damaged.map(|(_, ((number, _), ..))| Trace { number: Sequence::new(*number), of_frame }).collect()
}

/// Whether this is a row of a table of the database's own: one with keys like ours, in which it
/// keeps lists of pages that are free.
fn lists_pages(row: &[u8]) -> bool {
    const PAGE_NUMBER_BYTES: usize = 8;
    let Some((count, list)) = row.split_first_chunk() else { return false };
    list.len() % PAGE_NUMBER_BYTES == 0 && usize::from(u16::from_le_bytes(*count)) <= list.len() / PAGE_NUMBER_BYTES
}

/// The keys and rows that a page holds if it is a leaf of one of our tables, and where each row is.
fn entries(page: &[u8]) -> Vec<(Key, usize, &[u8])> {
    const LEAF: u8 = 1;
    const HEAD_BYTES: usize = 4;
    const KEY_BYTES: usize = 16;
    let Some([LEAF, _, count @ ..]) = page.first_chunk::<HEAD_BYTES>() else { return Vec::new() };
    let count = usize::from(u16::from_le_bytes(*count));
    let number = |at: usize| page.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
    let end =
        |entry: usize| page.get(HEAD_BYTES + 4 * entry..)?.first_chunk().map(|end| u32::from_le_bytes(*end) as usize);
    let keys = HEAD_BYTES + 4 * count;
    let mut start = keys + KEY_BYTES * count;
    let mut entries = Vec::new();
    for entry in 0..count {
        let key = keys + KEY_BYTES * entry;
        let (Some(high), Some(low), Some(end)) = (number(key), number(key + 8), end(entry)) else { break };
        let Some(row) = page.get(start..end) else { break };
        entries.push(((high, low), start, row));
        start = end;
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::super::rows::encode;
    use super::*;

    /// The traces of a leaf whose rows have these keys and bytes.
    fn traces_of(rows: &[(Key, &[u8])]) -> Vec<Trace> {
        let entries: Vec<_> = rows.iter().map(|(key, row)| (*key, 0, *row)).collect();
        traces(&entries)
    }

    fn trace(number: u64, of_frame: bool) -> Trace {
        Trace { number: Sequence::new(number), of_frame }
    }

    #[test]
    fn row_that_is_not_whole_is_a_trace_unless_its_key_cannot_be_ours() {
        let damaged = &[9; 40][..];
        let place = |part: u64, row: u64| part << 32 | row;
        for key in [(1, 0), (u64::MAX - 1, 0), (5, place(PARTS - 1, ROWS - 1))] {
            assert_eq!(traces_of(&[(key, damaged)]), [trace(key.0, false)], "{key:?}");
        }
        for key in [(0, 0), (u64::MAX, 0), (5, place(PARTS, 0)), (5, place(0, ROWS))] {
            assert_eq!(traces_of(&[(key, damaged)]), [], "{key:?}");
        }
        assert_eq!(traces_of(&[((5, 0), b"")]), []);
    }

    #[test]
    fn rows_of_a_leaf_with_a_whole_one_are_traces_in_their_order() {
        let damaged = &[9; 40][..];
        for (kind, of_frame) in [(Kind::Frame, true), (Kind::Snapshot, false)] {
            let mut whole = Vec::new();
            encode(kind, (5, 0), true, b"a piece", &mut whole);
            assert_eq!(traces_of(&[((5, 0), &whole), ((6, 0), damaged)]), [trace(6, of_frame)]);
            let gap = traces_of(&[((5, 0), &whole), ((9, 0), damaged)]);
            assert_eq!(gap, [trace(9, false)].into_iter().filter(|_| !of_frame).collect::<Vec<_>>());
        }
        let either = [((5, 0), damaged), ((9, 0), damaged)];
        assert_eq!(traces_of(&either), [trace(5, false), trace(9, false)], "snapshots may be far apart");
        assert_eq!(traces_of(&[either[1], either[0]]), []);
    }

    #[test]
    fn row_that_lists_pages_is_no_trace() {
        let row = |count: u16, bytes: usize| [&count.to_le_bytes()[..], &std::vec![9; bytes]].concat();
        for (count, bytes, is_list) in [(0, 8, true), (2, 16, true), (3, 16, false), (1, 16, true), (1, 15, false)] {
            assert_eq!(traces_of(&[((5, 0), &row(count, bytes))]).is_empty(), is_list, "{count} in {bytes}");
        }
    }
}
