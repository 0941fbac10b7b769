//! The format: golden journals, round trips, and any bytes at all.

use std::fmt::Write as _;

use eventful::journal::frame::{self, Header, Link};
use eventful::journal::{Sequence, Shard, wire};
use eventful::{
    AttemptEnd, Change, Charge, Epoch, ErrorText, Event, Fact, Key, Next, Replay, RunId, Status, Timestamp,
};
use proptest::prelude::*;

use crate::script::{Driver, cases, config, moves, start};

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
        finished(&uuid, 1, AttemptEnd::Retry, Some("connection refused"), Next::Retry { eligible_at: later }),
        Change::Started { key: uuid.clone(), run: run(2) },
        finished(&uuid, 2, AttemptEnd::Done, None, Next::Completed),
        Change::Started { key: order.clone(), run: run(3) },
        finished(&order, 3, AttemptEnd::Failed, Some("no such order"), Next::Failed),
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
    let header = Header { shard: Shard::default(), epoch, sequence: Sequence::FIRST, previous: Link::NONE };
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
fn a_fact_that_is_not_known_yet_is_refused_clearly() {
    let mut bytes = Vec::new();
    wire::encode(&Fact { at: Timestamp::EPOCH, change: Change::Paused }, &mut bytes);
    *bytes.last_mut().expect("a fact has bytes") = 10;
    let refusal = wire::decode(&bytes).expect_err("there is no eleventh kind of fact").to_string();
    assert!(refusal.contains("use a newer program"), "{refusal}");
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
        let (mut driver, mut facts) = Driver::new(start());
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
