//! Facts as bytes, in `postcard`'s encoding.
//!
//! The types here are the format. Variants and fields are only ever added, at the end of an enum; any other change is a
//! new [`VERSION`](super::frame::VERSION). The types of the engine are not bound by it.

use core::fmt;
use core::hash::Hasher as _;
use core::marker::PhantomData;
use std::borrow::Cow;
use std::vec;
use std::vec::Vec;

use bytes::Bytes;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use siphasher::sip128::{Hasher128 as _, SipHasher13};

use crate::engine::{
    AfterRun, AttemptEnd, Change, Charge, Epoch, ErrorText, Event, Fact, InvalidEvent, InvalidKey, Key, RunId,
    Timestamp,
};

/// Why bytes are no facts or records of this program, though their checksum says that they are what
/// was written: a newer program wrote them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// They say something that this program does not know, or nothing at all.
    #[error("it holds what this program does not know: {0}")]
    Unknown(postcard::Error),
    /// They count what this program does not know.
    #[error("it counts what this program does not know")]
    Counter,
    /// They name a key that cannot be.
    #[error(transparent)]
    Key(#[from] InvalidKey),
    /// They name an event that cannot be.
    #[error(transparent)]
    Event(#[from] InvalidEvent),
}

/// Writes a fact behind what `out` holds.
pub fn encode(fact: &Fact, out: &mut Vec<u8>) {
    put(&WireFact { at: fact.at.as_micros(), change: WireChange::of(&fact.change) }, out);
}

/// Reads the fact that `bytes` begin with, and answers what follows it.
///
/// # Errors
///
/// [`WireError`]
pub fn decode(bytes: &[u8]) -> Result<(Fact, &[u8]), WireError> {
    let (fact, rest) = take::<WireFact<'_>>(bytes)?;
    let change = fact.change.into_change()?;
    Ok((Fact { at: Timestamp::from_micros(fact.at), change }, rest))
}

/// Checks that all of these bytes are facts that this program knows, without making events of them.
pub(super) fn check(mut bytes: &[u8]) -> Result<(), WireError> {
    while !bytes.is_empty() {
        (_, bytes) = take::<WireFact<'_>>(bytes)?;
    }
    Ok(())
}

/// Hands the key of each change in these facts to `visit`, without making events of them.
pub(super) fn keys(mut bytes: &[u8], visit: &mut dyn FnMut(KeyHash)) -> Result<(), WireError> {
    while !bytes.is_empty() {
        let fact;
        (fact, bytes) = take::<WireFact<'_>>(bytes)?;
        match &fact.change {
            WireChange::Accepted(event) => visit(event.key.hash()),
            WireChange::Started(key, ..)
            | WireChange::Finished(key, ..)
            | WireChange::Redriven(key)
            | WireChange::Discarded(key)
            | WireChange::Forgotten(key) => visit(key.hash()),
            WireChange::ForgottenMany(keys) => keys.0.iter().for_each(|key| visit(key.hash())),
            WireChange::Paused | WireChange::Resumed | WireChange::Epoch(_) => {}
        }
    }
    Ok(())
}

/// A hash that no two keys share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KeyHash(u128);

/// Writes a value of the format behind what `out` holds.
pub(super) fn put<T: Serialize>(value: &T, out: &mut Vec<u8>) {
    // Writing to memory cannot fail, and every value here has a length.
    let written = postcard::to_extend(value, core::mem::take(out));
    *out = written.expect("every value of the format can be written");
}

/// Reads the value of the format that `bytes` begin with, and answers what follows it.
pub(super) fn take<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<(T, &'a [u8]), WireError> {
    postcard::take_from_bytes(bytes).map_err(WireError::Unknown)
}

#[derive(Debug, Serialize, Deserialize)]
struct WireFact<'a> {
    at: u64,
    #[serde(borrow)]
    change: WireChange<'a>,
}

#[derive(Debug, Serialize, Deserialize)]
enum WireChange<'a> {
    #[serde(borrow)]
    Accepted(WireEvent<'a>),
    Started(WireKey<'a>, WireRun),
    Finished(WireKey<'a>, WireRun, WireEnd, Option<&'a str>, WireNext, WireCharge),
    Redriven(WireKey<'a>),
    Discarded(WireKey<'a>),
    Forgotten(WireKey<'a>),
    Paused,
    Resumed,
    Epoch(u64),
    ForgottenMany(Several<WireKey<'a>>),
}

/// A key: a canonical UUID, or a source and an id.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum WireKey<'a> {
    Uuid([u8; 16]),
    Text(&'a str, #[serde(borrow)] Cow<'a, str>),
}

/// An event. Its digest is made again from its payload, by the named algorithm.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WireEvent<'a> {
    #[serde(borrow)]
    key: WireKey<'a>,
    algorithm: WireAlgorithm,
    #[serde(serialize_with = "as_bytes")]
    payload: &'a [u8],
    event_type: Option<&'a str>,
    content_type: Option<&'a str>,
    attributes: Pairs<'a>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) enum WireAlgorithm {
    Sha256,
}

/// An epoch and a number.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct WireRun(u64, u64);

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) enum WireEnd {
    Done,
    Retry,
    Failed,
    Snoozed,
    Crashed,
    TimedOut,
    Interrupted,
    Discarded,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum WireNext {
    Completed,
    Failed,
    Retry(u64),
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct WireCharge(u32, u32, u32);

impl<'a> WireChange<'a> {
    fn of(change: &'a Change) -> Self {
        match change {
            Change::Accepted(event) => Self::Accepted(WireEvent::of(event)),
            Change::Started { key, run } => Self::Started(WireKey::of(key), WireRun::of(*run)),
            Change::Finished { key, run, end, error, next, charge } => Self::Finished(
                WireKey::of(key),
                WireRun::of(*run),
                WireEnd::of(*end),
                error.as_ref().map(ErrorText::as_str),
                WireNext::of(*next),
                WireCharge::of(*charge),
            ),
            Change::Redriven(key) => Self::Redriven(WireKey::of(key)),
            Change::Discarded(key) => Self::Discarded(WireKey::of(key)),
            // Of one key as programs have always read it.
            Change::Forgotten(keys) => match keys.as_slice() {
                [key] => Self::Forgotten(WireKey::of(key)),
                keys => Self::ForgottenMany(Several(keys.iter().map(WireKey::of).collect())),
            },
            Change::Paused => Self::Paused,
            Change::Resumed => Self::Resumed,
            Change::Epoch(epoch) => Self::Epoch(epoch.number()),
        }
    }

    fn into_change(self) -> Result<Change, WireError> {
        Ok(match self {
            Self::Accepted(event) => Change::Accepted(event.into_event()?),
            Self::Started(key, run) => Change::Started { key: key.into_key()?, run: run.into_run() },
            Self::Finished(key, run, end, error, next, charge) => Change::Finished {
                key: key.into_key()?,
                run: run.into_run(),
                end: end.into_end(),
                error: error.map(ErrorText::new),
                next: next.into_next(),
                charge: charge.into_charge(),
            },
            Self::Redriven(key) => Change::Redriven(key.into_key()?),
            Self::Discarded(key) => Change::Discarded(key.into_key()?),
            Self::Forgotten(key) => Change::Forgotten(vec![key.into_key()?]),
            Self::ForgottenMany(Several(keys)) => {
                Change::Forgotten(keys.into_iter().map(WireKey::into_key).collect::<Result<_, _>>()?)
            }
            Self::Paused => Change::Paused,
            Self::Resumed => Change::Resumed,
            Self::Epoch(number) => Change::Epoch(Epoch::new(number)),
        })
    }
}

impl<'a> WireKey<'a> {
    pub(super) fn hash(&self) -> KeyHash {
        let mut hasher = SipHasher13::new();
        match self {
            Self::Uuid(uuid) => hasher.write(uuid),
            Self::Text(source, id) => {
                hasher.write_u64(source.len() as u64);
                hasher.write(source.as_bytes());
                hasher.write(id.as_bytes());
            }
        }
        KeyHash(hasher.finish128().as_u128())
    }

    pub(super) fn of(key: &'a Key) -> Self {
        match key.as_uuid() {
            Some(uuid) => Self::Uuid(*uuid),
            None => Self::Text(key.source(), key.id().into_text()),
        }
    }

    pub(super) fn into_key(self) -> Result<Key, InvalidKey> {
        match self {
            Self::Uuid(uuid) => Ok(Key::from_uuid(uuid)),
            Self::Text(source, id) => Key::new(source, &id),
        }
    }
}

impl<'a> WireEvent<'a> {
    pub(super) fn of(event: &'a Event) -> Self {
        Self {
            key: WireKey::of(event.key()),
            algorithm: WireAlgorithm::of(event.digest().algorithm()),
            payload: event.payload(),
            event_type: event.event_type(),
            content_type: event.content_type(),
            attributes: Several(event.attributes().iter().collect()),
        }
    }

    pub(super) const fn key(&self) -> &WireKey<'a> {
        &self.key
    }

    pub(super) fn into_event(self) -> Result<Event, WireError> {
        let WireAlgorithm::Sha256 = self.algorithm;
        let mut event = Event::new(self.key.into_key()?, Bytes::copy_from_slice(self.payload));
        if let Some(event_type) = self.event_type {
            event = event.with_type(event_type)?;
        }
        if let Some(content_type) = self.content_type {
            event = event.with_content_type(content_type)?;
        }
        for (name, value) in self.attributes.0 {
            event = event.with_attribute(name, value)?;
        }
        Ok(event)
    }
}

impl WireAlgorithm {
    pub(super) const fn of(algorithm: crate::engine::Algorithm) -> Self {
        match algorithm {
            crate::engine::Algorithm::Sha256 => Self::Sha256,
        }
    }

    pub(super) const fn into_algorithm(self) -> crate::engine::Algorithm {
        match self {
            Self::Sha256 => crate::engine::Algorithm::Sha256,
        }
    }
}

impl WireRun {
    pub(super) const fn of(run: RunId) -> Self {
        Self(run.epoch().number(), run.number())
    }

    pub(super) const fn into_run(self) -> RunId {
        RunId::new(Epoch::new(self.0), self.1)
    }
}

impl WireEnd {
    pub(super) const fn of(end: AttemptEnd) -> Self {
        match end {
            AttemptEnd::Done => Self::Done,
            AttemptEnd::Retry => Self::Retry,
            AttemptEnd::Failed => Self::Failed,
            AttemptEnd::Snoozed => Self::Snoozed,
            AttemptEnd::Crashed => Self::Crashed,
            AttemptEnd::TimedOut => Self::TimedOut,
            AttemptEnd::Interrupted => Self::Interrupted,
            AttemptEnd::Discarded => Self::Discarded,
        }
    }

    pub(super) const fn into_end(self) -> AttemptEnd {
        match self {
            Self::Done => AttemptEnd::Done,
            Self::Retry => AttemptEnd::Retry,
            Self::Failed => AttemptEnd::Failed,
            Self::Snoozed => AttemptEnd::Snoozed,
            Self::Crashed => AttemptEnd::Crashed,
            Self::TimedOut => AttemptEnd::TimedOut,
            Self::Interrupted => AttemptEnd::Interrupted,
            Self::Discarded => AttemptEnd::Discarded,
        }
    }
}

impl WireNext {
    const fn of(next: AfterRun) -> Self {
        match next {
            AfterRun::Completed => Self::Completed,
            AfterRun::Failed => Self::Failed,
            AfterRun::Retry { eligible_at } => Self::Retry(eligible_at.as_micros()),
        }
    }

    const fn into_next(self) -> AfterRun {
        match self {
            Self::Completed => AfterRun::Completed,
            Self::Failed => AfterRun::Failed,
            Self::Retry(at) => AfterRun::Retry { eligible_at: Timestamp::from_micros(at) },
        }
    }
}

impl WireCharge {
    pub(super) const fn of(charge: Charge) -> Self {
        Self(charge.charged, charge.snoozes, charge.refunds)
    }

    pub(super) const fn into_charge(self) -> Charge {
        Charge { charged: self.0, snoozes: self.1, refunds: self.2 }
    }
}

/// Writes bytes as a whole instead of one by one; they look the same.
fn as_bytes<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

/// Names and values.
pub(super) type Pairs<'a> = Several<(&'a str, &'a str)>;

/// Several of a kind. Unlike a plain `Vec`, it takes no room for more of them than were read.
#[derive(Debug, Serialize)]
pub(super) struct Several<T>(Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Several<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Collect<T> {
            type Value = Vec<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("several of a kind")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut several = Vec::new();
                while let Some(one) = seq.next_element()? {
                    several.push(one);
                }
                Ok(several)
            }
        }

        deserializer.deserialize_seq(Collect(PhantomData)).map(Self)
    }
}
