//! Each fault alone, with the promise that the table makes about it.

use eventful::journal::{Journal, JournalStore, OpenError, Owner, Sequence, WriteError};
use eventful_sim::disk::{DiskFault, DriveStore, FaultInjector, Rest, SharedDisk, SimulatedDisk, UnsyncedLoss};
use eventful_sim::seeded_rng::{SeededRng, Stream};

/// The number of frames that are acknowledged before a fault strikes.
const FRAMES: u64 = 3;

fn stream() -> Stream {
    SeededRng::of(3).stream("a test")
}

/// Returns a store with some frames on a disk without faults, and its open journal.
fn with_frames() -> (SharedDisk, DriveStore, Box<dyn Journal>) {
    let drive = SharedDisk::new(SimulatedDisk::new(64 << 20, FaultInjector::none(stream())));
    let mut store = DriveStore::new(drive.clone()).segment_bytes(16 << 10, 16 << 10);
    let mut journal = open(&mut store).expect("a sound disk");
    (1..=FRAMES).for_each(|frame| append(&mut *journal, frame).expect("a sound disk"));
    (drive, store, journal)
}

fn open(store: &mut dyn JournalStore) -> Result<Box<dyn Journal>, OpenError> {
    store.open(&Owner::new("a test"))
}

fn append(journal: &mut dyn Journal, frame: u64) -> Result<(), WriteError> {
    journal.append(Sequence::new(frame), &vec![frame as u8; 700])
}

/// Returns the number of frames after a power cut that loses all unsynced bytes.
fn frames_after_power_cut(drive: &SharedDisk, store: &mut dyn JournalStore) -> u64 {
    let mut stream = stream();
    drive.disk().power_cut(UnsyncedLoss::Chosen { survivors: 0, names: 0, rest: Rest::Lost, stream: &mut stream });
    frames(store)
}

fn frames(store: &mut dyn JournalStore) -> u64 {
    let mut journal = open(store).expect("a sound journal");
    let end = journal.extent().end;
    let mut next = journal.extent().first;
    while next < end {
        let read = journal.read(next, 1, &mut |sequence, frame| assert_eq!(frame, [sequence.number() as u8; 700]));
        next = read.expect("a sound journal");
    }
    end.previous().number()
}

#[test]
fn short_write_is_not_noticed_and_a_stall_takes_its_time() {
    for fault in [DiskFault::ShortWrite, DiskFault::SyncStalls] {
        let (drive, mut store, mut journal) = with_frames();
        drive.disk().trouble().arm(fault);

        assert_eq!(append(&mut *journal, FRAMES + 1), Ok(()));

        assert_eq!(drive.probes().count(fault), 1);
        assert_eq!(drive.disk().take_stalled() > 0, fault == DiskFault::SyncStalls);
        assert_eq!(frames_after_power_cut(&drive, &mut store), FRAMES + 1);
    }
}

#[test]
fn failed_write_is_unknown_and_blocks_writes_until_an_opening() {
    for fault in [DiskFault::WriteFails, DiskFault::SyncFails, DiskFault::SyncDrops] {
        let (drive, mut store, mut journal) = with_frames();
        drive.disk().trouble().arm(fault);

        let unknown = append(&mut *journal, FRAMES + 1);

        assert!(matches!(unknown, Err(WriteError::Unknown { .. })), "{fault:?}: {unknown:?}");
        let after = append(&mut *journal, FRAMES + 1);
        assert!(matches!(after, Err(WriteError::Unknown { .. })), "{fault:?}: {after:?}");
        drop(journal);
        let there = frames(&mut store);
        assert!((FRAMES..=FRAMES + 1).contains(&there), "{fault:?}: {there} frames");
        assert_eq!(frames_after_power_cut(&drive, &mut store), there, "{fault:?}: a frame that was there once stays");
        append(&mut *open(&mut store).expect("a sound disk"), there + 1).expect("a sound disk");
    }
}

#[test]
fn write_without_space_is_unknown_and_whole_or_absent_later() {
    let (drive, mut store, mut journal) = with_frames();
    drive.disk().trouble().arm(DiskFault::NoSpace);
    assert!(matches!(append(&mut *journal, FRAMES + 1), Err(WriteError::Unknown { .. })));
    drop(journal);
    assert_eq!(frames_after_power_cut(&drive, &mut store), FRAMES);
}

#[test]
fn allocation_without_space_is_full_and_a_failed_one_loses_none() {
    let (mut full, mut unknown) = (0, 0);
    for seed in 0..40 {
        let drive =
            SharedDisk::new(SimulatedDisk::new(64 << 20, FaultInjector::none(SeededRng::of(seed).stream("a test"))));
        let mut store = DriveStore::new(drive.clone()).segment_bytes(8192, 8192);
        let mut journal = open(&mut store).expect("a sound disk");
        drive.disk().trouble().arm(DiskFault::AllocateFails);
        drive.disk().trouble().arm(DiskFault::AllocateFails);
        let mut next = 1;
        let failed = loop {
            let taken = drive.disk().taken();
            match append(&mut *journal, next) {
                Ok(()) => next += 1,
                Err(error) => {
                    assert_eq!(drive.disk().taken(), taken, "the space is freed");
                    break error;
                }
            }
        };
        if failed == WriteError::Full {
            full += 1;
        } else {
            assert!(matches!(failed, WriteError::Unknown { .. }), "{failed}");
            unknown += 1;
            journal = open(&mut store).expect("a sound disk");
        }
        assert_eq!(append(&mut *journal, next), Ok(()), "seed {seed}");
        assert_eq!(frames_after_power_cut(&drive, &mut store), next);
    }
    assert!(full > 5 && unknown > 5, "{full} {unknown}");
}

#[test]
fn read_that_fails_keeps_it_from_being_opened_once() {
    let (drive, mut store, journal) = with_frames();
    drop(journal);
    drive.disk().trouble().arm(DiskFault::ReadFails);

    match open(&mut store) {
        Err(OpenError::Io { place, .. }) => assert!(!place.is_empty()),
        other => panic!("{other:?}"),
    }

    assert_eq!(frames(&mut store), FRAMES);
}

#[test]
fn read_that_goes_wrong_cuts_nothing_off() {
    for fault in [DiskFault::MisdirectedRead, DiskFault::StaleRead] {
        for seed in 0..50 {
            let (drive, mut store, journal) = with_frames();
            drive.power_cut(&mut SeededRng::of(seed).stream("power"));
            drop(journal);
            drive.disk().trouble().arm(fault);

            match open(&mut store) {
                Ok(journal) => assert_eq!(journal.extent().end, Sequence::new(FRAMES + 1), "{fault:?}, seed {seed}"),
                Err(OpenError::Corrupt(corrupt)) => assert!(corrupt.at.starts_with("the drive/"), "{corrupt}"),
                Err(error) => panic!("{fault:?}, seed {seed}: {error}"),
            }

            drive.disk().trouble().end();
            assert_eq!(frames(&mut store), FRAMES, "{fault:?}, seed {seed}");
        }
    }
}

#[test]
fn misdirected_write_is_refused_once_something_follows_it() {
    let (drive, mut store, mut journal) = with_frames();
    drive.disk().trouble().arm(DiskFault::MisdirectedWrite);
    let _ = append(&mut *journal, FRAMES + 1).and_then(|()| append(&mut *journal, FRAMES + 2));
    drop(journal);
    drive.power_cut(&mut stream());

    match open(&mut store) {
        Err(OpenError::Corrupt(corrupt)) => assert!(!corrupt.at.is_empty()),
        Ok(journal) => {
            drop(journal);
            assert_eq!(frames(&mut store), FRAMES + 2, "it hit bytes that are not needed");
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn sync_that_lies_is_believed_and_what_it_covered_is_lost() {
    let (drive, mut store, mut journal) = with_frames();
    drive.disk().trouble().arm(DiskFault::SyncLies);

    assert_eq!(append(&mut *journal, FRAMES + 1), Ok(()));

    assert_eq!(frames_after_power_cut(&drive, &mut store), FRAMES);
}

#[test]
fn killed_process_leaves_its_writes_and_writes_no_more() {
    let (drive, mut store, mut journal) = with_frames();

    drive.kill();

    assert!(matches!(append(&mut *journal, FRAMES + 1), Err(WriteError::Unknown { .. })));
    assert_eq!(frames(&mut store), FRAMES);
    assert_eq!(frames_after_power_cut(&drive, &mut store), FRAMES);
}
