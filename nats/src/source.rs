//! The source: one consumer of a stream.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::jetstream::AckKind;
use async_nats::jetstream::consumer::{Consumer, pull};
use async_nats::jetstream::context::Context;
use async_nats::{Client, Subject};
use eventful::broker::{BrokerSource, DeadLetter, DeliveryTag, Message, Partition, Received, Room, SourceError, Terms};

use crate::config::NatsSourceConfig;
use crate::connection::Connection;
use crate::deliveries::{Deliveries, OpenDelivery};
use crate::inlet::{Arrived, Inlet};
use crate::letters;
use crate::opening::{self, SourceOpenError};

/// A durable pull consumer of a JetStream stream.
#[derive(Debug)]
pub struct NatsSource {
    connection: Connection,
    context: Context,
    consumer: Consumer<pull::Config>,
    ack_wait: Duration,
    dead_letters: String,
    inlet: tokio::sync::Mutex<Inlet>,
    deliveries: Mutex<Deliveries>,
}

/// The distance between a stream and a consumer, as the server counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct StreamLag {
    /// Messages that were not delivered yet.
    pub waiting: u64,
    /// Messages that were delivered and not acknowledged, by any source of the consumer.
    pub unacknowledged: u64,
    /// Those of them that were delivered more than once.
    pub redelivered: u64,
}

/// Reads the distance between a stream and a consumer.
#[derive(Debug, Clone)]
pub struct LagReader(Consumer<pull::Config>);

impl LagReader {
    /// Asks the server for the distance.
    ///
    /// # Errors
    ///
    /// When the server does not respond, or the consumer is gone.
    pub async fn read(&self) -> Result<StreamLag, SourceError> {
        let info = self.0.get_info().await.map_err(SourceError::temporary)?;
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let (unacknowledged, redelivered) = (count(info.num_ack_pending), count(info.num_redelivered));
        Ok(StreamLag { waiting: info.num_pending, unacknowledged, redelivered })
    }
}

impl NatsSource {
    /// Opens the consumer, which is made where there is none.
    ///
    /// # Errors
    ///
    /// [`SourceOpenError`]
    pub async fn open(client: Client, config: NatsSourceConfig) -> Result<Self, SourceOpenError> {
        let opened = opening::open(client.clone(), &config).await?;
        let (context, consumer, ack_wait) = (opened.context.clone(), opened.consumer.clone(), opened.ack_wait);
        let inlet = Inlet::new(client.clone(), opened).await;
        let inlet = inlet.map_err(|error| SourceOpenError::Server { what: "an inbox", error })?;
        Ok(Self {
            connection: Connection(client),
            context,
            consumer,
            ack_wait,
            dead_letters: config.dead_letters,
            inlet: tokio::sync::Mutex::new(inlet),
            deliveries: Mutex::default(),
        })
    }

    /// Returns a reader of the distance between stream and consumer, for as long as the source consumes.
    pub fn lag_reader(&self) -> LagReader {
        LagReader(self.consumer.clone())
    }

    fn deliveries(&self) -> MutexGuard<'_, Deliveries> {
        self.deliveries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn delivery(&self, tag: DeliveryTag) -> Result<OpenDelivery, SourceError> {
        let delivery = self.deliveries().delivery(tag).cloned();
        delivery.ok_or_else(|| SourceError::gone("the message was delivered again since, or is done with"))
    }

    fn opened(&self, arrived: Arrived) -> Message {
        let Arrived { delivery, deliveries, content } = arrived;
        let tag = self.deliveries().open(delivery);
        Message { tag, partition: Partition::default(), deliveries, content }
    }

    /// Says something about a delivery, and waits until the server has confirmed it.
    async fn confirmed(&self, reply: Subject, kind: AckKind) -> Result<(), SourceError> {
        self.connection.request(reply, kind.into()).await
    }
}

impl BrokerSource for NatsSource {
    fn terms(&self) -> Terms {
        Terms::Queue { ack_wait: Some(self.ack_wait) }
    }

    async fn receive(&self, room: Room) -> Result<Received, SourceError> {
        let arrived = self.inlet.lock().await.next(room).await?;
        Ok(Received::Messages(arrived.into_iter().map(|arrived| self.opened(arrived)).collect()))
    }

    async fn acknowledge(&self, tag: DeliveryTag) -> Result<(), SourceError> {
        let delivery = self.delivery(tag)?;
        // The server reports a message that was terminated to those who watch the consumer.
        let kind = if delivery.is_buried { AckKind::Term } else { AckKind::Ack };
        self.confirmed(delivery.reply, kind).await?;
        self.deliveries().close(tag);
        Ok(())
    }

    async fn give_back(&self, tag: DeliveryTag, delay: Duration) -> Result<(), SourceError> {
        self.confirmed(self.delivery(tag)?.reply, AckKind::Nak(Some(delay))).await?;
        self.deliveries().close(tag);
        Ok(())
    }

    async fn extend(&self, tag: DeliveryTag) -> Result<(), SourceError> {
        self.confirmed(self.delivery(tag)?.reply, AckKind::Progress).await
    }

    async fn bury(&self, tag: DeliveryTag, letter: DeadLetter) -> Result<(), SourceError> {
        let (delivery, stream) = (self.delivery(tag)?, &self.consumer.cached_info().stream_name);
        letters::publish(&self.context, &self.dead_letters, stream, delivery, letter).await?;
        self.deliveries().bury(tag);
        Ok(())
    }

    fn abandon(&self, tag: DeliveryTag) {
        self.deliveries().close(tag);
    }
}
