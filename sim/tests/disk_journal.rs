//! Journals on the simulated disk: the conformance of every journal, and rot in every place.

use eventful::journal::{Journal, JournalStore, OpenError, Owner, Sequence, WriteError, conformance};
use eventful_sim::disk::{DriveStore, FaultInjector, SECTOR_BYTES, SharedDisk, SimulatedDisk};
use eventful_sim::seeded_rng::{SeededRng, Stream};

fn drive(capacity_bytes: u64) -> SharedDisk {
    SharedDisk::new(SimulatedDisk::new(capacity_bytes, FaultInjector::none(stream(1))))
}

fn stream(seed: u64) -> Stream {
    SeededRng::of(seed).stream("a test")
}

fn open(store: &mut dyn JournalStore) -> Box<dyn Journal> {
    store.open(&Owner::new("a test")).expect("a sound journal")
}

#[test]
fn disk_journal_conforms_on_a_simulated_disk() {
    conformance::check(&mut || Box::new(DriveStore::new(drive(64 << 20))));
    conformance::check_bounded(1 << 20, &mut |max_bytes| Box::new(DriveStore::new(drive(max_bytes))));
}

#[test]
fn torn_tail_is_cut_and_rot_before_it_is_refused() {
    // The head of the segment and each record take a sector.
    let at = |record: u64| record * SECTOR_BYTES as u64;
    let mut store = DriveStore::new(drive(1 << 20)).segment_bytes(at(16), at(16));
    let mut journal = open(&mut store);
    (1..=3).for_each(|frame| journal.append(Sequence::new(frame), &[7; 100]).expect("room"));
    let flip = |byte: u64| {
        let mut disk = store.drive().disk();
        let life = disk.life();
        let file = disk.open(life, LOG).expect("a file");
        let mut bits = [0];
        disk.read(file, byte, &mut bits).expect("within the file");
        disk.write(file, byte, &[bits[0] ^ 1]).expect("room");
    };
    let killed = store.drive().disk().clone();
    flip(at(3) + 40);
    assert_eq!(open(&mut store.clone()).extent().end, Sequence::new(3), "the last frame looks torn");
    drop(journal);
    *store.drive().disk() = killed;

    flip(at(1) + 40);

    match store.clone().open(&Owner::new("a test")) {
        Err(OpenError::Corrupt(corrupt)) => assert_eq!(corrupt.at, format!("the drive/{LOG} at byte {}", at(1))),
        other => panic!("{other:?}"),
    }
}

#[test]
fn seal_makes_rot_in_the_last_frame_rot() {
    for seed in 0..200 {
        let mut store = DriveStore::new(drive(1 << 20));
        let mut journal = open(&mut store);
        (1..=3).for_each(|frame| journal.append(Sequence::new(frame), &[7; 500]).expect("room"));
        journal.seal().expect("room");
        drop(journal);
        assert!(store.drive().disk().rot(&mut stream(seed)));

        let reopened = store.open(&Owner::new("a test"));

        if let Ok(journal) = &reopened {
            assert_eq!(journal.extent().end, Sequence::new(4), "seed {seed}");
        }
    }
}

#[test]
fn rot_in_a_closed_journal_is_refused_or_has_no_effect() {
    let drive = drive(64 << 20);
    write(&mut DriveStore::new(drive.clone()));
    let (closed, mut refused) = (drive.disk().clone(), 0);
    for seed in 0..500 {
        let drive = SharedDisk::new(closed.clone());
        assert!(drive.disk().rot(&mut stream(seed)));
        match look(&mut DriveStore::new(drive)) {
            Ok(frames) => assert_eq!(frames, frames_written(), "seed {seed}"),
            Err(problem) => {
                assert!(!problem.is_empty(), "seed {seed}");
                refused += 1;
            }
        }
    }
    assert!(refused > 125, "{refused} of 500 were refused");
}

#[test]
fn full_disk_refuses_and_accepts_again_when_there_is_room() {
    let mut store = DriveStore::new(drive(20_000));
    let mut journal = open(&mut store);
    let mut next = 1;
    while journal.append(Sequence::new(next), &[7; 3000]).is_ok() {
        next += 1;
    }
    assert_eq!(journal.append(Sequence::new(next), &[7; 3000]), Err(WriteError::Full));

    store.drive().disk().resize(30_000);

    journal.append(Sequence::new(next), &[7; 3000]).expect("room");
    drop(journal);
    assert_eq!(open(&mut store).extent().end, Sequence::new(next + 1));
}

#[test]
fn journal_opens_repeatedly_on_a_disk_that_others_have_filled() {
    let drive = drive(64 << 20);
    // Larger than an opening needs.
    let mut store = DriveStore::new(drive.clone()).segment_bytes(1 << 20, 1 << 20);
    let mut journal = open(&mut store);
    let mut frame = Sequence::FIRST;
    for closes in [true, false].into_iter().cycle().take(6) {
        journal.append(frame, &[7; 500]).expect("a segment that was begun has room");
        frame = frame.next();
        if closes {
            drop(journal);
        } else {
            drive.kill();
        }
        {
            let mut disk = drive.disk();
            let taken = disk.taken();
            disk.resize(taken);
        }
        journal = open(&mut store);
        assert_eq!(journal.extent().end, frame);
    }
}

#[test]
fn segment_that_vanishes_is_refused_by_its_name() {
    for vanished in 1..=4 {
        let mut store = with_segments();
        remove(&store, &segment(vanished));
        let refused = store.open(&Owner::new("a test")).map(drop);
        let Err(OpenError::Corrupt(corrupt)) = refused else { panic!("{vanished}: {refused:?}") };
        assert_eq!(corrupt.at, format!("the drive/{} at byte 0", segment(vanished)), "{corrupt}");
    }
}

#[test]
fn two_segments_that_have_changed_places_are_refused() {
    for (one, other) in [(1, 2), (2, 3), (3, 4), (1, 4)] {
        let mut store = with_segments();
        let mut disk = store.drive().disk();
        let life = disk.life();
        for (from, to) in
            [(segment(one), "aside".into()), (segment(other), segment(one)), ("aside".into(), segment(other))]
        {
            disk.rename(life, &from, &to).expect("a file");
        }
        drop(disk);
        let refused = store.open(&Owner::new("a test")).map(drop);
        assert!(matches!(refused, Err(OpenError::Corrupt(_))), "{one}, {other}: {refused:?}");
    }
}

#[test]
fn old_segment_is_refused_and_a_trimmed_one_has_no_effect() {
    let mut other = with_segments();
    other.drive().kill();
    drop(open(&mut other));
    let mut store = with_segments();
    // The same number with another base: the second life of the other journal began with it.
    let stale = content(&with_smaller_segments(), &segment(3));
    replace(&store, &segment(3), &stale);
    let refused = store.open(&Owner::new("a test")).map(drop);
    assert!(matches!(refused, Err(OpenError::Corrupt(_))), "{refused:?}");

    let mut store = with_segments();
    let trimmed = content(&store, &segment(1));
    let mut journal = open(&mut store);
    let end = journal.extent().end;
    journal.trim(end).expect("room");
    drop(journal);
    replace(&store, &segment(1), &trimmed);
    assert_eq!(open(&mut store).extent().first, end);
    assert!(store.drive().disk().names_now().all(|name| name != segment(1)), "it is removed again");
}

#[test]
fn older_copy_of_a_segment_is_refused_when_it_is_read() {
    let mut store = with_segments();
    let whole = content(&store, &segment(2));
    let mut older = whole.clone();
    // The last sector is the end of the segment, and the one before the second half of a frame.
    older[whole.len() - 2 * SECTOR_BYTES..].fill(0);
    replace(&store, &segment(2), &older);
    let problem = look(&mut store).expect_err("frames are missing");
    assert!(problem.contains(&segment(2)), "{problem}");
}

/// The first segment of a journal.
const LOG: &str = "log-00000000000000000001";

fn segment(number: u64) -> String {
    format!("log-{number:020}")
}

/// Returns a journal of four segments whose process was killed.
fn with_segments() -> DriveStore {
    filled(DriveStore::new(drive(64 << 20)).segment_bytes(5120, 5120))
}

/// Returns the same frames in other segments.
fn with_smaller_segments() -> DriveStore {
    filled(DriveStore::new(drive(64 << 20)).segment_bytes(4096, 4096))
}

fn filled(mut store: DriveStore) -> DriveStore {
    let mut journal = open(&mut store);
    for number in 1..=10 {
        journal.append(Sequence::new(number), &[number as u8; 600]).expect("room");
    }
    store.drive().kill();
    drop(journal);
    store
}

fn content(store: &DriveStore, name: &str) -> Vec<u8> {
    let mut disk = store.drive().disk();
    let life = disk.life();
    let file = disk.find(life, name).expect("a file");
    let mut bytes = vec![0; disk.len(file).expect("a file") as usize];
    disk.read(file, 0, &mut bytes).expect("within the file");
    bytes
}

fn replace(store: &DriveStore, name: &str, bytes: &[u8]) {
    let mut disk = store.drive().disk();
    let life = disk.life();
    let file = disk.open(life, name).expect("a file");
    disk.set_len(file, 0).expect("room");
    assert_eq!(disk.write(file, 0, bytes), Ok(bytes.len()));
    disk.sync(file).expect("an honest sync");
}

fn remove(store: &DriveStore, name: &str) {
    let mut disk = store.drive().disk();
    let life = disk.life();
    disk.remove(life, name).expect("a file");
}

fn frames_written() -> Vec<Vec<u8>> {
    (0..12).map(|frame: u8| vec![frame; 50 + usize::from(frame) * 400]).collect()
}

/// Writes frames, a snapshot between them, and a seal.
fn write(store: &mut dyn JournalStore) {
    let mut journal = open(store);
    for (number, frame) in (1..).zip(frames_written()) {
        journal.append(Sequence::new(number), &frame).expect("room");
        if number == 6 {
            journal.put_snapshot(Sequence::new(5), 0, &[1; 3000], false).expect("room");
            journal.put_snapshot(Sequence::new(5), 1, &[2; 3000], true).expect("room");
        }
    }
    journal.seal().expect("room");
}

/// Returns the frames, or the error; a snapshot that is read must be the one that was written.
fn look(store: &mut dyn JournalStore) -> Result<Vec<Vec<u8>>, String> {
    let mut journal = store.open(&Owner::new("a test")).map_err(|error| error.to_string())?;
    let (mut frames, mut next) = (Vec::new(), journal.extent().first);
    while next < journal.extent().end {
        next = journal.read(next, 1, &mut |_, frame| frames.push(frame.to_vec())).map_err(|error| error.to_string())?;
    }
    for at in journal.snapshots().map_err(|error| error.to_string())? {
        for (part, byte) in [(0, 1), (1, 2)] {
            let read = journal.snapshot(at, part).map_err(|error| error.to_string())?;
            assert_eq!(read, Some(vec![byte; 3000]));
        }
    }
    Ok(frames)
}
