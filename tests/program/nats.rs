//! Events from a stream of NATS and to another, on servers that these tests start.

#[path = "../../nats/tests/server/start.rs"]
mod start;

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use eventful_nats::async_nats::HeaderMap;
use eventful_nats::async_nats::jetstream::{self, Context, stream};
use tokio::task::JoinHandle;

use crate::process::{ServerChild, run, spawn};
use start::NatsServer;

/// Messages of a test: some hundred between two kills.
const MESSAGES: usize = 400;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_agree_after_broker_and_program_were_killed_in_turn() {
    let Some(mut broker) = NatsServer::start().await else { return };
    let context = with_streams(&broker).await;
    let home = tempfile::tempdir().expect("a directory");
    let (data, file) = (home.path().join("data"), home.path().join("eventful.toml"));
    let url = broker.url();
    let text = format!(
        "deliver = \"{url}/done\"\n[sources.orders]\nkind = \"jetstream\"\nurl = \"{url}/ORDERS\"\nack_wait = \"1s\"\n"
    );
    fs::write(&file, text).expect("a file");
    // The broker is away for longer than a few attempts take.
    let args = ["--config", file.to_str().expect("text"), "--data", data.to_str().expect("text")];
    let args = [&args[..], &["--max-attempts", "1000000"]].concat();
    let mut server = ServerChild::start(&args).await;
    let publishing = publishing(context.clone());
    for quarter in 1..=4 {
        until_done(&context, quarter * MESSAGES / 5).await;
        if quarter % 2 == 1 {
            server.kill().await;
            server = ServerChild::start(&args).await;
        } else {
            broker.kill();
            broker.restart().await;
        }
    }
    let published = publishing.await.expect("no panic");
    until_done(&context, MESSAGES).await;
    assert_eq!(done(&context).await, published, "each message is there, under its id");
    server.until_answer("/metrics", 200, "eventful_broker_up{source=\"orders\"} 1").await;
    server.until_answer("/metrics", 200, "eventful_broker_lag{source=\"orders\"} 0").await;
    let stats = server.get("/v1/stats").await;
    assert_eq!(stats["records"]["completed"], MESSAGES, "{stats}");
    assert_eq!(
        (&stats["broker_dead_letters_total"]["orders"], &stats["broker_in_flight"]["orders"]),
        (&0.into(), &0.into())
    );
    server.signal("TERM");
    assert_eq!(server.exit_code().await, 0);
    let mut orders = context.get_stream("ORDERS").await.expect("a stream");
    assert_eq!(orders.info().await.expect("its state").state.messages, MESSAGES as u64);
    let consumer = orders.consumer_info("eventful").await.expect("a consumer");
    assert_eq!((consumer.num_pending, consumer.num_ack_pending), (0, 0), "each message is acknowledged");
    assert_eq!(context.get_stream("DEAD").await.expect("a stream").cached_info().state.messages, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn source_of_a_flag_waits_for_its_stream() {
    let Some(broker) = NatsServer::start().await else { return };
    let from = format!("{}/ORDERS?consumer=one&dead_letters=dead.ORDERS", broker.url());
    let mut child = spawn(&["--from", &from]);
    child.stdin.take();
    let mut server = ServerChild::of(child).await;
    assert!(server.says("source").await.contains("as one; dead letters go to dead.ORDERS"));
    server.until_answer("/metrics", 200, "eventful_broker_up{source=\"from\"} 0").await;
    let context = with_streams(&broker).await;
    publish(&context, "order-1").await;
    server.until_answer("/v1/events/order-1", 200, "completed").await;
    server.until_answer("/metrics", 200, "eventful_broker_acknowledged_total{source=\"from\"} 1").await;
    server.signal("TERM");
    assert_eq!(server.exit_code().await, 0);
}

#[tokio::test]
async fn settings_of_a_broker_that_are_not_possible_are_refused() {
    let home = tempfile::tempdir().expect("a directory");
    let path = home.path().join("eventful.toml");
    let source = |keys: &str| format!("[sources.a]\nkind = \"jetstream\"\nurl = \"nats://h/A\"\n{keys}");
    for (text, said) in [
        ("[sources.a]\nkind = \"carrier\"\nurl = \"nats://h/A\"".to_owned(), "unknown variant `carrier`"),
        ("[sources.a]\nkind = \"jetstream\"".to_owned(), "missing field `url`"),
        (source("preset = \"github\""), "unknown field `preset`"),
        (source("user = \"me\""), "sources.a: user has no password"),
        (source("ack_wait = \"10ms\""), "ack_wait is too short"),
        ("[sources.a]\nkind = \"jetstream\"\nurl = \"nats://h\"".to_owned(), "the name behind the host is missing"),
        ("deliver = \"nats://h/a.*\"".to_owned(), "a subject to publish to has no *"),
        ("[targets.a]\nurl = \"nats://h/a\"\nheaders = { x = \"y\" }".to_owned(), "headers and secrets are for HTTP"),
        ("[targets.a]\nurl = \"http://h/a\"\nuser = \"me\"".to_owned(), "are for a subject of NATS"),
        ("from = \"nats://h/A?consumr=x\"".to_owned(), "\"consumr\" is not known here"),
        (
            "from = \"nats://h/A\"\n[sources.from]\nkind = \"jetstream\"\nurl = \"nats://h/B\"".to_owned(),
            "the source of --from",
        ),
    ] {
        fs::write(&path, &text).expect("a file");
        let (code, _, stderr) = run(&["check", path.to_str().expect("text")]).await;
        assert!(code == 2 && stderr.contains(said), "{text}: {code} {stderr}");
    }
}

async fn with_streams(broker: &NatsServer) -> Context {
    let context = jetstream::new(broker.connect().await);
    for (name, subject) in [("ORDERS", "orders.>"), ("DEAD", "dead.ORDERS"), ("DONE", "done")] {
        let subjects = vec![subject.to_owned()];
        let stream = stream::Config { name: name.to_owned(), subjects, ..stream::Config::default() };
        context.create_stream(stream).await.expect("a stream");
    }
    context
}

/// Publishes the messages, each until it is confirmed. Returns the ids.
fn publishing(context: Context) -> JoinHandle<BTreeSet<String>> {
    tokio::spawn(async move {
        let ids: BTreeSet<_> = (0..MESSAGES).map(|number| format!("order-{number}")).collect();
        for id in &ids {
            publish(&context, id).await;
        }
        ids
    })
}

/// Publishes a message until the server confirms it, which is killed meanwhile. A real server has no virtual time and says not
/// when it is ready, so it is asked again, for many times longer than it takes.
async fn publish(context: &Context, id: &str) {
    for _ in 0..1000 {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", id);
        let publish = async { context.publish_with_headers("orders.new", headers, "apples".into()).await?.await };
        if matches!(tokio::time::timeout(Duration::from_secs(1), publish).await, Ok(Ok(_))) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{id} is not confirmed");
}

/// Waits until as many messages have come out: polled as [`publish`] does.
async fn until_done(context: &Context, count: usize) {
    for _ in 0..3000 {
        let stream = context.get_stream("DONE").await;
        if stream.is_ok_and(|stream| stream.cached_info().state.messages >= count as u64) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{count} messages never come out");
}

/// The ids of what has come out, each once.
async fn done(context: &Context) -> BTreeSet<String> {
    let stream = context.get_stream("DONE").await.expect("a stream");
    let last = stream.cached_info().state.last_sequence;
    let mut ids = BTreeSet::new();
    for sequence in 1..=last {
        let message = stream.get_raw_message(sequence).await.expect("a message");
        let id = message.headers.get("Nats-Msg-Id").expect("an id").to_string();
        assert!(ids.insert(id.clone()), "{id} has come out twice");
    }
    ids
}
