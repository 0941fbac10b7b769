//! Messages in and out beside the bare client, with a server that is started here, on the same cores and disk:
//! `cargo bench -p eventful-nats --bench throughput`.

#[path = "../tests/server/start.rs"]
#[expect(dead_code, reason = "the tests kill servers")]
mod start;

use std::time::Duration;

use eventful::broker::{IntakeConfig, PublishEvents, consume};
use eventful::clock::{Clock as _, SystemClock};
use eventful::journal::DiskStore;
use eventful::{Attempt, Config, Durability, Event, Eventful, Failure};
use eventful_nats::async_nats::Client;
use eventful_nats::async_nats::jetstream::{self, consumer::pull, stream};
use eventful_nats::{NatsSink, NatsSource, NatsSourceConfig};
use futures_util::StreamExt as _;
use start::NatsServer;

/// Messages of a round: a second or so of either side.
const MESSAGES: usize = 30_000;
/// Rounds, of which the medians are shown.
const ROUNDS: usize = 5;
/// Bytes of a payload: those of a short webhook.
const BYTES: usize = 500;
/// Publications at the same time, of both sides.
const AT_ONCE: usize = 256;

#[tokio::main]
async fn main() {
    // A bench that is run as a test has nothing to check.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let Some(server) = NatsServer::start().await else { return };
    let client = server.connect().await;
    let mut rates = [const { Vec::new() }; 5];
    for round in 0..ROUNDS {
        for (at, rates) in rates.iter_mut().enumerate() {
            let stream = format!("R{round}-{at}");
            with_stream(&client, &stream).await;
            let time = match at {
                0 => Box::pin(bare_in(&client, &stream)).await,
                1 => Box::pin(engine_in(&client, &stream, true)).await,
                2 => Box::pin(engine_in(&client, &stream, false)).await,
                3 => Box::pin(bare_out(&client, &stream)).await,
                _ => Box::pin(engine_out(&client, &stream)).await,
            };
            jetstream::new(client.clone()).delete_stream(&stream).await.expect("it is there");
            rates.push(MESSAGES as f64 / time.as_secs_f64());
        }
    }
    let median = |rates: &[f64]| {
        let mut rates = rates.to_vec();
        rates.sort_by(f64::total_cmp);
        rates[ROUNDS / 2]
    };
    let [bare_in, intake, engine_in, bare_out, engine_out] = rates.map(|rates| median(&rates));
    println!("{MESSAGES} messages of {BYTES} bytes, medians of {ROUNDS} rounds");
    println!("in:  {bare_in:.0}/s by the bare client, {intake:.0}/s durable: {:.2} x", intake / bare_in);
    println!("     {engine_in:.0}/s with handlers that end at once: {:.2} x", engine_in / bare_in);
    println!(
        "out: {bare_out:.0}/s by the bare client, {engine_out:.0}/s by the engine: {:.2} x",
        engine_out / bare_out
    );
}

async fn with_stream(client: &Client, name: &str) {
    let context = jetstream::new(client.clone());
    let subjects = vec![format!("{name}.in"), format!("{name}.dead")];
    context
        .create_stream(stream::Config { name: name.to_owned(), subjects, ..Default::default() })
        .await
        .expect("made");
}

/// Publishes all messages of a round.
async fn fill(client: &Client, stream: &str) {
    let context = jetstream::new(client.clone());
    let publish = |number: usize| {
        let (context, subject) = (context.clone(), format!("{stream}.in"));
        async move {
            let payload = vec![b'x'; BYTES - number % 10].into();
            context.publish(subject, payload).await.expect("sent").await.expect("kept");
        }
    };
    futures_util::stream::iter(0..MESSAGES).map(publish).buffer_unordered(AT_ONCE).collect::<()>().await;
}

/// A pull consumer that acknowledges each message at once, without waiting for a confirmation.
async fn bare_in(client: &Client, stream: &str) -> Duration {
    fill(client, stream).await;
    let stream = jetstream::new(client.clone()).get_stream(stream).await.expect("a stream");
    let config = pull::Config { durable_name: Some("bare".to_owned()), max_ack_pending: 8192, ..Default::default() };
    let consumer = stream.create_consumer(config).await.expect("a consumer");
    let clock = SystemClock::new();
    let began = clock.now();
    let mut messages = consumer.stream().max_messages_per_batch(1024).messages().await.expect("messages");
    for _ in 0..MESSAGES {
        messages.next().await.expect("no end").expect("a message").ack().await.expect("sent");
    }
    until_acknowledged(&stream, "bare").await;
    clock.now().since(began)
}

/// The same into an engine on disk, each message acknowledged once it is durable, with a confirmation. Handlers run meanwhile,
/// or do not start: what they cost is theirs.
async fn engine_in(client: &Client, stream: &str, is_paused: bool) -> Duration {
    fill(client, stream).await;
    let folder = tempfile::tempdir().expect("a directory");
    let mut config = Config::durable();
    config.max_pending = MESSAGES * 2;
    let builder = Eventful::builder().config(config);
    let builder = builder.journal(DiskStore::new(folder.path()), Durability::default());
    let eventful = builder.open(|_: Event, _: Attempt| async { Ok::<(), Failure>(()) }).await.expect("it opens");
    if is_paused {
        eventful.pause().await.expect("the engine works");
    }
    let mut config = NatsSourceConfig::new(stream, "engine", format!("{stream}.dead"));
    config.filter_subjects = vec![format!("{stream}.in")];
    let clock = SystemClock::new();
    let began = clock.now();
    let source = NatsSource::open(client.clone(), config).await.expect("it opens");
    let found = jetstream::new(client.clone()).get_stream(stream).await.expect("a stream");
    let end = until_acknowledged(&found, "engine");
    let consumed = Box::pin(consume(&eventful, source, IntakeConfig::default(), end)).await;
    let time = clock.now().since(began);
    assert_eq!(consumed.expect("a drained end").acknowledged, MESSAGES as u64);
    eventful.shutdown(Some(Duration::ZERO)).await;
    time
}

async fn until_acknowledged(stream: &stream::Stream, consumer: &str) {
    loop {
        let info = stream.consumer_info(consumer).await.expect("a consumer");
        if info.num_pending == 0 && info.num_ack_pending == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn bare_out(client: &Client, stream: &str) -> Duration {
    let clock = SystemClock::new();
    let began = clock.now();
    fill(client, stream).await;
    clock.now().since(began)
}

/// The same by handlers of an engine in memory.
async fn engine_out(client: &Client, stream: &str) -> Duration {
    let mut config = Config::default();
    config.concurrency = AT_ONCE.try_into().expect("not zero");
    let sink = NatsSink::new(client.clone(), format!("{stream}.in"));
    let eventful = Eventful::builder().config(config).start(PublishEvents::new(sink)).expect("it starts");
    let clock = SystemClock::new();
    let began = clock.now();
    for number in 0..MESSAGES {
        let payload = vec![b'x'; BYTES - number % 10];
        let event = Event::with_id(&format!("order-{number}"), payload).expect("an event");
        eventful.submit(event).await.expect("it is taken");
    }
    eventful.wait_idle().await.expect("all have ended");
    let time = clock.now().since(began);
    eventful.shutdown(None).await;
    time
}
