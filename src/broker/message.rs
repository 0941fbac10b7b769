//! Messages of a broker, as a source hands them over.

use alloc::string::{String, ToString};
use core::fmt;
use core::time::Duration;

use bytes::Bytes;

use crate::engine::Event;

/// The name of one delivery of a message: another delivery of the same message has another one. A source never uses one
/// twice as long as it lives, whatever becomes of its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryTag(u64);

/// A part of what a broker has, whose deliveries it takes away together: a partition of a log, or a channel of a
/// connection, with which the deliveries on it end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Partition(u32);

/// The terms on which a broker delivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Terms {
    /// A queue: each message is acknowledged or given back by itself. One that is neither is delivered again after the
    /// `ack_wait` unless that is extended; without one, when the connection ends.
    Queue {
        /// The time that a delivery has, from its start or its last extension.
        ack_wait: Option<Duration>,
    },
    /// A log: a position is committed, up to which everything is acknowledged. No message can be given back alone.
    Log,
}

/// The messages for which there is room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Room {
    /// The most messages; never 0.
    pub messages: usize,
    /// The most bytes, as [`Message::size_bytes`] counts them, which one message alone may exceed; never 0.
    pub bytes: usize,
}

/// One delivery of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The name of the delivery.
    pub tag: DeliveryTag,
    /// The part of the broker that it is from.
    pub partition: Partition,
    /// The number of times that the broker has delivered this message, this one included, as far as it says.
    pub deliveries: u32,
    /// The event that the message is.
    pub content: Result<Event, UnfitMessage>,
}

/// A message of which no event can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfitMessage {
    /// The reason.
    pub reason: Unfit,
    /// The payload, for the dead letter.
    pub payload: Bytes,
}

/// The reason why no event can be made of a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The message has no id, and no rule gives it one.
    #[error("the message has no id, by which a second delivery would be recognized: have its sender set one")]
    WithoutId,
    /// The id, the type or an attribute cannot be those of an event.
    #[error("the message is no event: {0}")]
    Invalid(String),
}

impl DeliveryTag {
    /// The delivery with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns the number.
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for DeliveryTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Partition {
    /// The partition with this number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Returns the number.
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl Terms {
    /// Returns the time after which the broker delivers a message again.
    pub const fn ack_wait(self) -> Option<Duration> {
        match self {
            Self::Queue { ack_wait } => ack_wait,
            Self::Log => None,
        }
    }
}

impl Message {
    /// Returns the bytes that it takes of the bound on messages in flight.
    pub fn size_bytes(&self) -> usize {
        match &self.content {
            Ok(event) => event.size_bytes(),
            Err(unfit) => unfit.payload.len(),
        }
    }
}

impl Unfit {
    /// The reason that this error is.
    pub fn invalid(error: impl fmt::Display) -> Self {
        Self::Invalid(error.to_string())
    }
}
