//! Journals on the simulated disk: the rules that every journal keeps, and rot wherever it strikes.

use eventful::journal::{Journal, JournalStore, OpenError, Owner, Sequence, conformance};
use eventful_sim::chance::{Chance, Stream};
use eventful_sim::disk::{Disk, DiskFault, Drive, PlainStore, Trouble, disk_store};

fn drive(capacity_bytes: u64) -> Drive {
    Drive::new(Disk::new(capacity_bytes, Trouble::none(stream(1))))
}

fn stream(seed: u64) -> Stream {
    Chance::of(seed).stream("a test")
}

fn open(store: &mut dyn JournalStore) -> Box<dyn Journal> {
    store.open(&Owner::new("a test")).expect("a sound journal")
}

#[test]
fn a_plain_journal_keeps_the_rules_of_journals() {
    conformance::check(&mut || Box::new(PlainStore::new(drive(64 << 20))));
    conformance::check_bounded(1 << 20, &mut |max_bytes| Box::new(PlainStore::new(drive(max_bytes))));
}

#[test]
fn the_journal_on_redb_keeps_the_rules_of_journals_on_a_simulated_disk() {
    conformance::check(&mut || Box::new(disk_store(&drive(256 << 20))));
}

#[test]
fn a_torn_tail_is_cut_and_rot_before_it_is_refused_with_its_place() {
    let mut store = PlainStore::new(drive(1 << 20));
    let mut journal = open(&mut store);
    (1..=3).for_each(|frame| journal.append(Sequence::new(frame), &[7; 100]).expect("room"));
    let flip = |byte: u64| {
        let mut disk = store.drive().disk();
        let life = disk.life();
        let file = disk.open(life, "log-00000001").expect("a file");
        let mut bits = [0];
        disk.read(file, byte, &mut bits).expect("within the file");
        disk.write(file, byte, &[bits[0] ^ 1]).expect("room");
    };
    drop(journal);
    flip(32 + 2 * 128 + 40);
    let mut copy = store.clone();
    assert_eq!(open(&mut copy).extent().end, Sequence::new(3), "the last frame looks torn");

    flip(32 + 40);

    match store.open(&Owner::new("a test")) {
        Err(OpenError::Corrupt(corrupt)) => assert_eq!(corrupt.at, "log-00000001 at byte 32"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_seal_makes_rot_in_the_last_frame_rot() {
    for seed in 0..200 {
        let mut store = PlainStore::new(drive(1 << 20));
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
fn a_bit_that_rots_in_a_closed_journal_is_refused_or_of_no_matter() {
    let plain: Make = |drive| Box::new(PlainStore::new(drive));
    let redb: Make = |drive| Box::new(disk_store(&drive));
    for (make, seeds) in [(plain, 500), (redb, 150)] {
        let drive = drive(64 << 20);
        write(&mut *make(drive.clone()));
        let (closed, mut refused) = (drive.disk().clone(), 0);
        for seed in 0..seeds {
            let drive = Drive::new(closed.clone());
            assert!(drive.disk().rot(&mut stream(seed)));
            match look(&mut *make(drive)) {
                Ok(frames) => assert_eq!(frames, frames_written(), "seed {seed}"),
                Err(problem) => {
                    assert!(!problem.is_empty(), "seed {seed}");
                    refused += 1;
                }
            }
        }
        assert!(refused > seeds / 4, "{refused} of {seeds} were refused");
    }
}

#[test]
fn a_disk_that_is_full_refuses_and_goes_on_when_there_is_room() {
    let mut store = PlainStore::new(drive(20_000));
    let mut journal = open(&mut store);
    let mut next = 1;
    while journal.append(Sequence::new(next), &[7; 3000]).is_ok() {
        next += 1;
    }
    assert!(journal.append(Sequence::new(next), &[7; 3000]).is_err());

    store.drive().disk().resize(30_000);

    journal.append(Sequence::new(next), &[7; 3000]).expect("room");
    store.drive().disk().trouble().arm(DiskFault::NoSpace);
    assert!(journal.append(Sequence::new(next + 1), &[7; 300]).is_err());
    journal.append(Sequence::new(next + 1), &[7; 30]).expect("room");
    drop(journal);
    assert_eq!(open(&mut store).extent().end, Sequence::new(next + 2));
}

type Make = fn(Drive) -> Box<dyn JournalStore>;

fn frames_written() -> Vec<Vec<u8>> {
    (0..12).map(|frame: u8| vec![frame; 50 + usize::from(frame) * 400]).collect()
}

/// Frames, a snapshot in their midst, and a seal.
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

/// The frames, or what is wrong with them; a snapshot that is read is the one that was written.
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
