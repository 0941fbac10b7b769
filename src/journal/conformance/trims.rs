//! Rules of trims.

use std::vec::Vec;

use super::steps::{
    MakeJournal, NO_LIMIT, append, bytes, frames, is_unknown, open, parts, put, snapshot, snapshots, trim,
};
use crate::journal::error::{ReadError, WriteError};
use crate::journal::sequence::Sequence;
use crate::journal::store::Extent;

pub(super) fn a_trim_drops_what_is_before_it_and_nothing_else(make: MakeJournal<'_>) {
    let mut store = make();
    let mut journal = open(&mut *store);
    (1..=9).for_each(|frame| append(&mut *journal, &bytes(frame, 3000)));
    [3, 5, 7].into_iter().for_each(|at| snapshot(&mut *journal, at, &[bytes(at, 9000)]));
    trim(&mut *journal, 5);
    // By the opening that has trimmed, and by the next one.
    for _ in 0..2 {
        let (first, end) = (Sequence::new(5), Sequence::new(10));
        assert_eq!(journal.extent(), Extent { first, end }, "frames before the trim are gone");
        let kept: Vec<_> = (5..=9).map(|frame| bytes(frame, 3000)).collect();
        assert!(frames(&mut *journal) == kept, "frames from the trim on are kept");
        let gone = journal.read(Sequence::new(4), NO_LIMIT, &mut |_, _| {});
        assert!(matches!(gone, Err(ReadError::Corrupt(_))), "a frame that is gone is not skipped: {gone:?}");
        assert_eq!(snapshots(&mut *journal), [5, 7], "a snapshot is kept by a trim at it");
        assert!(parts(&mut *journal, 5) == [bytes(5, 9000)], "its parts are kept");
        assert_eq!(journal.snapshot(Sequence::new(3), 0), Ok(None), "a snapshot before the trim is gone");
        drop(journal);
        journal = open(&mut *store);
    }
}

pub(super) fn a_trim_goes_no_further_than_the_end_and_never_back(make: MakeJournal<'_>) {
    let mut store = make();
    let mut journal = open(&mut *store);
    (1..=3).for_each(|frame| append(&mut *journal, &bytes(frame, 10)));
    trim(&mut *journal, 9);
    let (first, end) = (Sequence::new(4), Sequence::new(4));
    assert_eq!(journal.extent(), Extent { first, end }, "a trim goes no further than the end");
    trim(&mut *journal, 2);
    let trimmed = journal.append(Sequence::new(3), &bytes(3, 10));
    assert_eq!(trimmed, Err(WriteError::Fenced), "a frame that was trimmed is not appended again");
    drop(journal);
    let mut journal = open(&mut *store);
    assert_eq!(journal.extent(), Extent { first, end }, "what is trimmed stays so, and an empty journal has its end");
    append(&mut *journal, b"fourth");
    assert_eq!(frames(&mut *journal), [b"fourth"], "appends continue after the end");
}

pub(super) fn many_frames_are_trimmed_at_once(make: MakeJournal<'_>) {
    let mut store = make();
    let mut journal = open(&mut *store);
    // More than the first segment of a journal on disk takes.
    (1..=60).for_each(|frame| append(&mut *journal, &bytes(frame, 20_000)));
    snapshot(&mut *journal, 30, &[bytes(0, 300_000)]);
    snapshot(&mut *journal, 58, &[b"snapshot"]);
    trim(&mut *journal, 58);
    append(&mut *journal, b"61");
    snapshot(&mut *journal, 62, &[b"another"]);
    for opening in 0..3 {
        let (first, end) = (Sequence::new(58), Sequence::new(62));
        assert_eq!(journal.extent(), Extent { first, end }, "a long trim is as good as a short one");
        assert_eq!(frames(&mut *journal).len(), 4, "the frames after a long trim are there");
        assert_eq!(snapshots(&mut *journal), [58, 62], "the snapshots after a long trim are there");
        assert_eq!(parts(&mut *journal, 58), [b"snapshot"], "with their parts");
        journal.seal().unwrap_or_else(|error| panic!("a seal while opening {opening}: {error}"));
        drop(journal);
        journal = open(&mut *store);
    }
}

pub(super) fn an_unfinished_snapshot_is_kept_by_a_trim_at_it(make: MakeJournal<'_>) {
    let mut store = make();
    let mut journal = open(&mut *store);
    (1..=3).for_each(|frame| append(&mut *journal, &bytes(frame, 10)));
    put(&mut *journal, 3, 0, b"one", false);
    trim(&mut *journal, 3);
    put(&mut *journal, 3, 1, b"two", true);
    assert_eq!(parts(&mut *journal, 3), [b"one", b"two"], "a snapshot is finished after a trim at it");
}

pub(super) fn no_snapshot_is_put_before_the_first_frame(make: MakeJournal<'_>) {
    for begun in [false, true] {
        let mut store = make();
        let mut journal = open(&mut *store);
        (1..=3).for_each(|frame| append(&mut *journal, &bytes(frame, 10)));
        if begun {
            put(&mut *journal, 2, 0, b"one", false);
        }
        trim(&mut *journal, 3);
        let refused = journal.put_snapshot(Sequence::new(2), begun.into(), b"late", true);
        assert!(is_unknown(&refused), "no snapshot is put before the first frame: {refused:?}");
        drop(journal);
        assert_eq!(snapshots(&mut *open(&mut *store)), Vec::<u64>::new(), "no such snapshot exists");
    }
}
