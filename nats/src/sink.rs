//! The sink: publishes events, and waits until a stream has them.

use async_nats::jetstream::context::{Context, PublishErrorKind};
use async_nats::{Client, jetstream};
use eventful::broker::BrokerSink;
use eventful::{Attempt, Event, Failure};

use crate::config::MessageForm;
use crate::connection::Connection;
use crate::writing;

/// Publishes each event to a subject that a stream keeps.
///
/// The header `Nats-Msg-Id` is the event's id, the same in each attempt: a stream removes what is published again within
/// its duplicate window.
#[derive(Debug, Clone)]
pub struct NatsSink {
    context: Context,
    connection: Connection,
    subject: String,
    form: MessageForm,
}

impl NatsSink {
    /// The sink that publishes to this subject.
    pub fn new(client: Client, subject: impl Into<String>) -> Self {
        Self {
            context: jetstream::new(client.clone()),
            connection: Connection(client),
            subject: subject.into(),
            form: MessageForm::default(),
        }
    }

    /// Publishes in this form.
    #[must_use]
    pub const fn form(mut self, form: MessageForm) -> Self {
        self.form = form;
        self
    }
}

impl BrokerSink for NatsSink {
    async fn publish(&self, id: &str, event: &Event, _: &Attempt) -> Result<(), Failure> {
        let (headers, payload) = writing::message(self.form, id, event);
        let sent = self.context.publish_with_headers(self.subject.clone(), headers, payload).await;
        let confirmed = match sent {
            Ok(confirmation) => {
                self.connection.unless_lost(confirmation.into_future()).await.map_err(Failure::retry)?
            }
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
