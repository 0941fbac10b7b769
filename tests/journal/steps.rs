//! The costs of a snapshot: bytes of each step, memory, and nothing at all where there is no room.

use eventful::journal::{
    DiskStore, JournalLog, JournalStore, MaintainError, Maintained, MemoryStore, Owner, WriteError,
};
use eventful::journal::{frame, recover};
use eventful::{
    Event,
    engine::{
        Epoch, RunId,
        facts::{Change, Fact},
    },
    metrics::Gauges,
};

use crate::script::{config, start};
use crate::watched::WatchedStore;

/// Bytes of an event besides its payload, as it is written.
const HEAD_BYTES: usize = 200;

#[test]
fn step_of_a_snapshot_writes_and_reads_no_more_than_a_part() {
    const PAYLOAD: usize = 40_000;
    const PART: usize = 100_000;
    let watched = WatchedStore::new(MemoryStore::new());
    let mut log = open(&mut watched.store(), 5_000_000);
    log.bound_parts(PART);
    for round in 0..2 {
        for group in 0..60 {
            let facts: Vec<_> = (0..4).map(|n| accepted(&format!("{round}-{group}-{n}"), PAYLOAD)).collect();
            log.append(&facts).expect("room");
        }
        let (mut made, mut steps) = (false, 0);
        while !made {
            let (parts, parts_read) = watched.counts();
            made = matches!(log.maintain(&Gauges::default).expect("room"), Maintained::Snapshot(_));
            let (parts_now, parts_read_now) = watched.counts();
            assert!(parts_now <= parts + 1 && parts_read_now <= parts_read + 1, "one part in a step");
            steps += 1;
        }
        assert!(steps > 60 * 4 * PAYLOAD / PART, "{steps} steps");
    }
    let notes = watched.notes();
    let largest = notes.parts.iter().max().expect("parts");
    assert!(*largest <= PART + PAYLOAD + HEAD_BYTES + frame::HEADER_BYTES, "{largest} bytes in a part");
    let largest = notes.reads.iter().max().expect("reads");
    assert!(*largest <= (1 << 20) + 4 * (PAYLOAD + HEAD_BYTES), "{largest} bytes of frames in a step");
}

#[test]
fn snapshot_takes_no_memory_for_records_that_no_frame_changed() {
    const PAYLOAD: usize = 4000;
    let directory = tempfile::tempdir().expect("a directory");
    let mut store = DiskStore::new(directory.path());
    let mut log = open(&mut store, u64::MAX);
    for group in 0..20 {
        let facts: Vec<_> = (0..50).map(|n| accepted(&format!("{group}-{n}"), PAYLOAD)).collect();
        log.append(&facts).expect("room");
    }
    log.bound_parts(50_000);
    log.snapshot().expect("room");
    log.append(&[started("7-7"), accepted("new", PAYLOAD)]).expect("room");

    let measured = allocation_counter::measure(|| {
        log.snapshot().expect("room");
    });

    let all = 20 * 50 * PAYLOAD as u64;
    assert!(measured.bytes_max < all / 3, "{} bytes at once, all records are {all}", measured.bytes_max);
}

#[test]
fn snapshot_without_room_reads_nothing() {
    let watched = WatchedStore::new(MemoryStore::bounded(100_000));
    let mut log = open(&mut watched.store(), 1);
    (0..3).for_each(|n| log.append(&[accepted(&format!("{n}"), 10_000)]).expect("room"));
    let gauges = |bytes| {
        let mut gauges = Gauges::default();
        gauges.bytes = bytes;
        gauges
    };
    watched.notes().reads.clear();

    let refused = log.maintain(&|| gauges(80_000));

    assert_eq!(refused, Err(MaintainError::Write(WriteError::Full)));
    assert!(watched.notes().reads.is_empty());
    assert_eq!(watched.counts(), (0, 0));
    log.append(&[accepted("3", 100)]).expect("room");
    assert_eq!(log.maintain(&|| gauges(30_000)), Ok(Maintained::More), "a smaller one has room");
}

#[test]
fn long_backlog_of_frames_becomes_several_snapshots() {
    let mut store = MemoryStore::new();
    let mut log = open(&mut store, u64::MAX);
    for n in 0..100 {
        log.append(&[accepted(&format!("{n}"), 1000)]).expect("room");
    }
    drop(log);
    let mut made = Vec::new();
    let mut log = open(&mut store, 700_000);
    let end = log.next();
    for n in 0..2000 {
        log.append(&[accepted(&format!("later {n}"), 1000)]).expect("room");
    }
    loop {
        match log.maintain(&Gauges::default).expect("room") {
            Maintained::More => {}
            Maintained::Snapshot(at) => made.push(at),
            Maintained::Nothing => break,
        }
    }
    assert!(made.len() >= 2 && made.is_sorted() && made[0] > end, "{made:?}");
    assert_eq!(made.last(), Some(&log.next()));
}

#[test]
fn recovery_takes_memory_for_the_records_and_not_for_the_frames() {
    const PAYLOAD: usize = 1 << 20;
    let directory = tempfile::tempdir().expect("a directory");
    let mut store = DiskStore::new(directory.path()).segment_bytes(4 << 20, 8 << 20);
    let mut log = open(&mut store, u64::MAX);
    for n in 0..40 {
        let event = accepted(&format!("{n}"), PAYLOAD);
        let Change::Accepted(accepted) = &event.change else { panic!("it is accepted") };
        let discarded = Fact { at: start(), change: Change::Discarded(accepted.key().clone()) };
        log.append(&[event, discarded]).expect("room");
    }
    drop(log);

    let measured = allocation_counter::measure(|| drop(open(&mut store, u64::MAX)));

    assert!(measured.bytes_max < 10 * PAYLOAD as u64, "{} bytes at once of {}", measured.bytes_max, 40 * PAYLOAD);
}

#[test]
fn recovery_on_two_threads_equals_recovery_on_one() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut store = DiskStore::new(directory.path());
    let (mut memory, mut progress) = (MemoryStore::new(), Vec::new());
    for store in [&mut store as &mut dyn JournalStore, &mut memory] {
        let mut log = open(store, u64::MAX);
        (0..200).for_each(|n| log.append(&[accepted(&format!("{n}"), 30_000)]).expect("room"));
    }
    let state = |store: &mut dyn JournalStore| recover(store, &owner(), &config(), u64::MAX, &mut |_| {});
    let [on_disk, in_memory] = [&mut store as &mut dyn JournalStore, &mut memory].map(state);
    assert_eq!(on_disk.expect("sound").replay.state(), in_memory.expect("sound").replay.state());
    drop(recover(&mut store, &owner(), &config(), u64::MAX, &mut |at| progress.push(at.read)));
    assert!(progress.len() > 100 && progress.is_sorted() && progress.last() == Some(&200), "{progress:?}");

    let segment = directory.path().join("log-00000000000000000002");
    let mut bytes = std::fs::read(&segment).expect("a segment");
    bytes[500_000] ^= 1;
    std::fs::write(&segment, bytes).expect("a segment");
    let refused = state(&mut store).map(drop).expect_err("it is damaged").to_string();
    assert!(refused.contains("log-00000000000000000002 at byte"), "{refused}");
}

fn open(store: &mut dyn JournalStore, snapshot_after: u64) -> JournalLog {
    recover(store, &owner(), &config(), snapshot_after, &mut |_| {}).expect("a sound journal").log
}

fn owner() -> Owner {
    Owner::new("a test")
}

fn accepted(id: &str, bytes: usize) -> Fact {
    let event = Event::with_id(id, vec![7; bytes]).expect("an id");
    Fact { at: start(), change: Change::Accepted(event) }
}

fn started(id: &str) -> Fact {
    let key = Event::with_id(id, "").expect("an id").key().clone();
    Fact { at: start(), change: Change::Started { key, run: RunId::new(Epoch::new(1), 1) } }
}
