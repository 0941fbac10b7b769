//! Snapshots hold what the frames before them say.

use eventful::journal::{
    DiskStore, JournalStore, MaintainError, Maintained, MemoryStore, Owner, Recovered, Sequence, WriteError, recover,
};
use eventful::{
    Key, Timestamp,
    engine::{
        Command, Output,
        facts::{Change, Fact, Replay},
    },
    metrics::Gauges,
};
use proptest::prelude::*;

use crate::script::{ScriptDriver, ScriptEnding, ScriptMove, cases, config, moves, start};

fn reopen(store: &mut dyn JournalStore, snapshot_after: u64) -> Recovered {
    recover(store, &Owner::new("a test"), &config(), snapshot_after, &mut |_| {}).expect("a sound journal")
}

proptest! {
    #![proptest_config(cases("snapshots"))]

    #[test]
    fn snapshot_made_between_appends_equals_the_replay_of_all(
        moves in moves(),
        snapshot_after in 100u64..3000,
        steps in 0usize..12,
        part_bytes in 1usize..2000,
    ) {
        let mut store = MemoryStore::new();
        let Recovered { mut log, replay } = reopen(&mut store, snapshot_after);
        log.bound_parts(part_bytes);
        let (mut driver, opening) = ScriptDriver::open(replay, start());
        log.append(&opening).expect("room");
        let mut whole = MemoryStore::new();
        let Recovered { log: mut copy, .. } = reopen(&mut whole, u64::MAX);
        copy.append(&opening).expect("room");
        let mut states = vec![driver.engine.durable_state()];
        for a_move in &moves {
            let facts: Vec<Fact> = driver.make(a_move);
            log.append(&facts).expect("room");
            copy.append(&facts).expect("room");
            states.push(driver.engine.durable_state());
            for _ in 0..steps {
                if let Maintained::Snapshot(at) = log.maintain(&|| driver.engine.gauges()).expect("memory") {
                    prop_assert!(at <= log.next());
                }
            }
        }

        let kept = reopen(&mut store, u64::MAX);
        let replayed = reopen(&mut whole, u64::MAX);

        prop_assert_eq!(kept.replay.state(), replayed.replay.state());
        prop_assert_eq!(&kept.replay.state(), states.last().expect("the first"));
        prop_assert_eq!(kept.replay.summary(), replayed.replay.summary());
        prop_assert_eq!(kept.replay.check(), Ok(()));
        let (mut kept, mut replayed) = (expiries(kept.replay, driver.now), expiries(replayed.replay, driver.now));
        prop_assert!(kept.is_sorted_by_key(|(ended, _)| *ended), "the first to end expires first: {kept:?}");
        kept.sort();
        replayed.sort();
        prop_assert_eq!(kept, replayed);
    }
}

#[test]
fn snapshot_keeps_the_previous_one_and_trims_before_it() {
    let mut store = MemoryStore::new();
    let Recovered { mut log, replay } = reopen(&mut store, u64::MAX);
    let (driver, opening) = ScriptDriver::open(replay, start());
    log.append(&opening).expect("room");

    let at = [log.snapshot(), log.snapshot_after(&opening[..0]), log.snapshot_after(&[])].map(|at| at.expect("memory"));

    let mut journal = store.open(&Owner::new("a look")).expect("memory");
    assert_eq!(journal.snapshots().expect("memory"), at[1..]);
    assert_eq!(journal.extent().first, at[1]);
    assert_eq!(at, [2, 3, 4].map(Sequence::new));
    drop(driver);
}

#[test]
fn snapshots_come_early_where_room_is_short_and_free_all_frames() {
    let mut store = MemoryStore::bounded(80_000);
    let Recovered { mut log, replay } = reopen(&mut store, u64::MAX);
    log.reserve(32_000);
    let (mut driver, opening) = ScriptDriver::open(replay, start());
    log.append(&opening).expect("room");
    let mut made = Vec::new();
    for id in 0..=u8::MAX {
        let ended = [
            ScriptMove::Submit { id, payload: vec![id; 600], extras: false },
            ScriptMove::Start,
            ScriptMove::Settle(ScriptEnding::Done),
        ];
        log.append(&ended.iter().flat_map(|a_move| driver.make(a_move)).collect::<Vec<_>>()).expect("room");
        loop {
            match log.maintain(&|| driver.engine.gauges()).expect("room") {
                Maintained::More => {}
                Maintained::Snapshot(at) => made.push(at),
                Maintained::Nothing => break,
            }
        }
        if !made.is_empty() {
            break;
        }
    }

    let mut journal = store.open(&Owner::new("a look")).expect("memory");
    assert_eq!(made, [made[0], made[0].next()], "room is short long before the last one, and two are enough");
    assert_eq!(journal.snapshots().expect("memory"), made, "there is always another way back");
    assert_eq!(journal.extent().first, made[0]);
    assert!(journal.room().0 > 50_000, "{:?}", journal.room());
    assert_eq!(reopen(&mut store, u64::MAX).replay.state(), driver.engine.durable_state());
}

#[test]
fn snapshot_that_would_take_half_of_the_reserve_is_abandoned() {
    let mut store = MemoryStore::bounded(40_000);
    let Recovered { mut log, replay } = reopen(&mut store, u64::MAX);
    log.reserve(16_000);
    let (mut driver, opening) = ScriptDriver::open(replay, start());
    log.append(&opening).expect("room");
    let mut refused = 0;
    for id in 0..150 {
        let facts = driver.make(&ScriptMove::Submit { id, payload: vec![id; 150], extras: false });
        log.append(&facts).expect("room");
        let before = log.room();
        if log.maintain_all().is_err() {
            refused += 1;
            assert_eq!(log.room(), before, "nothing of it is left");
        }
    }
    assert!(refused > 0, "the snapshot of what is there does not fit");
    assert_eq!(reopen(&mut store, u64::MAX).replay.state(), driver.engine.durable_state());
}

#[test]
fn parts_on_disk_leave_half_of_the_reserve_to_the_byte() {
    const RESERVE_BYTES: u64 = 400_000;
    // Parts take whole sectors, so the bytes that are left differ.
    for over in (0..512).step_by(64) {
        let directory = tempfile::tempdir().expect("a directory");
        let mut store = DiskStore::new(directory.path()).max_bytes(600_000 + over);
        let Recovered { mut log, replay } = reopen(&mut store, 1);
        log.reserve(RESERVE_BYTES);
        log.bound_parts(1);
        let (mut driver, opening) = ScriptDriver::open(replay, start());
        log.append(&opening).expect("room");
        let submit = |id| ScriptMove::Submit { id, payload: vec![id; 600], extras: false };
        log.append(&(0..=u8::MAX).flat_map(|id| driver.make(&submit(id))).collect::<Vec<_>>()).expect("room");

        let ended = loop {
            let before = log.room().0;
            match log.maintain(&Gauges::default) {
                Ok(Maintained::More) => {
                    let left = log.room().0;
                    assert!(left == before || left >= RESERVE_BYTES / 2, "{left} bytes are left of {before}");
                }
                ended => break ended,
            }
        };

        assert_eq!(ended, Err(MaintainError::Write(WriteError::Full)));
    }
}

/// Returns when each expiring record ended, in the order in which they expire.
fn expiries(replay: Replay, now: Timestamp) -> Vec<(Option<Timestamp>, Key)> {
    let mut out = Output::with_facts();
    let mut engine = replay.open(now, &mut out);
    engine.execute(now, Command::Shutdown, &mut out);
    let records = engine.durable_state().records;
    let ended = |key: &Key| records.iter().find(|record| record.key == *key).and_then(|record| record.terminal_at);
    out.drain_facts().for_each(drop);
    let later = now + config().retention;
    while engine.next_deadline().is_some_and(|deadline| deadline.at <= later) {
        engine.execute(later, Command::Sweep, &mut out);
    }
    let forgotten = out.drain_facts().flat_map(|fact| {
        let Change::Forgotten(keys) = fact.change else { panic!("only expiry is due: {fact:?}") };
        keys
    });
    forgotten.map(|key| (ended(&key), key)).collect()
}

/// Appends, and makes a snapshot of everything.
trait SnapshotAfter {
    fn snapshot_after(&mut self, facts: &[Fact]) -> Result<Sequence, eventful::journal::MaintainError>;

    /// All steps that are due.
    fn maintain_all(&mut self) -> Result<(), eventful::journal::MaintainError>;
}

impl SnapshotAfter for eventful::journal::JournalLog {
    fn snapshot_after(&mut self, facts: &[Fact]) -> Result<Sequence, eventful::journal::MaintainError> {
        self.append(facts).expect("room");
        self.snapshot()
    }

    fn maintain_all(&mut self) -> Result<(), eventful::journal::MaintainError> {
        while self.maintain(&Gauges::default)? != Maintained::Nothing {}
        Ok(())
    }
}
