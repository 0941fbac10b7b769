//! The steps of the rules: each must succeed, and says so when it does not.

use std::boxed::Box;
use std::vec::Vec;

use super::super::error::WriteError;
use super::super::sequence::Sequence;
use super::super::store::{Extent, Journal, JournalStore, Owner};

/// Makes a new, empty journal.
pub type MakeJournal<'a> = &'a mut dyn FnMut() -> Box<dyn JournalStore>;

/// Sizes at which an implementation may change how it stores a frame, with their neighbours.
pub(super) const SIZES: [usize; 13] = [0, 1, 2, 100, 4000, 4095, 4096, 4097, 8191, 8192, 8193, 65_537, 1 << 20];

/// A limit that is never reached.
pub(super) const NO_LIMIT: usize = usize::MAX;

pub(super) fn open(store: &mut dyn JournalStore) -> Box<dyn Journal> {
    store.open(&Owner::new("the conformance suite")).unwrap_or_else(|error| panic!("it is opened: {error}"))
}

pub(super) fn append(journal: &mut dyn Journal, frame: &[u8]) {
    let end = journal.extent().end;
    journal.append(end, frame).unwrap_or_else(|error| panic!("frame {end} is appended: {error}"));
}

pub(super) fn trim(journal: &mut dyn Journal, below: u64) {
    journal.trim(Sequence::new(below)).unwrap_or_else(|error| panic!("a trim at {below}: {error}"));
}

pub(super) fn put(journal: &mut dyn Journal, at: u64, part: u32, bytes: &[u8], last: bool) {
    let put = journal.put_snapshot(Sequence::new(at), part, bytes, last);
    put.unwrap_or_else(|error| panic!("part {part} of the snapshot before frame {at} is put: {error}"));
}

pub(super) fn snapshot<B: AsRef<[u8]>>(journal: &mut dyn Journal, at: u64, parts: &[B]) {
    for (part, bytes) in (0..).zip(parts) {
        put(journal, at, part, bytes.as_ref(), part as usize + 1 == parts.len());
    }
}

pub(super) fn snapshots(journal: &mut dyn Journal) -> Vec<u64> {
    let snapshots = journal.snapshots().unwrap_or_else(|error| panic!("snapshots are listed: {error}"));
    snapshots.into_iter().map(Sequence::number).collect()
}

pub(super) fn parts(journal: &mut dyn Journal, at: u64) -> Vec<Vec<u8>> {
    let part = |part| journal.snapshot(Sequence::new(at), part);
    let read = (0..).map(part).map(|part| part.unwrap_or_else(|error| panic!("a part is read: {error}")));
    read.map_while(|part| part).collect()
}

pub(super) fn frames(journal: &mut dyn Journal) -> Vec<Vec<u8>> {
    let Extent { first, end } = journal.extent();
    let (mut next, mut frames) = (first, Vec::new());
    while next < end {
        let read = journal.read(next, 10_000, &mut |_, frame| frames.push(frame.to_vec()));
        let after = read.unwrap_or_else(|error| panic!("frame {next} is read: {error}"));
        assert!(after > next, "a read makes progress");
        next = after;
    }
    frames
}

pub(super) fn is_unknown(written: &Result<(), WriteError>) -> bool {
    matches!(written, Err(WriteError::Unknown { .. }))
}

/// Returns bytes that differ from frame to frame, and from place to place.
pub(super) fn bytes(seed: u64, size: usize) -> Vec<u8> {
    let mixed =
        |place: u64| (seed.wrapping_mul(31).wrapping_add(place).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8;
    (0..size as u64).map(mixed).collect()
}
