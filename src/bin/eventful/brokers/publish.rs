//! A target that is a subject of NATS.

use std::time::Duration;

use eventful::broker::{BrokerSink as _, message_id};
use eventful::http::sources::SecretRef;
use eventful::{Attempt, Event, Failure};
use eventful_nats::async_nats::Client;
use eventful_nats::async_nats::connection::State;
use eventful_nats::{MessageForm, NatsSink};
use tokio::sync::OnceCell;

use super::address::NatsUrl;
use super::login::Login;
use crate::deliver::{Contact, DeliveryForm, Undelivered};

/// Publishes each event to one subject, and is done when a stream has confirmed it. Connects with the first event.
#[derive(Debug)]
pub(crate) struct Publish {
    url: NatsUrl,
    login: Login,
    form: MessageForm,
    connected: OnceCell<(Client, NatsSink)>,
}

impl Publish {
    /// # Errors
    ///
    /// A secret that cannot be read.
    pub(crate) fn new(
        url: NatsUrl,
        form: DeliveryForm,
        (user, password, token): (Option<&String>, Option<&SecretRef>, Option<&SecretRef>),
    ) -> anyhow::Result<Self> {
        let form = match form {
            DeliveryForm::Webhook => MessageForm::Plain,
            DeliveryForm::CloudeventsBinary => MessageForm::CloudEventsBinary,
            DeliveryForm::CloudeventsStructured => MessageForm::CloudEventsStructured,
        };
        Ok(Self { url, login: Login::read(user, password, token)?, form, connected: OnceCell::new() })
    }

    pub(crate) const fn url(&self) -> &NatsUrl {
        &self.url
    }

    /// Publishes the event. Waits for the confirmation within `time`.
    pub(crate) async fn publish(&self, event: &Event, attempt: &Attempt, time: Duration) -> Result<(), Undelivered> {
        let left = attempt.remaining();
        let timeout = time.min(left - left / 10);
        let published = tokio::time::timeout(timeout, self.try_publish(event, attempt)).await;
        published.unwrap_or_else(|_| Err(Failure::retry(format_args!("no confirmation within {timeout:.1?}")).into()))
    }

    async fn try_publish(&self, event: &Event, attempt: &Attempt) -> Result<(), Undelivered> {
        let unreachable = |error: &dyn std::fmt::Display| Undelivered {
            failure: Failure::retry(error),
            contact: Contact::Unreachable,
        };
        let connect = async {
            let client = self.login.connect(&self.url).await?;
            anyhow::Ok((client.clone(), NatsSink::new(client, self.url.name.clone()).form(self.form)))
        };
        let connected = self.connected.get_or_try_init(|| connect).await;
        let (client, sink) = connected.map_err(|error| unreachable(&format_args!("{error:#}")))?;
        // What is sent without a connection is sent with the next, when the event may be another attempt's.
        if client.connection_state() != State::Connected {
            return Err(unreachable(&format_args!("there is no connection to {}", self.url)));
        }
        Ok(sink.publish(&message_id(event.key()), event, attempt).await?)
    }
}
