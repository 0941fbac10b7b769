//! The sink: publishes events, and waits until a stream has them.

use async_nats::HeaderMap;
use async_nats::jetstream::context::{Context, PublishErrorKind};
use async_nats::{Client, jetstream};
use eventful::broker::{BrokerSink, header_text};
use eventful::{Attempt, Event, Failure};

use crate::reading::{CONTENT_TYPE, MESSAGE_ID, TYPE};

/// Publishes each event to a subject that a stream keeps.
///
/// The header `Nats-Msg-Id` is the event's id, the same in each attempt: a stream removes what is published again within
/// its duplicate window.
#[derive(Debug, Clone)]
pub struct NatsSink {
    context: Context,
    subject: String,
}

impl NatsSink {
    /// The sink that publishes to this subject.
    pub fn new(client: Client, subject: impl Into<String>) -> Self {
        Self { context: jetstream::new(client), subject: subject.into() }
    }
}

impl BrokerSink for NatsSink {
    async fn publish(&self, id: &str, event: &Event, _: &Attempt) -> Result<(), Failure> {
        let payload = event.payload().clone();
        let sent = self.context.publish_with_headers(self.subject.clone(), headers(id, event), payload).await;
        let confirmed = match sent {
            Ok(confirmation) => confirmation.await,
            Err(error) => Err(error),
        };
        confirmed.map(drop).map_err(|error| match error.kind() {
            PublishErrorKind::MaxPayloadExceeded => Failure::permanent(error),
            PublishErrorKind::StreamNotFound
            | PublishErrorKind::WrongLastMessageId
            | PublishErrorKind::WrongLastSequence
            | PublishErrorKind::TimedOut
            | PublishErrorKind::BrokenPipe
            | PublishErrorKind::MaxAckPending
            | PublishErrorKind::Other => Failure::retry(error),
        })
    }
}

fn headers(id: &str, event: &Event) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(MESSAGE_ID, id);
    if let Some(event_type) = event.event_type() {
        headers.insert(TYPE, header_text(event_type));
    }
    if let Some(content_type) = event.content_type() {
        headers.insert(CONTENT_TYPE, header_text(content_type));
    }
    headers
}
