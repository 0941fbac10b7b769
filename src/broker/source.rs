//! The source of messages: one consumer of a broker.

use core::fmt;
use core::time::Duration;
use std::boxed::Box;
use std::error::Error;
use std::vec::Vec;

use super::letter::DeadLetter;
use super::message::{DeliveryTag, Message, Partition, Room, Terms};

/// One consumer of a broker, as [`consume`](super::consume) uses it.
///
/// | call | contract |
/// |---|---|
/// | [`receive`](Self::receive) | one at a time. Waits until there is something. Dropped before its end, it loses nothing: what it has taken comes with the next call |
/// | [`acknowledge`](Self::acknowledge) | returns once the broker has confirmed it. Called again after a failure, it must not fail because the first call had its effect |
/// | [`give_back`](Self::give_back) | the message is delivered again, not before the delay. Never called on a log |
/// | [`extend`](Self::extend) | the time of the delivery begins again. Called only with an `ack_wait` |
/// | [`bury`](Self::bury) | returns once the letter is where it survives. The message itself stays until it is acknowledged |
/// | [`abandon`](Self::abandon) | nothing is said to the broker |
///
/// Calls about a delivery that the broker has taken away have no effect, and fail with [`SourceError::gone`]: above all,
/// they acknowledge nothing. A consumer that has no room receives nothing, so that it may learn in no other way.
/// The suite in [`conformance`](super::conformance) (feature `unstable`) checks an implementation.
pub trait BrokerSource: Send + Sync + 'static {
    /// Returns the terms on which the broker delivers.
    fn terms(&self) -> Terms;

    /// Waits for messages: as many as there is room for, of which only the first may have more bytes.
    fn receive(&self, room: Room) -> impl Future<Output = Result<Received, SourceError>> + Send;

    /// Acknowledges a delivery.
    fn acknowledge(&self, tag: DeliveryTag) -> impl Future<Output = Result<(), SourceError>> + Send;

    /// Gives a message back, to be delivered again after the delay.
    fn give_back(&self, tag: DeliveryTag, delay: Duration) -> impl Future<Output = Result<(), SourceError>> + Send;

    /// Extends the time of a delivery.
    fn extend(&self, tag: DeliveryTag) -> impl Future<Output = Result<(), SourceError>> + Send;

    /// Puts a message aside that will never be an event.
    fn bury(&self, tag: DeliveryTag, letter: DeadLetter) -> impl Future<Output = Result<(), SourceError>> + Send;

    /// Forgets a delivery.
    fn abandon(&self, tag: DeliveryTag);
}

/// Something that a source has received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// Messages, none or more.
    Messages(Vec<Message>),
    /// The broker took a partition away, with all deliveries from it.
    Revoked(Partition),
}

/// A call of a source that failed. The error behind it is its source.
#[derive(Debug)]
pub struct SourceError {
    kind: SourceErrorKind,
    error: Box<dyn Error + Send + Sync>,
}

/// The consequence of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SourceErrorKind {
    /// A later try may succeed.
    Temporary,
    /// The consumer ends.
    Permanent,
    /// The delivery is not this consumer's any more.
    Gone,
}

impl SourceError {
    /// A failure after which a later try may succeed.
    pub fn temporary(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind: SourceErrorKind::Temporary, error: error.into() }
    }

    /// A failure of a receive that ends the consumer, such as a queue that is gone or a password that is wrong.
    pub fn permanent(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind: SourceErrorKind::Permanent, error: error.into() }
    }

    /// The failure of a call about a delivery that the broker has taken away: it had no effect, and no later try has one.
    pub fn gone(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind: SourceErrorKind::Gone, error: error.into() }
    }

    /// Returns the consequence.
    pub const fn kind(&self) -> SourceErrorKind {
        self.kind
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Error for SourceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}
