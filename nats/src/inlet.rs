//! Pull requests, and the messages that arrive for them.

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::consumer::pull::BatchConfig;
use async_nats::jetstream::consumer::{Consumer, pull};
use async_nats::jetstream::context::{ConsumerInfoErrorKind, Context};
use async_nats::{Client, StatusCode, Subscriber};
use eventful::Event;
use eventful::broker::{Room, SourceError, UnfitMessage};
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::time::Sleep;

use crate::connection::{CHECK, Connection};
use crate::deliveries::OpenDelivery;
use crate::opening::OpenedConsumer;
use crate::reading::{self, StreamPlace};

/// The time for which the server keeps a pull request: a consumer that has died takes no message for longer.
const EXPIRES: Duration = Duration::from_secs(5);

/// The checks after which a pull request has ended, whatever was said of it: one more than it lasts.
const CHECKS: u32 = 6;

/// The most messages of one pull request: a subscription of the client has room for six times as many.
const MOST: usize = 10_000;

/// The longest time for a question to the server.
const PATIENCE: Duration = Duration::from_secs(5);

/// The way in: one pull request at a time, and what has arrived.
///
/// All that a dropped call leaves behind is here: what has arrived is taken by the next call.
pub(crate) struct Inlet {
    context: Context,
    connection: Connection,
    consumer: Consumer<pull::Config>,
    /// The source of events whose messages have no id.
    source_of_places: String,
    subscriber: Subscriber,
    inbox: String,
    arrived: VecDeque<Arrived>,
    /// The number of pull requests. Each has an inbox of its own, so that what is said of an old one is known.
    pulls: u64,
    /// Messages that were asked for, and have not arrived.
    asked: usize,
    /// Messages that have arrived for the last request.
    got: usize,
    /// True when the next message is larger than the room for it.
    is_next_large: bool,
    check: Pin<Box<Sleep>>,
    checks: u32,
    /// The connections that there had been at the last request.
    connects: u64,
}

/// A message that has arrived.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) delivery: OpenDelivery,
    pub(crate) deliveries: u32,
    pub(crate) content: Result<Event, UnfitMessage>,
}

impl Inlet {
    pub(crate) async fn new(client: Client, opened: OpenedConsumer) -> Result<Self, async_nats::Error> {
        let inbox = client.new_inbox();
        let subscriber = client.subscribe(format!("{inbox}.*")).await?;
        Ok(Self {
            context: opened.context,
            connection: Connection(client),
            consumer: opened.consumer,
            source_of_places: opened.source_of_places,
            subscriber,
            inbox,
            arrived: VecDeque::new(),
            pulls: 0,
            asked: 0,
            got: 0,
            is_next_large: false,
            check: Box::pin(tokio::time::sleep(CHECK)),
            checks: 0,
            connects: 0,
        })
    }

    /// Waits for messages for which there is room.
    pub(crate) async fn next(&mut self, room: Room) -> Result<Vec<Arrived>, SourceError> {
        loop {
            while let Some(Some(message)) = self.subscriber.next().now_or_never() {
                self.note(message).await?;
            }
            let taken = self.take(room);
            if !taken.is_empty() {
                return Ok(taken);
            }
            if self.asked == 0 {
                self.pull(room).await?;
            }
            tokio::select! {
                biased;
                message = self.subscriber.next() => match message {
                    Some(message) => self.note(message).await?,
                    None => return Err(SourceError::temporary("the client of NATS has ended its subscription")),
                },
                () = &mut self.check => self.check(),
            }
        }
    }

    fn take(&mut self, room: Room) -> Vec<Arrived> {
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while let Some(next) = self.arrived.front() {
            bytes += next.size_bytes();
            if taken.len() == room.messages || (bytes > room.bytes && !taken.is_empty()) {
                break;
            }
            taken.extend(self.arrived.pop_front());
        }
        taken
    }

    /// Asks for messages. Nothing is awaited between the request and the record of it.
    async fn pull(&mut self, room: Room) -> Result<(), SourceError> {
        self.connection.is_there().await?;
        let limits = &self.consumer.cached_info().config;
        let most = usize::try_from(limits.max_batch).ok().filter(|most| *most > 0).unwrap_or(MOST);
        let most_bytes = usize::try_from(limits.max_bytes).ok().filter(|most| *most > 0).unwrap_or(usize::MAX);
        let expires = Some(limits.max_expires).filter(|most| !most.is_zero()).unwrap_or(EXPIRES).min(EXPIRES);
        let (batch, max_bytes) = match self.is_next_large {
            true => (1, 0),
            false => (room.messages.min(most).min(MOST), room.bytes.min(most_bytes)),
        };
        let request = BatchConfig { batch, max_bytes, expires: Some(expires), ..BatchConfig::default() };
        let inbox = format!("{}.{}", self.inbox, self.pulls + 1);
        self.consumer.request_batch(request, inbox.into()).await.map_err(SourceError::temporary)?;
        self.pulls += 1;
        (self.asked, self.got, self.is_next_large) = (batch, 0, false);
        self.checks = 0;
        self.connects = self.connection.count();
        self.check.set(tokio::time::sleep(CHECK));
        Ok(())
    }

    /// Gives up a request that has ended without a word, or was lost with its connection.
    fn check(&mut self) {
        self.checks += 1;
        let connects = self.connection.count();
        if self.checks >= CHECKS || connects != self.connects {
            self.asked = 0;
        }
        self.check.set(tokio::time::sleep(CHECK));
    }

    async fn note(&mut self, message: async_nats::Message) -> Result<(), SourceError> {
        let Some(status) = message.status.filter(|status| *status != StatusCode::OK) else {
            self.asked = self.asked.saturating_sub(1);
            self.got += 1;
            self.keep(message);
            return Ok(());
        };
        let is_of_the_last = message.subject.rsplit('.').next() == Some(self.pulls.to_string().as_str());
        let said = message.description.unwrap_or_default();
        if !is_of_the_last || status == StatusCode::IDLE_HEARTBEAT {
            return Ok(());
        }
        self.asked = 0;
        if status == StatusCode::TIMEOUT || status == StatusCode::NOT_FOUND || said == "Batch Completed" {
            return Ok(());
        }
        if said.eq_ignore_ascii_case("Message Size Exceeds MaxBytes") {
            self.is_next_large = self.got == 0;
            return Ok(());
        }
        Err(self.failure(format!("the server has ended a pull request: {status} {said}")).await)
    }

    /// Keeps a message, in the place of a delivery before that has expired here.
    fn keep(&mut self, message: async_nats::Message) {
        let message = jetstream::Message { message, context: self.context.clone() };
        // What has no place is of no stream: the inbox is open to all clients of the account.
        let (Ok(info), Some(reply)) = (message.info(), message.reply.clone()) else { return };
        let sequence = info.stream_sequence;
        let place = StreamPlace { source: &self.source_of_places, stream: info.stream, sequence };
        let deliveries = u32::try_from(info.delivered).unwrap_or(u32::MAX);
        let content = reading::event(place, &message.subject, message.headers.as_ref(), message.payload.clone());
        let async_nats::Message { subject, headers, .. } = message.message;
        if deliveries > 1 {
            self.arrived.retain(|arrived| arrived.delivery.sequence != sequence);
        }
        let delivery = OpenDelivery { reply, sequence, subject, headers, is_buried: false };
        self.arrived.push_back(Arrived { delivery, deliveries, content });
    }

    /// Returns the failure of a request: permanent, if the stream or the consumer is gone.
    async fn failure(&self, said: String) -> SourceError {
        let info = tokio::time::timeout(PATIENCE, self.consumer.get_info()).await;
        match info.map(|info| info.map_err(|error| error.kind())) {
            Ok(Err(ConsumerInfoErrorKind::NotFound | ConsumerInfoErrorKind::StreamNotFound)) => {
                let info = self.consumer.cached_info();
                SourceError::permanent(format!("the consumer {:?} of {:?} is gone", info.name, info.stream_name))
            }
            Ok(_) | Err(_) => SourceError::temporary(said),
        }
    }
}

impl Arrived {
    /// The bytes of the message that it will be.
    fn size_bytes(&self) -> usize {
        match &self.content {
            Ok(event) => event.size_bytes(),
            Err(unfit) => unfit.payload.len(),
        }
    }
}

impl std::fmt::Debug for Inlet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inlet")
            .field("asked", &self.asked)
            .field("arrived", &self.arrived.len())
            .finish_non_exhaustive()
    }
}
