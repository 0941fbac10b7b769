//! Messages that are delivered twice, and those that will never be events.

use std::time::Duration;

use eventful::engine::Digest;
use eventful::{Key, Status};

use crate::start::NatsServer;
use crate::steps::{Consuming, engine, kept, publish, source, until, until_all_is_acknowledged, with_stream};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn second_message_of_an_id_is_a_duplicate_or_a_dead_letter() {
    let Some(server) = NatsServer::start().await else { return };
    let client = server.connect().await;
    // The least that a server takes: what comes later is a message of its own to the stream.
    let window = Duration::from_millis(100);
    with_stream(&client, |stream| stream.duplicate_window = window).await;
    for payload in ["apples", "apples", "pears"] {
        publish(&client, Some("order-1"), payload.as_bytes()).await;
        // The server compares with a clock of its own; what comes later than this is another message all the same.
        tokio::time::sleep(window * 3).await;
    }
    publish(&client, Some("eventful:no-key"), b"malformed").await;
    publish(&client, None, b"nameless").await;
    let eventful = engine();
    let consuming = Consuming::start(&eventful, source(&client).await);
    until_all_is_acknowledged(&client).await;
    let counts = consuming.stop().await;
    assert_eq!((counts.accepted, counts.duplicates, counts.dead_letters), (2, 1, 2), "{counts:?}");
    let letters = kept(&client, "DEAD").await;
    let header = |at: usize, name: &str| letters[at].0.get(name).map(ToString::to_string);
    let mut words: Vec<_> = (0..letters.len()).filter_map(|at| header(at, "eventful-reason")).collect();
    words.sort();
    assert_eq!(words, ["conflict", "invalid"]);
    let conflict = (0..2).find(|at| header(*at, "eventful-reason").as_deref() == Some("conflict")).expect("a conflict");
    assert_eq!(header(conflict, "eventful-digest"), Some(Digest::of(b"pears").to_string()));
    assert_eq!(header(conflict, "eventful-stored-digest"), Some(Digest::of(b"apples").to_string()));
    assert_eq!(header(conflict, "eventful-message-id").as_deref(), Some("order-1"));
    let record = eventful.wait(&Key::new("", "order-1").expect("a key")).await.expect("it ends");
    assert_eq!(record.status, Status::Completed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letter_that_is_not_kept_leaves_its_message() {
    let Some(server) = NatsServer::start().await else { return };
    let client = server.connect().await;
    with_stream(&client, |_| {}).await;
    let source = source(&client).await;
    let context = eventful_nats::async_nats::jetstream::new(client.clone());
    context.delete_stream("DEAD").await.expect("it is there");
    publish(&client, Some("eventful:no-key"), b"malformed").await;
    let eventful = engine();
    let consuming = Consuming::start(&eventful, source);
    until("it was delivered", || async {
        let stream = context.get_stream("ORDERS").await.expect("a stream");
        stream.consumer_info("eventful").await.is_ok_and(|info| info.num_ack_pending == 1)
    })
    .await;
    let counts = consuming.stop().await;
    assert_eq!((counts.dead_letters, counts.acknowledged), (0, 0), "{counts:?}");
    let stream = context.get_stream("ORDERS").await.expect("a stream");
    let info = stream.consumer_info("eventful").await.expect("a consumer");
    assert_eq!(info.num_pending + u64::try_from(info.num_ack_pending).expect("a few"), 1, "it is delivered again");
}
