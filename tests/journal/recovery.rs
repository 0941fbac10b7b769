//! Recovery from a journal.

use eventful::engine::facts::{Change, Fact};
use eventful::journal::{
    Corrupt, JournalStore as _, MemoryStore, OpenError, Owner, Recovered, Sequence, inspect, recover,
};
use proptest::prelude::*;

use crate::script::{ScriptDriver, cases, config, moves, start};

fn owner() -> Owner {
    Owner::new("a test")
}

fn reopen(store: &mut MemoryStore) -> Recovered {
    recover(store, &owner(), &config(), u64::MAX, &mut |_| {}).expect("a sound journal")
}

proptest! {
    #![proptest_config(cases("recovery"))]

    #[test]
    fn a_replay_equals_the_engine_that_wrote_it(moves in moves(), group in 1usize..8) {
        let mut store = MemoryStore::new();
        let Recovered { mut log, replay } = reopen(&mut store);
        let (mut driver, opening) = ScriptDriver::open(replay, start());
        log.append(&opening).expect("room");
        for moves in moves.chunks(group) {
            let facts: Vec<Fact> = moves.iter().flat_map(|a_move| driver.make(a_move)).collect();
            log.append(&facts).expect("room");
        }
        let live = driver.engine.durable_state();

        let Recovered { replay, .. } = reopen(&mut store);

        prop_assert_eq!(replay.state(), live);
    }
}

#[test]
fn facts_of_every_frame_are_visited_in_order() {
    let mut store = MemoryStore::new();
    let mut log = reopen(&mut store).log;
    let facts: Vec<_> =
        [Change::Paused, Change::Resumed, Change::Paused].map(|change| Fact { at: start(), change }).into();
    log.append(&facts[..2]).and_then(|()| log.append(&facts[2..])).expect("room");

    let mut visited = Vec::new();
    let mut journal = store.open(&owner()).expect("memory");
    inspect::facts(&mut *journal, &mut |header, fact| visited.push((header.sequence, fact))).expect("a sound journal");

    let expected = facts.into_iter().zip([1, 1, 2]).map(|(fact, frame)| (Sequence::new(frame), fact));
    assert_eq!(visited, expected.collect::<Vec<_>>());
}

#[test]
fn an_opening_raises_the_epoch_and_fences_the_one_before() {
    let mut store = MemoryStore::new();
    let Recovered { log: mut first, replay } = reopen(&mut store);
    let (driver, opening) = ScriptDriver::open(replay, start());
    first.append(&opening).expect("room");

    let Recovered { log: mut second, replay } = reopen(&mut store);
    let (successor, opening) = ScriptDriver::open(replay, start());
    second.append(&opening).expect("room");

    assert!(successor.engine.epoch() > driver.engine.epoch());
    let fact = Fact { at: start(), change: Change::Paused };
    assert_eq!(
        first.append(&[fact]).map_err(|error| error.to_string()),
        Err("another owner has opened the journal: this one must end".to_string())
    );
}

#[test]
fn journal_whose_snapshot_is_past_its_end_is_refused() {
    let mut store = MemoryStore::new();
    let Recovered { mut log, replay } = reopen(&mut store);
    log.append(&ScriptDriver::open(replay, start()).1).expect("room");
    let at = log.snapshot().expect("room");
    let mut from = store.open(&owner()).expect("a journal");
    let mut half = MemoryStore::new();
    let mut to = half.open(&owner()).expect("a journal");
    let part = from.snapshot(at, 0).expect("memory").expect("a part");
    to.put_snapshot(at, 0, &part, true).expect("room");

    let refused = recover(&mut half, &owner(), &config(), u64::MAX, &mut |_| {}).map(drop);

    let problem = "its snapshot before frame 2 holds frames that the journal does not have: it ends before frame 1";
    assert_eq!(refused, Err(OpenError::Corrupt(Corrupt::new("the journal", problem))));
}

#[test]
fn a_frame_of_another_history_is_refused_with_its_position() {
    let mut store = MemoryStore::new();
    let Recovered { mut log, .. } = reopen(&mut store);
    let pause = Fact { at: start(), change: Change::Paused };
    log.append(core::slice::from_ref(&pause)).expect("room");
    let mut other = MemoryStore::new();
    let Recovered { log: mut foreign, .. } = reopen(&mut other);
    foreign.append(&[Fact { at: start(), change: Change::Resumed }]).expect("room");
    foreign.append(&[pause]).expect("room");
    let mut frames = Vec::new();
    let mut journal = other.open(&owner()).expect("memory");
    journal.read(Sequence::new(2), 1, &mut |_, frame| frames.push(frame.to_vec())).expect("a frame");

    store.open(&owner()).expect("memory").append(Sequence::new(2), &frames[0]).expect("room");

    let error = recover(&mut store, &owner(), &config(), u64::MAX, &mut |_| {}).expect_err("another history");
    assert!(matches!(&error, OpenError::Corrupt(corrupt) if corrupt.at == "frame 2"), "{error}");
}
