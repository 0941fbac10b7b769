//! The rules that every journal must keep, as a suite for any implementation.
//!
//! ```
//! use eventful::journal::{MemoryStore, conformance};
//!
//! conformance::check(&mut || Box::new(MemoryStore::new()));
//! conformance::check_bounded(1 << 20, &mut |max_bytes| Box::new(MemoryStore::bounded(max_bytes)));
//! ```
//!
//! A broken rule panics with its name.

mod room;
mod snapshots;
mod steps;
mod trims;

pub use steps::MakeJournal;

use std::boxed::Box;
use std::vec;
use std::vec::Vec;

use super::error::{OpenError, ReadError, WriteError};
use super::sequence::Sequence;
use super::store::{Extent, Journal, JournalStore, Owner};
use steps::{NO_LIMIT, SIZES, append, bytes, frames, is_unknown, open, parts, snapshot, snapshots};

/// Runs every rule on journals of its own.
///
/// # Panics
///
/// When a rule is broken.
pub fn check(make: MakeJournal<'_>) {
    a_new_journal_is_empty(make);
    frames_of_any_size_are_read_as_they_were_appended(make);
    read_stops_at_its_limit_and_continues_from_there(make);
    a_frame_that_is_not_the_expected_one_is_refused(make);
    the_last_frame_can_be_appended_again(make);
    a_second_owner_is_refused_or_ends_the_first_one(make);
    acknowledged_frames_are_there_after_reopening(make);
    snapshots::a_snapshot_exists_once_its_last_part_was_put(make);
    snapshots::a_snapshot_of_any_size_is_read_as_it_was_put(make);
    snapshots::an_unfinished_snapshot_vanishes(make);
    snapshots::part_0_begins_a_snapshot_again(make);
    snapshots::a_part_follows_the_one_before_it_of_its_snapshot(make);
    journal_with_an_unknown_outcome_needs_reopening(make);
    trims::a_trim_drops_what_is_before_it_and_nothing_else(make);
    trims::a_trim_goes_no_further_than_the_end_and_never_back(make);
    trims::an_unfinished_snapshot_is_kept_by_a_trim_at_it(make);
    trims::no_snapshot_is_put_before_the_first_frame(make);
    trims::many_frames_are_trimmed_at_once(make);
    a_seal_changes_nothing(make);
}

/// Runs the rules that only show on journals with this many bytes.
///
/// # Panics
///
/// When a rule is broken.
pub fn check_bounded(max_bytes: u64, make: &mut dyn FnMut(u64) -> Box<dyn JournalStore>) {
    room::while_there_is_room_appends_are_taken(&mut || make(max_bytes));
    room::while_there_is_room_parts_are_put(max_bytes, &mut || make(max_bytes));
    room::a_full_journal_takes_frames_again_once_it_is_trimmed(&mut || make(max_bytes));
    room::a_full_journal_keeps_what_it_has(&mut || make(max_bytes));
}

fn a_new_journal_is_empty(make: MakeJournal<'_>) {
    let mut journal = open(&mut *make());
    let (first, end) = (Sequence::FIRST, Sequence::FIRST);
    assert_eq!(journal.extent(), Extent { first, end }, "a new journal has no frames");
    assert_eq!(journal.snapshots().as_deref(), Ok(&[][..]), "a new journal has no snapshots");
    assert_eq!(frames(&mut *journal), Vec::<Vec<u8>>::new(), "there is nothing to read in a new journal");
}

fn frames_of_any_size_are_read_as_they_were_appended(make: MakeJournal<'_>) {
    let mut store = make();
    let mut journal = open(&mut *store);
    for (frame, size) in (1..).zip(SIZES) {
        append(&mut *journal, &bytes(frame, size));
        let (first, end) = (Sequence::FIRST, Sequence::new(frame + 1));
        assert_eq!(journal.extent(), Extent { first, end }, "the extent ends after the last frame");
    }
    let appended: Vec<_> = (1..).zip(SIZES).map(|(frame, size)| bytes(frame, size)).collect();
    assert!(frames(&mut *journal) == appended, "frames are read as they were appended");
    drop(journal);
    assert!(frames(&mut *open(&mut *store)) == appended, "frames are read after reopening as they were appended");
}

fn read_stops_at_its_limit_and_continues_from_there(make: MakeJournal<'_>) {
    let mut journal = open(&mut *make());
    (1..=5).for_each(|frame| append(&mut *journal, &bytes(frame, 100)));
    let read = |journal: &mut dyn Journal, from: u64, limit: usize| {
        let mut seen = Vec::new();
        let next = journal.read(Sequence::new(from), limit, &mut |sequence, _| seen.push(sequence.number()));
        (seen, next.map(Sequence::number))
    };
    assert_eq!(read(&mut *journal, 1, 0), (vec![1], Ok(2)), "a read gives at least one frame");
    assert_eq!(read(&mut *journal, 1, 200), (vec![1, 2], Ok(3)), "a read ends once its limit is reached");
    assert_eq!(read(&mut *journal, 3, 101), (vec![3, 4], Ok(5)), "a read continues where it ended");
    assert_eq!(read(&mut *journal, 5, NO_LIMIT), (vec![5], Ok(6)), "a read ends at the end");
    assert_eq!(read(&mut *journal, 6, NO_LIMIT), (vec![], Ok(6)), "there is nothing at the end");
}

fn a_frame_that_is_not_the_expected_one_is_refused(make: MakeJournal<'_>) {
    // The number of a frame that is there, and one that would leave a gap.
    for expected in [1, 3] {
        let mut store = make();
        let mut journal = open(&mut *store);
        append(&mut *journal, b"first");
        let refused = journal.append(Sequence::new(expected), b"second");
        assert_eq!(refused, Err(WriteError::Fenced), "frame {expected} is not the second one");
        drop(journal);
        assert_eq!(frames(&mut *open(&mut *store)), [b"first"], "what is refused is not written");
    }
}

fn the_last_frame_can_be_appended_again(make: MakeJournal<'_>) {
    let mut store = make();
    let mut journal = open(&mut *store);
    for (frame, size) in (1..).zip([0, 100, 9000]) {
        append(&mut *journal, &bytes(frame, size));
        for opening in ["that wrote it", "after it"] {
            let extent = journal.extent();
            let repeated = journal.append(Sequence::new(frame), &bytes(frame, size));
            assert_eq!(repeated, Ok(()), "frame {frame} can be appended again by the opening {opening}");
            assert_eq!(journal.extent(), extent, "a frame that is appended again is there once");
            let other = journal.append(Sequence::new(frame), &bytes(frame, size + 1));
            assert_eq!(other, Err(WriteError::Fenced), "other bytes in the place of frame {frame} are refused");
            drop(journal);
            journal = open(&mut *store);
        }
    }
    let appended: Vec<_> = (1..).zip([0, 100, 9000]).map(|(frame, size)| bytes(frame, size)).collect();
    assert!(frames(&mut *journal) == appended, "frames that were appended again are read once");
}

fn a_second_owner_is_refused_or_ends_the_first_one(make: MakeJournal<'_>) {
    let mut store = make();
    let mut first = open(&mut *store);
    append(&mut *first, b"first");
    match store.open(&Owner::new("the second owner")) {
        Err(OpenError::InUse { owner }) => {
            assert!(!owner.is_empty(), "a refused owner gets the name of the present one");
            append(&mut *first, b"second");
        }
        Err(error) => panic!("a second owner is refused by `InUse`, or takes over: {error}"),
        Ok(mut second) => {
            let end = first.extent().end;
            assert_eq!(first.append(end, b"late"), Err(WriteError::Fenced), "the first owner is fenced");
            let late = first.put_snapshot(end, 0, b"late", true);
            assert_eq!(late, Err(WriteError::Fenced), "the first owner makes no snapshots");
            assert_eq!(first.trim(end), Err(WriteError::Fenced), "the first owner trims nothing");
            append(&mut *second, b"second");
        }
    }
    drop(first);
    assert_eq!(frames(&mut *open(&mut *store)), [&b"first"[..], b"second"], "one owner at a time writes");
}

fn acknowledged_frames_are_there_after_reopening(make: MakeJournal<'_>) {
    let mut store = make();
    for opening in 1..=4 {
        let mut journal = open(&mut *store);
        assert_eq!(journal.extent().end.number(), 2 * opening - 1, "a reopened journal ends where it ended");
        append(&mut *journal, &bytes(2 * opening - 1, 10));
        append(&mut *journal, &bytes(2 * opening, 5000));
        snapshot(&mut *journal, 2 * opening + 1, &[b"one", b"two"]);
    }
    let mut journal = open(&mut *store);
    let appended: Vec<_> = (1..=8).map(|frame| bytes(frame, if frame % 2 == 1 { 10 } else { 5000 })).collect();
    assert!(frames(&mut *journal) == appended, "frames are there after reopening");
    assert_eq!(snapshots(&mut *journal), [3, 5, 7, 9], "snapshots are there after reopening, the newest last");
    assert_eq!(parts(&mut *journal, 5), [b"one", b"two"], "the parts of a snapshot are there after reopening");
}

fn journal_with_an_unknown_outcome_needs_reopening(make: MakeJournal<'_>) {
    let mut store = make();
    let mut journal = open(&mut *store);
    append(&mut *journal, b"frame");
    let end = journal.extent().end;
    let refused = journal.put_snapshot(end, 1, b"a part that follows nothing", true);
    assert!(is_unknown(&refused), "a part that follows nothing is no snapshot: {refused:?}");
    assert!(is_unknown(&journal.append(end, b"late")), "after an unknown outcome nothing is appended");
    assert!(is_unknown(&journal.put_snapshot(end, 0, b"late", true)), "nor put");
    assert!(is_unknown(&journal.trim(end)), "nor trimmed");
    assert!(is_unknown(&journal.seal()), "nor sealed");
    let read = journal.read(Sequence::FIRST, NO_LIMIT, &mut |_, _| {});
    assert!(matches!(read, Err(ReadError::Io { .. })), "nor read: {read:?}");
    drop(journal);
    let mut journal = open(&mut *store);
    assert_eq!(frames(&mut *journal), [b"frame"], "reopening shows what is there");
    append(&mut *journal, b"next");
}

fn a_seal_changes_nothing(make: MakeJournal<'_>) {
    let mut store = make();
    let mut journal = open(&mut *store);
    for frame in 1..=3 {
        append(&mut *journal, &bytes(frame, 10));
        let extent = journal.extent();
        [journal.seal(), journal.seal()].into_iter().for_each(|sealed| assert_eq!(sealed, Ok(()), "a seal"));
        assert_eq!(journal.extent(), extent, "a seal adds no frame");
    }
    drop(journal);
    assert_eq!(frames(&mut *open(&mut *store)).len(), 3, "a seal takes no frame away");
}
