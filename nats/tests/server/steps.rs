//! The steps that the tests have in common.

use std::time::Duration;

use eventful::broker::{ConsumeError, IntakeConfig, IntakeCounts, consume};
use eventful::{Attempt, Event, Eventful, Failure};
use eventful_nats::async_nats::jetstream::{self, stream};
use eventful_nats::async_nats::{Client, HeaderMap};
use eventful_nats::{NatsSource, NatsSourceConfig};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) const STREAM: &str = "ORDERS";
pub(crate) const SUBJECT: &str = "orders.new";
pub(crate) const LETTERS: &str = "dead.orders";

/// Long enough for a call to come in its time on a slow machine, and no longer, as the suite waits it out often.
pub(crate) const ACK_WAIT: Duration = Duration::from_secs(1);

/// Makes the stream of orders and that of dead letters.
pub(crate) async fn with_streams(client: &Client) {
    with_stream(client, |_| {}).await;
}

/// The same, with other settings of the stream.
pub(crate) async fn with_stream(client: &Client, change: impl FnOnce(&mut stream::Config)) {
    let context = jetstream::new(client.clone());
    let subjects = vec!["orders.>".to_owned()];
    let mut orders = stream::Config { name: STREAM.to_owned(), subjects, ..stream::Config::default() };
    change(&mut orders);
    context.create_stream(orders).await.expect("a stream");
    let subjects = vec![LETTERS.to_owned()];
    let letters = stream::Config { name: "DEAD".to_owned(), subjects, ..stream::Config::default() };
    context.create_stream(letters).await.expect("a stream");
}

/// The settings of a source, with a time after which lost deliveries come again that no test has to wait for long.
pub(crate) fn config() -> NatsSourceConfig {
    let mut config = NatsSourceConfig::new(STREAM, "eventful", LETTERS);
    config.ack_wait = ACK_WAIT;
    config
}

pub(crate) async fn source(client: &Client) -> NatsSource {
    NatsSource::open(client.clone(), config()).await.expect("it opens")
}

/// Publishes a message, and waits until the stream has it.
pub(crate) async fn publish(client: &Client, id: Option<&str>, payload: &[u8]) {
    try_publish(client, id, payload).await.expect("the stream takes it");
}

pub(crate) async fn try_publish(
    client: &Client,
    id: Option<&str>,
    payload: &[u8],
) -> Result<(), jetstream::context::PublishError> {
    let mut headers = HeaderMap::new();
    if let Some(id) = id {
        headers.insert("Nats-Msg-Id", id);
    }
    let context = jetstream::new(client.clone());
    context.publish_with_headers(SUBJECT, headers, payload.to_vec().into()).await?.await.map(drop)
}

/// Returns the headers and payloads of all messages of a stream.
pub(crate) async fn kept(client: &Client, stream: &str) -> Vec<(HeaderMap, Vec<u8>)> {
    let mut stream = jetstream::new(client.clone()).get_stream(stream).await.expect("a stream");
    let last = stream.info().await.expect("its state").state.last_sequence;
    let mut kept = Vec::new();
    for sequence in 1..=last {
        if let Ok(message) = stream.get_raw_message(sequence).await {
            kept.push((message.headers, message.payload.to_vec()));
        }
    }
    kept
}

/// An engine in memory whose handlers succeed at once.
pub(crate) fn engine() -> Eventful {
    Eventful::builder().start(|_: Event, _: Attempt| async { Ok::<(), Failure>(()) }).expect("a valid configuration")
}

/// A consumer that is stopped when this is.
pub(crate) struct Consuming {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<IntakeCounts, ConsumeError>>,
}

impl Consuming {
    /// Starts to consume, and tries again soon after failures.
    pub(crate) fn start(eventful: &Eventful, source: NatsSource) -> Self {
        let (stop, stopped) = oneshot::channel();
        let eventful = eventful.clone();
        let mut config = IntakeConfig::default();
        (config.retry_delay, config.max_retry_delay) = (Duration::from_millis(50), Duration::from_millis(200));
        let task = tokio::spawn(async move { consume(&eventful, source, config, async { drop(stopped.await) }).await });
        Self { stop, task }
    }

    /// Returns the counts once nothing is in flight.
    pub(crate) async fn stop(self) -> IntakeCounts {
        let _ = self.stop.send(());
        self.task.await.expect("no panic").expect("a drained end")
    }

    /// Waits until the consumer ends by itself.
    pub(crate) async fn ended(self) -> Result<IntakeCounts, ConsumeError> {
        self.task.await.expect("no panic")
    }
}

/// Waits until a condition holds. A real server has no virtual time, so it is asked again, for many times longer than it takes.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    for _ in 0..3000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited in vain until {what}");
}

/// Waits until everything in the stream is acknowledged.
pub(crate) async fn until_all_is_acknowledged(client: &Client) {
    let stream = jetstream::new(client.clone()).get_stream(STREAM).await.expect("a stream");
    until("everything is acknowledged", || async {
        let Ok(info) = stream.consumer_info("eventful").await else { return false };
        info.num_pending == 0 && info.num_ack_pending == 0
    })
    .await;
}
