//! The settings of a source, and the form of what a sink publishes.

use std::time::Duration;

/// The settings of a [`NatsSource`](crate::NatsSource).
///
/// `ack_wait`, `max_ack_pending` and `filter_subjects` are those of a consumer that is made; one that exists keeps its own.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NatsSourceConfig {
    /// The name of the stream, which must exist.
    pub stream: String,
    /// The name of the durable consumer. All sources of this name share its messages.
    pub consumer: String,
    /// The subject to which messages are published that will never be events. A stream must keep it, and this consumer
    /// must not get what is published there.
    pub dead_letters: String,
    /// The time after which the server delivers a message again that was not acknowledged. 30 s by default, as the server
    /// has it: a message that waits for a slow disk is extended once in 15 s.
    pub ack_wait: Duration,
    /// The most messages that are delivered and not acknowledged, over all sources of this consumer. 8,192 by default:
    /// eight sources with the bound that `IntakeConfig` has.
    pub max_ack_pending: u32,
    /// The subjects whose messages are received; all of the stream's when there is none.
    pub filter_subjects: Vec<String>,
}

/// The form in which an event is published.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MessageForm {
    /// Its payload, with `eventful-type`, `Content-Type` and its trace in headers.
    #[default]
    Plain,
    /// A CloudEvent in binary mode: its payload, with its attributes in headers that begin with `ce-`.
    CloudEventsBinary,
    /// A CloudEvent in structured mode: all of it in JSON.
    CloudEventsStructured,
}

impl NatsSourceConfig {
    /// The settings with their defaults, for this stream, consumer and subject of dead letters.
    pub fn new(stream: impl Into<String>, consumer: impl Into<String>, dead_letters: impl Into<String>) -> Self {
        Self {
            stream: stream.into(),
            consumer: consumer.into(),
            dead_letters: dead_letters.into(),
            ack_wait: Duration::from_secs(30),
            max_ack_pending: 8192,
            filter_subjects: Vec::new(),
        }
    }
}
