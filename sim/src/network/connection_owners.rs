//! The server process of each connection, and the identifiers that scenarios use.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::Duration;

use eventful::{Digest, Event, Key, Timestamp};

use super::scenario::{KeyNumber, PayloadNumber, SubmittedItem};
use crate::scenario::EventNumber;
use crate::spec::Numbering;

/// The server process at the other end of each connection.
///
/// A response may arrive when the process that sent it has ended: its promises hold for that process.
#[derive(Debug, Default)]
pub(super) struct ConnectionOwners {
    /// The number of the last process, from 1 on.
    pub(super) generation: u32,
    connections: BTreeMap<SocketAddr, u32>,
}

impl ConnectionOwners {
    /// Notes that the current process has a connection from `peer`.
    pub(super) fn accept(&mut self, peer: SocketAddr) {
        self.connections.insert(peer, self.generation);
    }

    /// Returns the process at the other end of the connection from `local`; 0 if there was none.
    pub(super) fn server_of(&self, local: SocketAddr) -> u32 {
        self.connections.get(&local).copied().unwrap_or_default()
    }
}

/// The result of a submission, as a client was informed of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ClientAnswer {
    Accepted,
    Duplicate,
    Conflict { stored: String, received: String },
    Other,
}

/// Returns the id of this key. Many contain characters that must be escaped, or differ from another id by case alone.
pub(super) fn id(key: KeyNumber) -> String {
    match (key, key % 6) {
        (3, _) => "..".to_owned(),
        (9, _) => ".".to_owned(),
        // The identity of the event of key 14 as one text, as a header without a source has it.
        (15, _) => r#"eventful:a+b%2F%20&c/e14%252F%22\?#"#.to_owned(),
        (_, 1) => format!("e{key}/a b+c"),
        (_, 2) => format!("e{key}%2F\"\\?#"),
        (_, 4) => format!("{key:08x}-0000-4000-8000-0000000000AB"),
        (_, 5) => format!("{:08x}-0000-4000-8000-0000000000ab", key - 1),
        _ => format!("e{key}"),
    }
}

/// The source of some keys, whose sender signs its requests.
pub(super) const SIGNER: &str = "signer-1.x";

/// Returns the source of this key: every fourth key has one.
pub(super) const fn source(key: KeyNumber) -> &'static str {
    match key % 16 {
        6 => SIGNER,
        2 | 10 | 14 => "a+b/ &c",
        _ => "",
    }
}

static KEYS: LazyLock<Vec<Key>> =
    LazyLock::new(|| (0..=KeyNumber::MAX).map(|key| Key::new(source(key), &id(key)).expect("a short id")).collect());

static NUMBERS: LazyLock<HashMap<Key, KeyNumber>> =
    LazyLock::new(|| KEYS.iter().cloned().zip(0..=KeyNumber::MAX).collect());

/// Returns the key with this number.
pub(super) fn key(number: KeyNumber) -> &'static Key {
    &KEYS[usize::from(number)]
}

/// Returns the number of this key; none for a key that no client uses.
pub(super) fn number(key: &Key) -> Option<KeyNumber> {
    NUMBERS.get(key).copied()
}

/// The numbers of the keys that clients have.
#[derive(Debug)]
pub(super) struct Ids;

impl Numbering for Ids {
    fn number(&self, key: &Key) -> Option<EventNumber> {
        number(key).map(EventNumber::from)
    }
}

/// Returns the attributes of this key: every third key has two, with characters that must be escaped.
pub(super) fn attributes(key: KeyNumber) -> Vec<(&'static str, String)> {
    let (tenant, other) = (("tenant", format!("t{key}")), ("a, \\\"b\"=%2C;ä", "c=%3D,\"\\ ;ö".to_owned()));
    if key.is_multiple_of(3) { vec![other, tenant] } else { Vec::new() }
}

/// The longest delay that an event of a scenario asks for: that of the table in [`start`].
pub(super) const LONGEST_DELAY: Duration = Duration::from_millis(30);

/// A start time in the past, as a client writes it: such an event starts at once.
const LONG_AGO: (&str, Timestamp) = ("1999-02-03T05:05:06.5+01:00", Timestamp::from_micros(918_014_706_500_000));

/// Returns when the first run of this key may start, as a field and its value: some keys have a delay, some a time.
pub(super) const fn start(key: KeyNumber) -> Option<(&'static str, &'static str)> {
    match key % 7 {
        3 => Some(("not_before", LONG_AGO.0)),
        5 => Some(("delay", "30ms")),
        _ => None,
    }
}

/// Returns the time before which no run of this key starts, when it was accepted at `now`.
pub(super) fn not_before(key: KeyNumber, now: Timestamp) -> Option<Timestamp> {
    start(key).map(|(field, _)| if field == "delay" { now + LONGEST_DELAY } else { LONG_AGO.1 })
}

/// Returns the event that is submitted through the library.
pub(super) fn event(item: SubmittedItem) -> Event {
    let event = Event::new(key(item.key).clone(), payload(item));
    let event = match start(item.key) {
        None => event,
        Some(("delay", _)) => event.with_delay(LONGEST_DELAY),
        Some(_) => event.with_not_before(LONG_AGO.1),
    };
    let add = |event: Event, (name, value): (&str, String)| event.with_attribute(name, &value).expect("short texts");
    attributes(item.key).into_iter().fold(event, add)
}

/// Returns the text of this payload, valid JSON.
pub(super) fn payload(item: SubmittedItem) -> String {
    format!("[{},{}]", item.key, item.payload)
}

static DIGESTS: LazyLock<Vec<[Digest; 2]>> = LazyLock::new(|| {
    (0..=KeyNumber::MAX).map(|key| [0, 1].map(|number| computed(SubmittedItem { key, payload: number }))).collect()
});

/// Returns the digest of this payload. Those of the first two are computed once.
pub(super) fn digest(key: KeyNumber, payload: PayloadNumber) -> Digest {
    let known = DIGESTS[usize::from(key)].get(usize::from(payload)).copied();
    known.unwrap_or_else(|| computed(SubmittedItem { key, payload }))
}

fn computed(item: SubmittedItem) -> Digest {
    Digest::of(payload(item).as_bytes())
}
