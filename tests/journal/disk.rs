//! A journal on disk: who may have it, what it says of damage, and how much room it takes.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use eventful::journal::{DiskStore, Journal, JournalStore as _, OpenError, Owner, Sequence, TooNew, WriteError};
use proptest::prelude::*;

use crate::image::{Holdings, Image, write_format};
use crate::script::cases;

fn owner() -> Owner {
    Owner::new("a test")
}

#[test]
fn a_second_owner_is_told_who_the_first_one_is() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut first = DiskStore::new(directory.path());
    let journal = first.open(&Owner::new("process 4242 on host blue")).expect("a journal");

    let mut second = DiskStore::new(directory.path());
    let refused = second.open(&Owner::new("another")).map(drop);

    assert_eq!(refused, Err(OpenError::InUse { owner: "process 4242 on host blue".into() }));
    drop(journal);
    drop(second.open(&Owner::new("another")).expect("the first one has closed it"));
    assert!(!directory.path().join("owner").exists(), "a journal that nobody has has no owner");
}

#[test]
fn a_snapshot_that_is_given_up_makes_room_for_frames() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut store = DiskStore::new(directory.path()).max_bytes(2 << 20);
    let mut journal = store.open(&Owner::new("a test")).expect("a journal");
    let mut next = Sequence::FIRST;
    let fill = |journal: &mut dyn Journal, next: &mut Sequence| loop {
        match journal.append(*next, &[1; 50_000]) {
            Ok(()) => *next = next.next(),
            Err(error) => return assert_eq!(error, WriteError::Full),
        }
    };
    journal.append(next, b"the first one").expect("room");
    next = next.next();
    assert!((0..8).all(|part| journal.put_snapshot(next, part, &[0; 100_000], false).is_ok()));
    fill(&mut *journal, &mut next);

    journal.drop_unfinished();
    let before = next;
    fill(&mut *journal, &mut next);
    assert!(next > before, "the snapshot gave way");
    assert_eq!(journal.trim(next), Ok(()));
    assert!((0..8).all(|part| journal.put_snapshot(next, part, &[0; 100_000], false).is_ok()));
    fill(&mut *journal, &mut next);
    drop(journal);

    let mut journal = store.open(&Owner::new("a test")).expect("a journal");
    assert_eq!(journal.append(next, &[1; 50_000]), Ok(()), "one that was under way at the end gives way, too");
}

#[test]
fn an_owner_that_died_is_not_told_as_the_one_that_has_the_journal_now() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut store = DiskStore::new(directory.path());
    drop(store.open(&owner()).expect("a journal"));
    fs::write(directory.path().join("owner"), "process 4242 on host blue").expect("a file");
    let look = DiskStore::new(directory.path()).read_only().open(&owner()).expect("a journal");

    let refused = store.open(&owner()).map(drop);

    assert_eq!(refused, Err(OpenError::InUse { owner: "another process".into() }));
    drop(look);
    drop(store.open(&owner()).expect("nobody has it"));
}

#[test]
fn a_journal_in_which_no_owner_can_be_noted_is_opened_all_the_same() {
    for name in ["owner", "owner.new"] {
        let directory = tempfile::tempdir().expect("a directory");
        fs::create_dir(directory.path().join(name)).expect("a directory");
        let mut store = DiskStore::new(directory.path());
        let journal = store.open(&owner()).expect("a journal");

        let refused = DiskStore::new(directory.path()).open(&owner()).map(drop);

        assert_eq!(refused, Err(OpenError::InUse { owner: "another process".into() }), "{name}");
        drop(journal);
    }
}

#[test]
fn others_can_read_neither_the_directory_nor_the_file() {
    let parent = tempfile::tempdir().expect("a directory");
    let directory = parent.path().join("data");
    let journal = DiskStore::new(&directory).open(&owner()).expect("a journal");

    let mode = |path: &std::path::Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    assert_eq!(mode(&directory.join("journal.redb")), 0o600);
    assert_eq!(mode(&directory.join("owner")), 0o600);
    drop(journal);
}

#[test]
fn a_directory_that_cannot_be_is_refused_in_words() {
    let parent = tempfile::tempdir().expect("a directory");
    let file = parent.path().join("file");
    fs::write(&file, "").expect("a file");
    let refusal = |path: &std::path::Path| {
        let refused = DiskStore::new(path).open(&owner()).map(drop);
        refused.expect_err("no directory").to_string().replace(&parent.path().display().to_string(), "DIR")
    };
    assert_eq!(refusal(&file), "DIR/file: it is not a directory");
    let nowhere = refusal(&parent.path().join("no/data"));
    assert_eq!(nowhere, "DIR/no/data: the directory that it is to be made in does not exist");
    let below = refusal(&file.join("data"));
    assert_eq!(below, "DIR/file/data: Not a directory (os error 20)");
}

#[test]
fn a_file_that_is_no_journal_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("journal.redb");
    let text = "a text\n".repeat(2000);
    fs::write(&file, &text).expect("a file");

    let refused = DiskStore::new(directory.path()).open(&owner()).map(drop);

    let Err(OpenError::Corrupt(corrupt)) = refused else { panic!("{refused:?}") };
    assert_eq!(corrupt.at, file.display().to_string());
    assert_eq!(fs::read_to_string(&file).expect("a file"), text);
}

#[test]
fn a_file_of_megabytes_of_zeros_is_refused_as_damaged_and_left_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("journal.redb");
    fs::write(&file, vec![0; 3 << 20]).expect("a file");

    let refused = DiskStore::new(directory.path()).open(&owner()).map(drop);

    let Err(OpenError::Corrupt(corrupt)) = refused else { panic!("{refused:?}") };
    assert_eq!(corrupt.at, file.display().to_string());
    assert_eq!(fs::metadata(&file).expect("a file").len(), 3 << 20);
}

#[test]
fn the_format_of_a_newer_program_is_refused_by_its_number() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut store = DiskStore::new(directory.path());
    drop(store.open(&owner()).expect("a journal"));
    write_format(&directory.path().join("journal.redb"), 2);

    let refused = store.open(&owner()).map(drop);

    let place = directory.path().join("journal.redb").display().to_string();
    assert_eq!(refused, Err(TooNew::format(place, 2, 1).into()));
}

#[test]
fn a_write_that_fails_is_unknown_and_only_reopening_goes_on() {
    for kind in [ErrorKind::StorageFull, ErrorKind::Other] {
        let image = Image::default();
        let mut journal = image.open().expect("a journal");
        append(&mut *journal, 1, 100);
        image.refuse(Some(kind));
        for _ in 0..2 {
            let refused = journal.append(Sequence::new(2), b"lost");
            assert!(matches!(refused, Err(WriteError::Unknown { .. })), "{refused:?}");
        }
        image.refuse(None);
        assert!(matches!(journal.seal(), Err(WriteError::Unknown { .. })), "it stays so");
        drop(journal);
        let mut journal = image.open().expect("a journal");
        assert_eq!(journal.extent().end, Sequence::new(2), "what was acknowledged is there, the rest is not");
        append(&mut *journal, 2, 100);
    }
}

#[test]
fn a_write_that_is_torn_at_any_page_is_taken_back_whole() {
    let image = Image::default();
    let mut journal = image.open().expect("a journal");
    (1..=5).for_each(|frame| append(&mut *journal, frame, 6000));
    let (held, before) = (Holdings::of(&mut *journal).expect("sound"), image.bytes());
    append(&mut *journal, 6, 6000);
    let (wanted, after) = (Holdings::of(&mut *journal).expect("sound"), image.bytes());
    drop(journal);

    let (mut pages, mut taken_back) = (0, 0);
    for page in (0..after.len()).step_by(4096) {
        let end = after.len().min(page + 4096);
        let old = before.get(page..end).map_or_else(|| vec![0; end - page], <[u8]>::to_vec);
        if after[page..end] == old {
            continue;
        }
        pages += 1;
        let mut torn = after.clone();
        torn[page..end].copy_from_slice(&old);
        let mut journal = Image::of(torn).open().expect("a torn write is no damage");
        let found = Holdings::of(&mut *journal).expect("sound");
        taken_back += usize::from(found == held);
        assert!(found == held || found == wanted, "page {page}: {:?}", found.extent);
    }
    assert!(pages > 3 && taken_back > 3, "{taken_back} of {pages}");
}

#[test]
fn a_process_that_is_killed_at_any_change_of_the_file_loses_nothing_that_was_acknowledged() {
    for changes in 0.. {
        let image = Image::default();
        image.refuse_after(changes);
        let acknowledged = write_until_it_fails(&image);
        let killed = Image::of(image.bytes());
        let mut journal = killed.open().unwrap_or_else(|error| panic!("after {changes} changes: {error}"));
        let found = Holdings::of(&mut *journal).expect("sound");
        let (end, first) = (found.extent.end.number(), found.extent.first.number());
        let frames = acknowledged.frames;
        assert!(
            end == frames + 1 || end == frames + 2,
            "after {changes} changes: {acknowledged:?}, {:?}",
            found.extent
        );
        assert!(first >= acknowledged.first, "after {changes} changes: {acknowledged:?}, {:?}", found.extent);
        for (sequence, frame) in (first..).zip(&found.frames) {
            assert!(*frame == frame_of(sequence, 3000), "frame {sequence} after {changes} changes");
        }
        let snapshots: Vec<_> = found.snapshots.iter().map(|(at, _)| at.number()).collect();
        assert!(acknowledged.snapshot.is_none_or(|at| snapshots.contains(&at)), "after {changes} changes");
        append(&mut *journal, end, 3000);
        if acknowledged.all {
            assert!(changes > 50, "there is something to be killed at: {changes} changes");
            return;
        }
    }
}

/// What a process was told before it was killed.
#[derive(Debug)]
struct Acknowledged {
    frames: u64,
    first: u64,
    snapshot: Option<u64>,
    /// It was not killed.
    all: bool,
}

fn write_until_it_fails(image: &Image) -> Acknowledged {
    let mut told = Acknowledged { frames: 0, first: 1, snapshot: None, all: false };
    let Ok(mut journal) = image.open() else { return told };
    for frame in 1..=6 {
        if journal.append(Sequence::new(frame), &frame_of(frame, 3000)).is_err() {
            return told;
        }
        told.frames = frame;
        let at = Sequence::new(frame + 1);
        if frame % 2 == 0 && (0..2).any(|part| journal.put_snapshot(at, part, &[7; 5000], part == 1).is_err()) {
            return told;
        }
        told.snapshot = Some(frame / 2 * 2 + 1).filter(|at| *at > 1);
        if frame == 4 && journal.trim(Sequence::new(3)).is_err() {
            return told;
        }
        told.first = if frame >= 4 { 3 } else { 1 };
        if frame == 5 && journal.seal().is_err() {
            return told;
        }
    }
    told.all = true;
    told
}

proptest! {
    #![proptest_config(cases("disk"))]

    #[test]
    fn a_flipped_bit_is_found_or_does_no_harm(
        end in prop_oneof![Just(End::Closed), Just(End::Sealed), Just(End::Killed)],
        place in any::<prop::sample::Index>(),
        bit in 0u8..8,
    ) {
        let (bytes, held, without_last) = journal_that_ended(end);
        let mut rotten = bytes;
        let written: Vec<usize> = (0..rotten.len()).filter(|place| rotten[*place] != 0).collect();
        let place = written[place.index(written.len())];
        rotten[place] ^= 1 << bit;

        let opened = Image::of(rotten).open();

        let mut journal = match opened {
            Err(OpenError::Corrupt(_)) => return Ok(()),
            Err(OpenError::TooNew(_)) => return Err(TestCaseError::fail("rot is no newer format")),
            Err(error) => return Err(TestCaseError::fail(format!("byte {place}: {error}"))),
            Ok(journal) => journal,
        };
        if let Ok(found) = Holdings::of(&mut *journal) {
            let last_taken_back = end == End::Killed && found == without_last;
            prop_assert!(found == held || last_taken_back, "byte {}: {:?}", place, found.extent);
        }
    }
}

/// How a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Closed,
    Sealed,
    Killed,
}

/// The bytes of a journal, what it holds, and what it held before its last frame.
fn journal_that_ended(end: End) -> (Vec<u8>, Holdings, Holdings) {
    let image = Image::default();
    let mut journal = image.open().expect("a journal");
    (1..=12).for_each(|frame| append(&mut *journal, frame, frame as usize * 900));
    for part in 0..3 {
        journal.put_snapshot(Sequence::new(9), part, &[part as u8; 9000], part == 2).expect("room");
    }
    journal.trim(Sequence::new(5)).expect("room");
    append(&mut *journal, 13, 5000);
    let without_last = Holdings::of(&mut *journal).expect("sound");
    append(&mut *journal, 14, 5000);
    let held = Holdings::of(&mut *journal).expect("sound");
    if end == End::Sealed {
        journal.seal().expect("a disk");
    }
    let killed = image.bytes();
    drop(journal);
    let bytes = if end == End::Closed { image.bytes() } else { killed };
    (bytes, held, without_last)
}

#[test]
fn what_is_trimmed_is_used_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut journal = DiskStore::new(directory.path()).open(&owner()).expect("a journal");
    let blocks = || fs::metadata(directory.path().join("journal.redb")).expect("a file").blocks();
    let mut round = |round: u64| {
        for frame in 0..40 {
            append(&mut *journal, round * 40 + frame + 1, 20_000);
        }
        journal.trim(Sequence::new(round * 40 + 30)).expect("a disk");
    };
    (0..3).for_each(&mut round);
    let taken = blocks();

    (3..12).for_each(&mut round);

    assert!(blocks() <= taken * 2, "{taken} blocks became {}", blocks());
}

fn append(journal: &mut dyn Journal, frame: u64, size: usize) {
    journal.append(Sequence::new(frame), &frame_of(frame, size)).expect("room");
}

fn frame_of(frame: u64, size: usize) -> Vec<u8> {
    (0..size).map(|place| (frame as usize * 7 + place * 13) as u8).collect()
}
