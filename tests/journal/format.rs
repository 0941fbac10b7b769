//! The format: golden journals, round trips, and any bytes at all.

use std::fmt::Write as _;
use std::time::Duration;

use eventful::journal::frame::{self, FrameHash, Header};
use eventful::journal::{JournalStore as _, MemoryStore, OpenError, Owner, Sequence, Shard, recover, wire};
use eventful::{
    Config, Event, Key, Status, Timestamp,
    engine::{
        Answer, Command, Effect, Engine, Epoch, ErrorText, GroupName, Outcome, Output, RunId, ScheduleCursor,
        ScheduleName,
        facts::{AfterRun, AttemptEnd, Change, Charge, DurableState, Fact, Replay},
    },
};
use proptest::prelude::*;

use crate::script::{ScriptDriver, cases, config, moves, start};

/// Every kind of fact, each with every kind of part.
fn facts() -> Vec<Fact> {
    let uuid = Key::new("", "72d3162e-cc78-11e3-81ab-4c9367dc0958").expect("a key");
    let order = Key::new("shop", "order-17").expect("a key");
    let epoch = Epoch::new(1_700_000_000_000_000);
    let run = |number| RunId::new(epoch, number);
    let plain = Event::new(uuid.clone(), "three apples");
    let full = Event::new(order.clone(), "")
        .with_type("order.created")
        .and_then(|event| event.with_content_type("text/plain"))
        .and_then(|event| event.with_attribute("tenant", "blue"))
        .expect("short texts");
    let finished = |key: &Key, number, end, error: Option<&str>, next| Change::Finished {
        key: key.clone(),
        run: run(number),
        end,
        error: error.map(ErrorText::new),
        next,
        charge: Charge { charged: 1, snoozes: 2, refunds: 3 },
    };
    let later = Timestamp::from_micros(1_700_000_100_000_000);
    let changes = [
        Change::Epoch(epoch),
        Change::Accepted(plain),
        Change::Accepted(full),
        Change::Started { key: uuid.clone(), run: run(1) },
        finished(&uuid, 1, AttemptEnd::Retry, Some("connection refused"), AfterRun::Retry { eligible_at: later }),
        Change::Started { key: uuid.clone(), run: run(2) },
        finished(&uuid, 2, AttemptEnd::Done, None, AfterRun::Completed),
        Change::Started { key: order.clone(), run: run(3) },
        finished(&order, 3, AttemptEnd::Failed, Some("no such order"), AfterRun::Failed),
        Change::Redriven(order.clone()),
        Change::Paused,
        Change::Discarded(order),
        Change::Resumed,
        Change::Forgotten(vec![uuid]),
    ];
    let at = |n: usize| Timestamp::from_micros(1_700_000_000_000_000 + n as u64);
    changes.into_iter().enumerate().map(|(n, change)| Fact { at: at(n), change }).collect()
}

/// One frame that holds all of them.
fn frame_of(facts: &[Fact]) -> Vec<u8> {
    let mut body = Vec::new();
    facts.iter().for_each(|fact| wire::encode(fact, &mut body));
    let epoch = Epoch::new(1_700_000_000_000_000);
    let header = Header { shard: Shard::default(), epoch, sequence: Sequence::FIRST, previous: FrameHash::NONE };
    let mut bytes = Vec::new();
    frame::encode(&header, &body, &mut bytes).expect("a short body");
    bytes
}

fn read_all(mut body: &[u8]) -> Vec<Fact> {
    let mut facts = Vec::new();
    while !body.is_empty() {
        let fact;
        (fact, body) = wire::decode(body).expect("a fact");
        facts.push(fact);
    }
    facts
}

fn hex(bytes: &[u8]) -> String {
    bytes.chunks(32).fold(String::new(), |mut text, line| {
        line.iter().for_each(|byte| write!(text, "{byte:02x}").expect("a string takes it"));
        text.push('\n');
        text
    })
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("two digits")).collect()
}

#[test]
fn the_format_of_version_1_is_what_it_was() {
    let golden = include_str!("golden/version-1.hex");
    assert_eq!(hex(&frame_of(&facts())), golden, "a change of the format needs a version of its own");
}

#[test]
fn a_journal_of_version_1_is_replayed() {
    let bytes = unhex(include_str!("golden/version-1.hex"));
    let frame = frame::decode(&bytes).expect("a frame");
    assert_eq!(read_all(frame.body), facts());

    let mut replay = Replay::new(config()).expect("a valid configuration");
    read_all(frame.body).iter().for_each(|fact| replay.apply(fact).expect("it follows"));
    let state = replay.state();
    assert_eq!(state.records.iter().map(|record| record.status).collect::<Vec<_>>(), [Status::Discarded]);
    assert_eq!((state.counters.accepted, state.counters.started, state.counters.redriven), (2, 3, 1));
}

#[test]
fn event_that_starts_later_is_written_as_it_was() {
    let golden = include_str!("golden/version-1-delay.hex");
    let facts = &facts_with_a_delay()[facts_of_each_record().len()..];
    assert_eq!(hex(&frame_of(facts)), golden, "a change of the format needs a version of its own");
    assert_eq!(read_all(frame::decode(&unhex(golden)).expect("a frame").body), facts);
}

#[test]
fn groups_and_their_pauses_are_written_as_they_were() {
    let golden = include_str!("golden/version-1-groups.hex");
    let facts = &facts_with_groups()[facts_of_each_record().len()..];
    assert_eq!(hex(&frame_of(facts)), golden, "a change of the format needs a version of its own");
    assert_eq!(read_all(frame::decode(&unhex(golden)).expect("a frame").body), facts);
}

#[test]
fn schedules_are_written_as_they_were() {
    let golden = include_str!("golden/version-1-schedules.hex");
    let facts = &facts_with_schedules()[facts_of_each_record().len()..];
    assert_eq!(hex(&frame_of(facts)), golden, "a change of the format needs a version of its own");
    assert_eq!(read_all(frame::decode(&unhex(golden)).expect("a frame").body), facts);
}

/// A run that ends with follow-ups needs no new kind of fact: programs that know no follow-ups read it as well.
#[test]
fn follow_ups_are_written_as_facts_of_every_version() {
    let golden = include_str!("golden/version-1-follow-ups.hex");
    let facts = facts_of_follow_ups();
    assert_eq!(hex(&frame_of(&facts)), golden, "a change of the format needs a version of its own");
    let read = read_all(frame::decode(&unhex(golden)).expect("a frame").body);
    assert_eq!(read, facts);
    let mut replay = Replay::new(Config::default()).expect("a valid configuration");
    read.iter().for_each(|fact| replay.apply(fact).expect("it follows"));
    assert_eq!(replay.state().counters.accepted, 3);
}

#[test]
fn a_fact_that_is_not_known_yet_is_refused_clearly() {
    let mut bytes = Vec::new();
    wire::encode(&Fact { at: Timestamp::EPOCH, change: Change::Paused }, &mut bytes);
    *bytes.last_mut().expect("a fact has bytes") = 99;
    let refusal = wire::decode(&bytes).expect_err("there is no such kind of fact").to_string();
    assert!(refusal.contains("this program does not know"), "{refusal}");
}

#[test]
fn a_fact_that_forgets_many_is_read_as_it_was_written() {
    let keys = ["72d3162e-cc78-11e3-81ab-4c9367dc0958", "order-17"].map(|id| Key::new("", id).expect("a key"));
    for forgotten in [&keys[..], &[]] {
        let fact = Fact { at: Timestamp::from_micros(7), change: Change::Forgotten(forgotten.to_vec()) };
        let mut bytes = Vec::new();
        wire::encode(&fact, &mut bytes);
        assert_eq!(read_all(&bytes), [fact]);
    }
}

#[test]
fn a_fact_that_forgets_one_is_written_as_it_always_was() {
    let key = Key::new("", "a").expect("a key");
    let mut bytes = Vec::new();
    wire::encode(&Fact { at: Timestamp::EPOCH, change: Change::Forgotten(vec![key]) }, &mut bytes);
    assert_eq!(bytes, [0, 5, 1, 0, 1, b'a'], "an older program reads it");
}

proptest! {
    #![proptest_config(cases("format"))]

    #[test]
    fn what_an_engine_decides_is_read_as_it_was_written(moves in moves()) {
        let (mut driver, mut facts) = ScriptDriver::new(start());
        moves.iter().for_each(|a_move| facts.extend(driver.make(a_move)));
        let bytes = frame_of(&facts);
        prop_assert_eq!(read_all(frame::decode(&bytes).expect("a frame").body), facts);
    }

    #[test]
    fn any_bytes_are_facts_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut body = &bytes[..];
        while let Ok((_, rest)) = wire::decode(body) {
            prop_assert!(rest.len() < body.len());
            body = rest;
        }
    }

    #[test]
    fn any_bytes_are_a_frame_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(frame::decode(&bytes).is_err());
    }

    #[test]
    fn damaged_facts_take_no_more_memory_than_their_bytes_allow(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut body = frame_of(&facts())[frame::HEADER_BYTES..].to_vec();
        let at = at.index(body.len());
        body[at] = byte;
        let measured = allocation_counter::measure(|| {
            let mut body = &body[..];
            while let Ok((_, rest)) = wire::decode(body) {
                body = rest;
            }
        });
        prop_assert!(measured.bytes_max <= 4 * body.len() as u64 + 1024, "{} bytes at once", measured.bytes_max);
    }

    #[test]
    fn damaged_facts_are_facts_or_an_error(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let bytes = frame_of(&facts());
        let mut body = bytes[frame::HEADER_BYTES..].to_vec();
        let at = at.index(body.len());
        body[at] = byte;
        let mut body = &body[..];
        while let Ok((_, rest)) = wire::decode(body) {
            body = rest;
        }
    }
}

/// Facts whose records are of every kind that a snapshot knows.
fn facts_of_each_record() -> Vec<Fact> {
    let epoch = Epoch::new(1_700_000_000_000_000);
    let at = |n: u64| Timestamp::from_micros(1_700_000_000_000_000 + n);
    let key = |id: &str| Key::new("shop", id).expect("a key");
    let event = |id: &str| Event::new(key(id), format!("payload of {id}"));
    let finished = |id: &str, number, end, error: Option<&str>, next| Change::Finished {
        key: key(id),
        run: RunId::new(epoch, number),
        end,
        error: error.map(ErrorText::new),
        next,
        charge: Charge { charged: 1, snoozes: 2, refunds: 3 },
    };
    let started = |id: &str, number| Change::Started { key: key(id), run: RunId::new(epoch, number) };
    let names = ["waits", "runs", "retries", "failed", "done", "discarded", "forgotten"];
    let typed = Event::new(Key::new("", "72d3162e-cc78-11e3-81ab-4c9367dc0958").expect("a key"), "")
        .with_type("order.created")
        .and_then(|event| event.with_content_type("text/plain"))
        .and_then(|event| event.with_attribute("tenant", "blue"))
        .expect("short texts");
    let later = AfterRun::Retry { eligible_at: at(1_000_000) };
    let mut changes = vec![Change::Epoch(epoch), Change::Accepted(typed)];
    changes.extend(names.map(|name| Change::Accepted(event(name))));
    changes.extend([
        started("runs", 1),
        started("retries", 2),
        finished("retries", 2, AttemptEnd::Retry, Some("refused"), later),
        started("failed", 3),
        finished("failed", 3, AttemptEnd::Failed, Some("no such order"), AfterRun::Failed),
        started("done", 4),
        finished("done", 4, AttemptEnd::Done, None, AfterRun::Completed),
        Change::Discarded(key("discarded")),
        Change::Discarded(key("forgotten")),
        Change::Forgotten(vec![key("forgotten")]),
        Change::Paused,
    ]);
    (0..).zip(changes).map(|(n, change)| Fact { at: at(n), change }).collect()
}

/// The same, and an event that starts later.
fn facts_with_a_delay() -> Vec<Fact> {
    let mut facts = facts_of_each_record();
    let at = Timestamp::from_micros(1_700_000_000_001_000);
    let event = Event::with_id("later", "not yet").expect("an id").with_not_before(at + Duration::from_secs(3600));
    facts.push(Fact { at, change: Change::Accepted(event) });
    facts
}

/// The same, and events of a group, which is paused at last.
fn facts_with_groups() -> Vec<Fact> {
    let mut facts = facts_of_each_record();
    let at = Timestamp::from_micros(1_700_000_000_001_000);
    let event = |id| Event::with_id(id, "grouped").expect("an id").with_group("tenant/7").expect("a short name");
    let group = |name| GroupName::new(name).expect("a short name");
    let changes = [
        Change::Accepted(event("now")),
        Change::Accepted(event("later").with_not_before(at + Duration::from_secs(3600))),
        Change::GroupPaused { group: group("tenant/8"), paused: true },
        Change::GroupPaused { group: group("tenant/8"), paused: false },
        Change::GroupPaused { group: group("tenant/7"), paused: true },
    ];
    facts.extend(changes.map(|change| Fact { at, change }));
    facts
}

/// The same, and schedules: of one an event was accepted, of another nothing yet, and a third was removed.
fn facts_with_schedules() -> Vec<Fact> {
    let mut facts = facts_of_each_record();
    let at = Timestamp::from_micros(1_700_000_000_001_000);
    let name = |text| ScheduleName::new(text).expect("a short name");
    let cursor = |accepted: Option<Timestamp>| {
        Some(ScheduleCursor { decided: accepted.unwrap_or(Timestamp::from_micros(1_700_000_000_000_000)), accepted })
    };
    let event = Event::new(name("nightly").key(at), "report");
    let changes = [
        Change::Scheduled { schedule: name("nightly"), cursor: cursor(None) },
        Change::Scheduled { schedule: name("hourly"), cursor: cursor(None) },
        Change::Scheduled { schedule: name("gone"), cursor: cursor(None) },
        Change::Accepted(event),
        Change::Scheduled { schedule: name("nightly"), cursor: cursor(Some(at)) },
        Change::Scheduled { schedule: name("gone"), cursor: None },
    ];
    facts.extend(changes.map(|change| Fact { at, change }));
    facts
}

/// The one part of a snapshot of them.
fn snapshot_of(facts: &[Fact]) -> Vec<u8> {
    let mut store = MemoryStore::new();
    let mut log = recover(&mut store, &owner(), &config(), u64::MAX, &mut |_| {}).expect("an empty journal").log;
    log.append(facts).expect("room");
    let at = log.snapshot().expect("room");
    let mut journal = store.open(&owner()).expect("memory");
    assert_eq!(journal.snapshot(at, 1), Ok(None));
    journal.snapshot(at, 0).expect("memory").expect("a part")
}

/// Returns what a journal holds that begins with this snapshot.
fn load(part: &[u8]) -> Result<Replay, OpenError> {
    let mut store = MemoryStore::new();
    let mut journal = store.open(&owner()).expect("memory");
    let next = Sequence::FIRST.next();
    journal.append(Sequence::FIRST, b"a frame that the snapshot covers").expect("memory");
    journal.put_snapshot(next, 0, part, true).expect("memory");
    journal.trim(next).expect("memory");
    recover(&mut store, &owner(), &config(), u64::MAX, &mut |_| {}).map(|recovered| recovered.replay)
}

fn replay_of(facts: &[Fact]) -> Replay {
    let mut replay = Replay::new(config()).expect("a valid configuration");
    facts.iter().for_each(|fact| replay.apply(fact).expect("it follows"));
    replay
}

fn owner() -> Owner {
    Owner::new("a test")
}

#[test]
fn snapshot_of_version_1_is_loaded() {
    let loaded = load(&unhex(include_str!("golden/snapshot-1.hex"))).expect("a sound snapshot");
    assert_eq!(loaded.state(), state_without_later_parts());
    assert_eq!(loaded.check(), Ok(()));
}

#[test]
fn snapshot_of_version_2_without_past_errors_is_loaded() {
    let loaded = load(&unhex(include_str!("golden/snapshot-2.hex"))).expect("a sound snapshot");
    assert_eq!(loaded.state(), state_without_later_parts());
    assert_eq!(loaded.check(), Ok(()));
}

#[test]
fn snapshot_of_version_2_without_acceptance_order_is_loaded() {
    let loaded = load(&unhex(include_str!("golden/snapshot-2-errors.hex"))).expect("a sound snapshot");
    assert_eq!(loaded.state(), state_without_order());
    assert_eq!(loaded.check(), Ok(()));
}

/// Returns the state as in snapshots that did not hold the order of acceptance yet.
fn state_without_order() -> DurableState {
    let mut state = replay_of(&facts_of_each_record()).state();
    state.records.iter_mut().for_each(|record| record.seq = None);
    state
}

/// Returns the state as in the first snapshots: no errors of past attempts, and one count of what was forgotten, which
/// is taken for completed.
fn state_without_later_parts() -> DurableState {
    let mut state = state_without_order();
    let past = state.records.iter_mut().flat_map(|record| &mut record.history);
    past.for_each(|attempt| attempt.error = None);
    let counters = state.counters.with_forgotten(Status::Discarded, 0);
    state.counters = counters.with_forgotten(Status::Completed, 1);
    state
}

#[test]
fn snapshot_of_version_2_is_what_it_was() {
    let golden = include_str!("golden/snapshot-2-numbered.hex");
    let facts = facts_with_a_delay();
    assert_eq!(hex(&snapshot_of(&facts)), golden, "a change of the format needs a version of its own");
    let replayed = replay_of(&facts);
    assert_eq!(load(&unhex(golden)).map(|loaded| loaded.state()), Ok(replayed.state()));
}

#[test]
fn snapshot_with_groups_is_what_it_was() {
    let golden = include_str!("golden/snapshot-2-groups.hex");
    let facts = facts_with_groups();
    assert_eq!(hex(&snapshot_of(&facts)), golden, "a change of the format needs a version of its own");
    let loaded = load(&unhex(golden)).map(|loaded| loaded.state()).expect("a sound snapshot");
    assert_eq!(loaded, replay_of(&facts).state());
    assert_eq!(loaded.paused_groups.len(), 1);
}

#[test]
fn snapshot_with_schedules_is_what_it_was() {
    let golden = include_str!("golden/snapshot-2-schedules.hex");
    let facts = facts_with_schedules();
    assert_eq!(hex(&snapshot_of(&facts)), golden, "a change of the format needs a version of its own");
    let loaded = load(&unhex(golden)).map(|loaded| loaded.state()).expect("a sound snapshot");
    assert_eq!(loaded, replay_of(&facts).state());
    assert_eq!(loaded.schedules.len(), 2);
}

#[test]
fn snapshot_without_counts_of_ends_that_no_run_had_is_loaded() {
    // Epoch, and nothing else: of the eight counts of ends, all zero, three are left out.
    let facts = [Fact { at: Timestamp::EPOCH, change: Change::Epoch(Epoch::new(7)) }];
    let body = frame::decode(&snapshot_of(&facts)).expect("a frame").body.to_vec();
    let shorter = [&body[..5], &[5], &body[6..11], &body[14..]].concat();

    let loaded = load(&part_of(&shorter)).expect("a sound snapshot");

    assert_eq!(loaded.state(), replay_of(&facts).state());
}

#[test]
fn snapshot_that_counts_what_is_not_known_is_of_a_newer_program() {
    let facts = [Fact { at: Timestamp::EPOCH, change: Change::Epoch(Epoch::new(7)) }];
    let body = frame::decode(&snapshot_of(&facts)).expect("a frame").body.to_vec();
    for (count, is_newer) in [(0, false), (1, true)] {
        let longer = [&body[..5], &[9], &body[6..14], &[count], &body[14..]].concat();
        let loaded = load(&part_of(&longer)).map(drop);
        assert_eq!(matches!(loaded, Err(OpenError::TooNew(_))), is_newer, "{loaded:?}");
    }
}

#[test]
fn record_of_a_kind_that_is_not_known_is_of_a_newer_program() {
    let refused = load(&part_of(&[6])).map(drop);
    let Err(OpenError::TooNew(newer)) = refused else { panic!("{refused:?}") };
    assert_eq!(newer.at, "part 0 of the snapshot before frame 2");
}

/// The first part of a snapshot of format 2, with this body.
fn part_of(body: &[u8]) -> Vec<u8> {
    let (epoch, sequence) = (Epoch::new(7), Sequence::FIRST.next());
    let header = Header { shard: Shard::default(), epoch, sequence, previous: FrameHash::NONE };
    let mut bytes = Vec::new();
    frame::encode(&header, body, &mut bytes).expect("a short body");
    bytes[4] = 2;
    let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[..40]), body);
    bytes[40..44].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// Returns the facts of an engine in which a run ends with two follow-ups.
fn facts_of_follow_ups() -> Vec<Fact> {
    let event = |id: &str| Event::with_id(id, id.to_owned()).expect("an event");
    let (now, mut out) = (Timestamp::from_micros(1_700_000_000_000_000), Output::with_facts());
    let mut engine = Engine::new(Config::default(), now, &mut out).expect("a valid configuration");
    engine.execute(now, Command::Submit(event("parent")), &mut out);
    let ticket =
        out.effects().iter().find_map(|effect| if let Effect::Enqueue(ticket) = effect { Some(*ticket) } else { None });
    let started = engine.execute(now, Command::Start(ticket.expect("it is due")), &mut out);
    let Answer::Running(run) = started else { panic!("{started:?}") };
    let then = vec![event("one"), event("two").with_delay(Duration::from_secs(60)).with_group("g").expect("a name")];
    let outcome = Outcome::DoneWith { then };
    engine.execute(now, Command::Settle { run: run.id, outcome }, &mut out);
    out.drain_facts().collect()
}
