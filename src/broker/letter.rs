//! Dead letters: messages that will never be events, with the reason.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use super::message::Unfit;
use crate::engine::{Conflict, Digest, Event, Key};

/// A message that is put aside, so that an operator can decide about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The reason.
    pub reason: DeadReason,
    /// Its key, when it has one.
    pub key: Option<Key>,
    /// The digest of its payload.
    pub digest: Digest,
    /// Its payload.
    pub payload: Bytes,
    /// The number of times that the broker has delivered it.
    pub deliveries: u32,
}

/// The reason why a message is put aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeadReason {
    /// Another payload was accepted under its key.
    Conflict(Conflict),
    /// The event is larger than any may be.
    TooLarge {
        /// The most bytes that an event may have.
        limit_bytes: usize,
    },
    /// No event can be made of it.
    Unfit(Unfit),
}

impl DeadReason {
    /// Returns the reason in one word, for a header: `conflict`, `too-large`, `without-id`, `invalid`.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Conflict(_) => "conflict",
            Self::TooLarge { .. } => "too-large",
            Self::Unfit(Unfit::WithoutId) => "without-id",
            Self::Unfit(Unfit::Invalid(_)) => "invalid",
        }
    }
}

impl fmt::Display for DeadReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict(conflict) => write!(
                f,
                "another payload was accepted under this key at {}: give each event a key of its own",
                conflict.first_received_at
            ),
            Self::TooLarge { limit_bytes } => write!(
                f,
                "the event is too large: max_event_bytes is {limit_bytes}; raise it, or send a reference to the data"
            ),
            Self::Unfit(unfit) => unfit.fmt(f),
        }
    }
}

impl DeadLetter {
    /// The letter of an event.
    pub(super) fn of_event(event: &Event, reason: DeadReason, deliveries: u32) -> Self {
        let (digest, payload) = (*event.digest(), event.payload().clone());
        Self { reason, key: Some(event.key().clone()), digest, payload, deliveries }
    }

    /// The letter of a message that is no event.
    pub(super) fn of_payload(payload: &Bytes, unfit: Unfit, deliveries: u32) -> Self {
        let digest = Digest::of(payload);
        Self { reason: DeadReason::Unfit(unfit), key: None, digest, payload: payload.clone(), deliveries }
    }

    /// Returns the digest of the payload that was accepted under its key, when that is another one.
    pub const fn stored_digest(&self) -> Option<&Digest> {
        match &self.reason {
            DeadReason::Conflict(conflict) => Some(&conflict.stored),
            DeadReason::TooLarge { .. } | DeadReason::Unfit(_) => None,
        }
    }

    /// Returns the headers that say why the letter is dead: names, and values without line breaks.
    ///
    /// | header | value |
    /// |---|---|
    /// | `eventful-reason` | [`DeadReason::word`] |
    /// | `eventful-reason-text` | the same in a sentence |
    /// | `eventful-digest` | the digest of this payload |
    /// | `eventful-stored-digest` | of a conflict: the digest of the payload that was accepted |
    /// | `eventful-deliveries` | the number of deliveries, as far as the broker says |
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let text = self.reason.to_string().replace(char::is_control, " ");
        let mut headers = Vec::from([
            ("eventful-reason", self.reason.word().to_string()),
            ("eventful-reason-text", text),
            ("eventful-digest", self.digest.to_string()),
            ("eventful-deliveries", self.deliveries.to_string()),
        ]);
        headers.extend(self.stored_digest().map(|stored| ("eventful-stored-digest", stored.to_string())));
        headers
    }
}
