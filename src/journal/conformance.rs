//! What every journal must keep, as a suite that any implementation can be run through.
//!
//! ```
//! use eventful::journal::{MemoryStore, conformance};
//!
//! conformance::check(&mut || Box::new(MemoryStore::new()));
//! conformance::check_bounded(1 << 20, &mut |max_bytes| Box::new(MemoryStore::bounded(max_bytes)));
//! ```
//!
//! A rule that is broken panics, and says which.

use std::boxed::Box;
use std::vec;
use std::vec::Vec;

use super::error::{OpenError, ReadError, WriteError};
use super::sequence::Sequence;
use super::store::{Extent, Journal, JournalStore, Owner};

/// Makes a new, empty journal.
pub type Make<'a> = &'a mut dyn FnMut() -> Box<dyn JournalStore>;

/// Sizes at which an implementation may change how it keeps a frame, with their neighbours.
const SIZES: [usize; 13] = [0, 1, 2, 100, 4000, 4095, 4096, 4097, 8191, 8192, 8193, 65_537, 1 << 20];

/// A limit that is never reached.
const NO_LIMIT: usize = usize::MAX;

/// Runs every rule on journals of its own.
///
/// # Panics
///
/// When a rule is broken.
pub fn check(make: Make<'_>) {
    a_new_journal_is_empty(make);
    frames_of_any_size_are_read_as_they_were_appended(make);
    a_read_stops_at_its_limit_and_goes_on_from_there(make);
    a_frame_that_is_not_the_expected_one_is_refused(make);
    a_second_owner_is_refused_or_ends_the_first_one(make);
    what_was_acknowledged_is_there_after_reopening(make);
    a_snapshot_exists_once_its_last_part_was_put(make);
    a_snapshot_of_any_size_is_read_as_it_was_put(make);
    an_unfinished_snapshot_vanishes(make);
    part_0_begins_a_snapshot_anew(make);
    after_an_unknown_outcome_only_reopening_goes_on(make);
    a_trim_drops_what_is_before_it_and_nothing_else(make);
    a_trim_goes_no_further_than_the_end_and_never_back(make);
    many_frames_are_trimmed_at_once(make);
    a_seal_changes_nothing(make);
}

/// Runs what can only be seen on journals that have so many bytes.
///
/// # Panics
///
/// When a rule is broken.
pub fn check_bounded(max_bytes: u64, make: &mut dyn FnMut(u64) -> Box<dyn JournalStore>) {
    while_there_is_room_appends_are_taken(&mut || make(max_bytes));
    a_full_journal_takes_frames_again_once_it_is_trimmed(&mut || make(max_bytes));
    a_full_journal_keeps_what_it_has(&mut || make(max_bytes));
}

fn a_new_journal_is_empty(make: Make<'_>) {
    let mut journal = open(&mut *make());
    let (first, end) = (Sequence::FIRST, Sequence::FIRST);
    assert_eq!(journal.extent(), Extent { first, end }, "a new journal has no frames");
    assert_eq!(journal.snapshots().as_deref(), Ok(&[][..]), "a new journal has no snapshots");
    assert_eq!(frames(&mut *journal), Vec::<Vec<u8>>::new(), "there is nothing to read in a new journal");
}

fn frames_of_any_size_are_read_as_they_were_appended(make: Make<'_>) {
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

fn a_read_stops_at_its_limit_and_goes_on_from_there(make: Make<'_>) {
    let mut journal = open(&mut *make());
    (1..=5).for_each(|frame| append(&mut *journal, &bytes(frame, 100)));
    let read = |journal: &mut dyn Journal, from: u64, limit: usize| {
        let mut seen = Vec::new();
        let next = journal.read(Sequence::new(from), limit, &mut |sequence, _| seen.push(sequence.number()));
        (seen, next.map(Sequence::number))
    };
    assert_eq!(read(&mut *journal, 1, 0), (vec![1], Ok(2)), "a read gives at least one frame");
    assert_eq!(read(&mut *journal, 1, 200), (vec![1, 2], Ok(3)), "a read ends once its limit is reached");
    assert_eq!(read(&mut *journal, 3, 101), (vec![3, 4], Ok(5)), "a read goes on from where it ended");
    assert_eq!(read(&mut *journal, 5, NO_LIMIT), (vec![5], Ok(6)), "a read ends at the end");
    assert_eq!(read(&mut *journal, 6, NO_LIMIT), (vec![], Ok(6)), "there is nothing at the end");
}

fn a_frame_that_is_not_the_expected_one_is_refused(make: Make<'_>) {
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

fn a_second_owner_is_refused_or_ends_the_first_one(make: Make<'_>) {
    let mut store = make();
    let mut first = open(&mut *store);
    append(&mut *first, b"first");
    match store.open(&Owner::new("the second owner")) {
        Err(OpenError::InUse { owner }) => {
            assert!(!owner.is_empty(), "who is refused is told by whom");
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

fn what_was_acknowledged_is_there_after_reopening(make: Make<'_>) {
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

fn a_snapshot_exists_once_its_last_part_was_put(make: Make<'_>) {
    let mut journal = open(&mut *make());
    append(&mut *journal, b"frame");
    put(&mut *journal, 2, 0, b"one", false);
    put(&mut *journal, 2, 1, b"two", false);
    assert_eq!(snapshots(&mut *journal), Vec::<u64>::new(), "an unfinished snapshot does not exist");
    assert_eq!(journal.snapshot(Sequence::new(2), 0), Ok(None), "an unfinished snapshot has no parts");
    append(&mut *journal, b"another frame");
    put(&mut *journal, 2, 2, b"three", true);
    assert_eq!(snapshots(&mut *journal), [2], "a finished snapshot exists");
    assert_eq!(parts(&mut *journal, 2), [&b"one"[..], b"two", b"three"], "a snapshot has the parts that were put");
    assert_eq!(journal.snapshot(Sequence::new(1), 0), Ok(None), "a snapshot that was never put has no parts");
}

fn a_snapshot_of_any_size_is_read_as_it_was_put(make: Make<'_>) {
    let mut store = make();
    let mut journal = open(&mut *store);
    let put: Vec<_> = (0..).zip(SIZES).map(|(part, size)| bytes(part, size)).collect();
    snapshot(&mut *journal, 1, &put);
    assert!(parts(&mut *journal, 1) == put, "parts are read as they were put");
    drop(journal);
    assert!(parts(&mut *open(&mut *store), 1) == put, "parts are read after reopening as they were put");
}

fn an_unfinished_snapshot_vanishes(make: Make<'_>) {
    let mut store = make();
    let mut journal = open(&mut *store);
    put(&mut *journal, 1, 0, &bytes(1, 9000), false);
    put(&mut *journal, 1, 1, &bytes(2, 9000), false);
    drop(journal);
    let mut journal = open(&mut *store);
    assert_eq!(snapshots(&mut *journal), Vec::<u64>::new(), "an unfinished snapshot vanishes");
    snapshot(&mut *journal, 1, &[b"short"]);
    drop(journal);
    assert_eq!(parts(&mut *open(&mut *store), 1), [b"short"], "nothing is left of an unfinished snapshot");
}

fn part_0_begins_a_snapshot_anew(make: Make<'_>) {
    let mut store = make();
    let mut journal = open(&mut *store);
    put(&mut *journal, 1, 0, &bytes(1, 9000), false);
    put(&mut *journal, 1, 1, &bytes(2, 9000), false);
    snapshot(&mut *journal, 1, &[&bytes(3, 9000)[..], b"new"]);
    assert!(parts(&mut *journal, 1) == [bytes(3, 9000), b"new".to_vec()], "part 0 begins a snapshot anew");
    put(&mut *journal, 1, 0, b"newer", false);
    assert_eq!(snapshots(&mut *journal), Vec::<u64>::new(), "a snapshot that is begun anew takes its own place");
    put(&mut *journal, 1, 1, b"newest", true);
    drop(journal);
    assert_eq!(parts(&mut *open(&mut *store), 1), [&b"newer"[..], b"newest"], "it is the one that was put last");
}

fn after_an_unknown_outcome_only_reopening_goes_on(make: Make<'_>) {
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
    assert_eq!(frames(&mut *journal), [b"frame"], "reopening tells what is there");
    append(&mut *journal, b"next");
}

fn a_trim_drops_what_is_before_it_and_nothing_else(make: Make<'_>) {
    let mut store = make();
    let mut journal = open(&mut *store);
    (1..=9).for_each(|frame| append(&mut *journal, &bytes(frame, 3000)));
    [3, 5, 7].into_iter().for_each(|at| snapshot(&mut *journal, at, &[bytes(at, 9000)]));
    trim(&mut *journal, 5);
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

fn a_trim_goes_no_further_than_the_end_and_never_back(make: Make<'_>) {
    let mut store = make();
    let mut journal = open(&mut *store);
    (1..=3).for_each(|frame| append(&mut *journal, &bytes(frame, 10)));
    trim(&mut *journal, 9);
    let (first, end) = (Sequence::new(4), Sequence::new(4));
    assert_eq!(journal.extent(), Extent { first, end }, "a trim goes no further than the end");
    trim(&mut *journal, 2);
    drop(journal);
    let mut journal = open(&mut *store);
    assert_eq!(journal.extent(), Extent { first, end }, "what is trimmed stays so, and an empty journal has its end");
    append(&mut *journal, b"fourth");
    assert_eq!(frames(&mut *journal), [b"fourth"], "appends go on after the end");
}

fn many_frames_are_trimmed_at_once(make: Make<'_>) {
    let mut store = make();
    let mut journal = open(&mut *store);
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

fn a_seal_changes_nothing(make: Make<'_>) {
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

/// A frame is taken while there is twice the room that its bytes need, and two pages.
fn while_there_is_room_appends_are_taken(make: Make<'_>) {
    let mut journal = open(&mut *make());
    for size in [70_000, 4096, 2100, 300, 1] {
        fill(&mut *journal, size);
        let (end, room) = (journal.extent().end, journal.room().0);
        assert!(room < wanted(size), "a frame of {size} bytes is taken while there is room: {room} bytes");
        assert_eq!(journal.append(end, &bytes(0, size)), Err(WriteError::Full), "no room stays no room");
    }
}

fn a_full_journal_takes_frames_again_once_it_is_trimmed(make: Make<'_>) {
    let mut journal = open(&mut *make());
    for round in 0..3 {
        fill(&mut *journal, 10_000);
        let end = journal.extent().end;
        trim(&mut *journal, end.number());
        while journal.room().0 < wanted(10_000) {
            let before = journal.room();
            journal.seal().unwrap_or_else(|error| panic!("a seal in round {round}: {error}"));
            assert!(journal.room() > before, "what is trimmed becomes room again");
        }
        append(&mut *journal, &bytes(round, 10_000));
    }
}

fn a_full_journal_keeps_what_it_has(make: Make<'_>) {
    let mut store = make();
    let mut journal = open(&mut *store);
    fill(&mut *journal, 10_000);
    let kept = frames(&mut *journal);
    let end = journal.extent().end;
    assert_eq!(journal.put_snapshot(end, 0, &bytes(0, 1 << 20), true), Err(WriteError::Full), "no room for a part");
    drop(journal);
    assert!(frames(&mut *open(&mut *store)) == kept, "what is refused takes nothing away");
}

fn open(store: &mut dyn JournalStore) -> Box<dyn Journal> {
    store.open(&Owner::new("the conformance suite")).unwrap_or_else(|error| panic!("it is opened: {error}"))
}

fn append(journal: &mut dyn Journal, frame: &[u8]) {
    let end = journal.extent().end;
    journal.append(end, frame).unwrap_or_else(|error| panic!("frame {end} is appended: {error}"));
}

/// Appends frames of this size until there is no room for another one.
fn fill(journal: &mut dyn Journal, size: usize) {
    loop {
        let (end, room) = (journal.extent().end, journal.room().0);
        match journal.append(end, &bytes(end.number(), size)) {
            Ok(()) => {}
            Err(WriteError::Full) => {
                return assert!(room < wanted(size), "a frame of {size} bytes is refused at {room} bytes of room");
            }
            Err(error) => panic!("frame {end} is appended, or there is no room: {error}"),
        }
    }
}

/// Room at which a frame of this size is taken.
const fn wanted(size: usize) -> u64 {
    2 * size as u64 + (8 << 10)
}

fn trim(journal: &mut dyn Journal, below: u64) {
    journal.trim(Sequence::new(below)).unwrap_or_else(|error| panic!("a trim at {below}: {error}"));
}

fn put(journal: &mut dyn Journal, at: u64, part: u32, bytes: &[u8], last: bool) {
    let put = journal.put_snapshot(Sequence::new(at), part, bytes, last);
    put.unwrap_or_else(|error| panic!("part {part} of the snapshot before frame {at} is put: {error}"));
}

fn snapshot<B: AsRef<[u8]>>(journal: &mut dyn Journal, at: u64, parts: &[B]) {
    for (part, bytes) in (0..).zip(parts) {
        put(journal, at, part, bytes.as_ref(), part as usize + 1 == parts.len());
    }
}

fn snapshots(journal: &mut dyn Journal) -> Vec<u64> {
    let snapshots = journal.snapshots().unwrap_or_else(|error| panic!("snapshots are listed: {error}"));
    snapshots.into_iter().map(Sequence::number).collect()
}

fn parts(journal: &mut dyn Journal, at: u64) -> Vec<Vec<u8>> {
    let part = |part| journal.snapshot(Sequence::new(at), part);
    let read = (0..).map(part).map(|part| part.unwrap_or_else(|error| panic!("a part is read: {error}")));
    read.map_while(|part| part).collect()
}

fn frames(journal: &mut dyn Journal) -> Vec<Vec<u8>> {
    let Extent { first, end } = journal.extent();
    let (mut next, mut frames) = (first, Vec::new());
    while next < end {
        let read = journal.read(next, 10_000, &mut |_, frame| frames.push(frame.to_vec()));
        let after = read.unwrap_or_else(|error| panic!("frame {next} is read: {error}"));
        assert!(after > next, "a read goes on");
        next = after;
    }
    frames
}

fn is_unknown(written: &Result<(), WriteError>) -> bool {
    matches!(written, Err(WriteError::Unknown { .. }))
}

/// Bytes that differ from frame to frame, and from place to place.
fn bytes(seed: u64, size: usize) -> Vec<u8> {
    let mixed =
        |place: u64| (seed.wrapping_mul(31).wrapping_add(place).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8;
    (0..size as u64).map(mixed).collect()
}
