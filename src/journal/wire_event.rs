//! The encoding of keys and events, a part of the format of [`wire`](super::wire).

use core::fmt;
use core::hash::Hasher as _;
use core::marker::PhantomData;
use std::borrow::Cow;
use std::vec::Vec;

use bytes::Bytes;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use siphasher::sip128::{Hasher128 as _, SipHasher13};

use super::wire_digest::WireDigest;
use crate::engine::{Event, InvalidEvent, InvalidKey, InvalidScheduleName, Key, NotBefore, Timestamp};

/// The reason why bytes are not facts or records that this program knows, though their checksum says that they are
/// what was written: a newer program wrote them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The bytes have contents that this program does not know, or none.
    #[error("it holds what this program does not know: {0}")]
    Unknown(postcard::Error),
    /// The bytes have counters that this program does not know.
    #[error("it counts what this program does not know")]
    Counter,
    /// The bytes have an invalid key.
    #[error(transparent)]
    Key(#[from] InvalidKey),
    /// The bytes have an invalid event.
    #[error(transparent)]
    Event(#[from] InvalidEvent),
    /// The bytes have an invalid name of a schedule.
    #[error(transparent)]
    Schedule(#[from] InvalidScheduleName),
}

/// A hash that no two keys share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KeyHash(u128);

/// A key: a canonical UUID, or a source and an id.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum WireKey<'a> {
    Uuid([u8; 16]),
    Text(&'a str, #[serde(borrow)] Cow<'a, str>),
}

/// An event.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WireEvent<'a> {
    #[serde(borrow)]
    key: WireKey<'a>,
    digest: WireDigest,
    #[serde(serialize_with = "as_bytes")]
    payload: &'a [u8],
    event_type: Option<&'a str>,
    content_type: Option<&'a str>,
    attributes: Pairs<'a>,
}

/// An option that few events have. Each is there once at most.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) enum WireOption<'a> {
    /// The first run starts at this time or later.
    NotBefore(u64),
    /// The group with this name.
    Group(&'a str),
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
            digest: WireDigest::of(event.digest()),
            payload: event.payload(),
            event_type: event.event_type(),
            content_type: event.content_type(),
            attributes: Several(event.attributes().iter().collect()),
        }
    }

    pub(super) const fn key(&self) -> &WireKey<'a> {
        &self.key
    }

    pub(super) fn into_event(self, options: WireOptions<'_>) -> Result<Event, WireError> {
        let mut event = self.digest.of_event(self.key.into_key()?, Bytes::copy_from_slice(self.payload));
        if let Some(event_type) = self.event_type {
            event = event.with_type(event_type)?;
        }
        if let Some(content_type) = self.content_type {
            event = event.with_content_type(content_type)?;
        }
        for (name, value) in self.attributes.0 {
            event = event.with_attribute(name, value)?;
        }
        for option in options.0 {
            match option {
                WireOption::NotBefore(micros) => event = event.with_not_before(Timestamp::from_micros(micros)),
                WireOption::Group(name) => event = event.with_group(name)?,
            }
        }
        Ok(event)
    }
}

impl<'a> WireOptions<'a> {
    /// Returns the options of an accepted event.
    pub(super) fn of(event: &'a Event) -> Self {
        let not_before = event.not_before().and_then(|not_before| match not_before {
            NotBefore::At(at) => Some(WireOption::NotBefore(at.as_micros())),
            // An accepted event has none.
            NotBefore::After(_) => None,
        });
        Several(not_before.into_iter().chain(event.group().map(WireOption::Group)).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Writes bytes as a whole instead of one by one; the encoding is the same.
fn as_bytes<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

/// Names and values.
pub(super) type Pairs<'a> = Several<(&'a str, &'a str)>;

/// The options of an event.
pub(super) type WireOptions<'a> = Several<WireOption<'a>>;

impl<T> Default for Several<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// Several values of a kind. Unlike a plain `Vec`, it allocates no room for more of them than were read.
#[derive(Debug, Serialize)]
pub(super) struct Several<T>(pub(super) Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Several<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CollectPairs<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for CollectPairs<T> {
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

        deserializer.deserialize_seq(CollectPairs(PhantomData)).map(Self)
    }
}
