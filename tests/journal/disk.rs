//! A journal on disk: who may have it, what it says of damage, and how much room it takes.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;

use eventful::journal::{DiskStore, Journal, JournalStore as _, OpenError, Owner, Sequence, WriteError};
use proptest::prelude::*;

use crate::image::{Files, Holdings, Image};
use crate::script::cases;

fn owner() -> Owner {
    Owner::new("a test")
}

#[test]
fn opening_on_a_full_disk_says_what_it_needs_and_loses_nothing() {
    let image = Image::default();
    let mut journal = image.store().open(&owner()).expect("a new journal");
    append(&mut *journal, 1, 100);
    drop(journal);
    // What is there is synced and cut first.
    image.refuse_after(2, ErrorKind::StorageFull);

    let refused = image.store().open(&owner()).map(drop).expect_err("no room").to_string();

    assert!(refused.contains("the disk is full") && refused.contains("opening the journal takes 2560"), "{refused}");
    image.refuse(None);
    assert_eq!(image.store().open(&owner()).expect("room").extent().end, Sequence::new(2));
}

#[test]
fn second_owner_learns_who_the_first_one_is() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut first = DiskStore::new(directory.path());
    let journal = first.open(&Owner::new("process 4242 on host blue")).expect("a journal");

    let mut second = DiskStore::new(directory.path());
    let refused = second.open(&Owner::new("another")).map(drop);

    assert_eq!(refused, Err(OpenError::InUse { owner: "process 4242 on host blue".into() }));
    drop(journal);
    drop(second.open(&Owner::new("another")).expect("the first one has closed it"));
    assert_eq!(fs::read(directory.path().join("LOCK")).expect("a file"), b"", "a journal without owner names none");
}

#[test]
fn abandoned_snapshot_makes_room_for_frames() {
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
fn owner_that_died_does_not_hold_the_lock() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut store = DiskStore::new(directory.path());
    drop(store.open(&owner()).expect("a journal"));
    fs::write(directory.path().join("LOCK"), "process 4242 on host blue").expect("a file");

    let journal = store.open(&owner()).expect("no process has it");
    let refused = DiskStore::new(directory.path()).open(&owner()).map(drop);

    assert_eq!(refused, Err(OpenError::InUse { owner: "a test".into() }));
    drop(journal);
}

#[test]
fn reader_sees_what_was_durable_while_the_owner_trims() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut journal = DiskStore::new(directory.path()).segment_bytes(4096, 8192).open(&owner()).expect("a journal");
    (1..=30).for_each(|frame| append(&mut *journal, frame, 1000));
    journal.put_snapshot(Sequence::new(20), 0, b"a part", true).expect("room");
    let held = Holdings::of(&mut *journal).expect("sound");
    let mut look = DiskStore::new(directory.path()).read_only().open(&owner()).expect("a look needs no lock");

    (31..=60).for_each(|frame| append(&mut *journal, frame, 1000));
    journal.trim(Sequence::new(60)).expect("room");

    assert!(Holdings::of(&mut *look).expect("sound") == held);
    assert!(look.append(Sequence::new(31), b"a frame").is_err(), "a look writes nothing");
    assert!(look.trim(Sequence::new(31)).is_err() && look.put_snapshot(Sequence::new(31), 0, b"", true).is_err());
    assert_eq!(journal.extent().end, Sequence::new(61));
}

#[test]
fn others_can_read_neither_the_directory_nor_the_file() {
    let parent = tempfile::tempdir().expect("a directory");
    let directory = parent.path().join("data");
    let journal = DiskStore::new(&directory).open(&owner()).expect("a journal");

    let mode = |path: &std::path::Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    let files: Vec<_> =
        fs::read_dir(&directory).expect("a directory").map(|file| file.expect("a file").path()).collect();
    assert_eq!(files.len(), 3, "{files:?}");
    files.iter().for_each(|file| assert_eq!(mode(file), 0o600, "{}", file.display()));
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
fn segment_that_is_none_is_refused_and_left_alone() {
    for content in ["a text\n".repeat(2000).into_bytes(), vec![0; 3 << 20], Vec::new()] {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("log-00000000000000000007");
        fs::write(&file, &content).expect("a file");

        let refused = DiskStore::new(directory.path()).open(&owner()).map(drop);

        let Err(OpenError::Corrupt(corrupt)) = refused else { panic!("{refused:?}") };
        assert_eq!(corrupt.at, format!("{} at byte 0", file.display()));
        assert_eq!(fs::read(&file).expect("a file"), content);
    }
}

#[test]
fn directory_of_the_former_format_is_refused_and_left_alone() {
    for file in ["journal.redb", "FORMAT"] {
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(directory.path().join(file), "eventful journal, format 1\n").expect("a file");
        for mut store in [DiskStore::new(directory.path()), DiskStore::new(directory.path()).read_only()] {
            let refused = store.open(&owner()).map(drop).expect_err("a former format");
            let place = directory.path().display().to_string();
            assert_eq!(refused, OpenError::Former { place: place.clone() });
            let words = "the journal there has a former format, which no released version has written: name another \
                         directory, or move this one away";
            assert_eq!(refused.to_string(), format!("{place}: {words}"));
        }
        assert_eq!(fs::read(directory.path().join(file)).expect("a file"), b"eventful journal, format 1\n");
    }
}

#[test]
fn failed_write_is_unknown_and_needs_reopening() {
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
fn write_that_is_torn_at_any_sector_is_taken_back_whole() {
    let image = Image::default();
    let mut journal = image.open().expect("a journal");
    (1..=5).for_each(|frame| append(&mut *journal, frame, 1500));
    let (held, before) = (Holdings::of(&mut *journal).expect("sound"), image.files());
    append(&mut *journal, 6, 4000);
    let after = image.files();
    drop(journal);

    let name = after.keys().find(|name| name.starts_with("log-")).expect("a segment").clone();
    let (old, new) = (&before[&name], &after[&name]);
    let mut sectors = 0;
    for sector in (0..new.len()).step_by(512).filter(|at| old[*at..*at + 512] != new[*at..*at + 512]) {
        sectors += 1;
        let mut torn = after.clone();
        torn.get_mut(&name).expect("a segment")[sector..sector + 512].copy_from_slice(&old[sector..sector + 512]);
        let mut journal = Image::of(torn).open().expect("a torn write is no damage");
        assert!(Holdings::of(&mut *journal).expect("sound") == held, "sector {sector}");
    }
    assert!(sectors > 7, "{sectors}");
}

#[test]
fn acknowledged_frames_survive_a_kill_at_any_change_of_the_file() {
    for changes in 0.. {
        let image = Image::default();
        image.refuse_after(changes, ErrorKind::Other);
        let acknowledged = write_until_it_fails(&image);
        let killed = Image::of(image.files());
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

/// The acknowledgements that a process got before it was killed.
#[derive(Debug)]
struct Acknowledged {
    frames: u64,
    first: u64,
    snapshot: Option<u64>,
    /// True if it was not killed.
    all: bool,
}

fn write_until_it_fails(image: &Image) -> Acknowledged {
    let mut acknowledged = Acknowledged { frames: 0, first: 1, snapshot: None, all: false };
    let Ok(mut journal) = image.open() else { return acknowledged };
    for frame in 1..=6 {
        if journal.append(Sequence::new(frame), &frame_of(frame, 3000)).is_err() {
            return acknowledged;
        }
        acknowledged.frames = frame;
        let at = Sequence::new(frame + 1);
        if frame % 2 == 0 && (0..2).any(|part| journal.put_snapshot(at, part, &[7; 5000], part == 1).is_err()) {
            return acknowledged;
        }
        acknowledged.snapshot = Some(frame / 2 * 2 + 1).filter(|at| *at > 1);
        if frame == 4 && journal.trim(Sequence::new(3)).is_err() {
            return acknowledged;
        }
        acknowledged.first = if frame >= 4 { 3 } else { 1 };
        if frame == 5 && journal.seal().is_err() {
            return acknowledged;
        }
    }
    acknowledged.all = true;
    acknowledged
}

proptest! {
    #![proptest_config(cases("disk"))]

    #[test]
    fn a_flipped_bit_is_found_or_does_no_harm(
        end in prop_oneof![Just(ProcessEnd::Closed), Just(ProcessEnd::Sealed), Just(ProcessEnd::Killed)],
        place in any::<prop::sample::Index>(),
        bit in 0u8..8,
    ) {
        let (bytes, held, without_last) = journal_that_ended(end);
        let mut rotten = bytes;
        let written: Vec<_> = rotten.iter().flat_map(|(name, bytes)| {
            (0..bytes.len()).filter(|place| bytes[*place] != 0).map(|place| (name.clone(), place))
        }).collect();
        let (name, place) = &written[place.index(written.len())];
        rotten.get_mut(name).expect("a file")[*place] ^= 1 << bit;

        let opened = Image::of(rotten).open();

        let mut journal = match opened {
            Err(OpenError::Corrupt(_)) => return Ok(()),
            // The number in the marker has no checksum: it is there for those who cannot know one.
            Err(OpenError::TooNew(_) | OpenError::Former { .. }) if name == "FORMAT" => return Ok(()),
            Err(error) => return Err(TestCaseError::fail(format!("{name} at byte {place}: {error}"))),
            Ok(journal) => journal,
        };
        if let Ok(found) = Holdings::of(&mut *journal) {
            let last_taken_back = end == ProcessEnd::Killed && found == without_last;
            prop_assert!(found == held || last_taken_back, "{} at byte {}: {:?}", name, place, found.extent);
        }
    }
}

/// The end of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ProcessEnd {
    Closed,
    Sealed,
    Killed,
}

/// The files of a journal, what it holds, and what it held before its last frame.
fn journal_that_ended(end: ProcessEnd) -> (Files, Holdings, Holdings) {
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
    if end == ProcessEnd::Sealed {
        journal.seal().expect("a disk");
    }
    let killed = image.files();
    drop(journal);
    let files = if end == ProcessEnd::Closed { image.files() } else { killed };
    (files, held, without_last)
}

#[test]
fn prepared_segments_hold_what_was_written() {
    for (frames, size) in [(120, 18_000), (40, 70_000)] {
        let directory = tempfile::tempdir().expect("a directory");
        let mut store = DiskStore::new(directory.path()).segment_bytes(200_000, 800_000);
        let mut journal = store.open(&owner()).expect("a journal");
        (1..=frames).for_each(|frame| append(&mut *journal, frame, size));
        let held = Holdings::of(&mut *journal).expect("sound");
        drop(journal);

        let mut journal = store.open(&owner()).expect("a journal");

        assert!(Holdings::of(&mut *journal).expect("sound") == held);
        assert!((1..=frames).zip(&held.frames).all(|(n, frame)| *frame == frame_of(n, size)));
        assert!(!directory.path().join("log.new").exists(), "what is not used is given back");
    }
}

#[test]
fn trimmed_segments_free_their_room() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = || DiskStore::new(directory.path()).segment_bytes(100_000, 200_000);
    let round = |round: u64| {
        let mut journal = store().open(&owner()).expect("a journal");
        for frame in 0..40 {
            append(&mut *journal, round * 40 + frame + 1, 20_000);
        }
        journal.trim(Sequence::new(round * 40 + 30)).expect("a disk");
        // It is removed beside the journal, by the time that this is closed.
        drop(journal);
        store().size_bytes().expect("a disk")
    };
    (0..12).map(round).for_each(|bytes| assert!(bytes < 900_000, "{bytes} bytes are left of 200,000"));
}

fn append(journal: &mut dyn Journal, frame: u64, size: usize) {
    journal.append(Sequence::new(frame), &frame_of(frame, size)).expect("room");
}

fn frame_of(frame: u64, size: usize) -> Vec<u8> {
    (0..size).map(|place| (frame as usize * 7 + place * 13) as u8).collect()
}
