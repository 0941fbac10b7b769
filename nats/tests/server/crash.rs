//! Servers that are killed, and connections that are lost.

use std::collections::BTreeSet;
use std::time::Duration;

use eventful::journal::DiskStore;
use eventful::{Attempt, Config, Durability, Event, Eventful, Failure, Key};
use eventful_nats::async_nats::Client;
use tokio::task::JoinHandle;

use crate::start::NatsServer;
use crate::steps::{Consuming, engine, publish, source, try_publish, until, until_all_is_acknowledged, with_streams};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_missing_after_the_broker_was_killed() {
    let Some(mut server) = NatsServer::start().await else { return };
    let client = server.connect().await;
    with_streams(&client).await;
    let folder = tempfile::tempdir().expect("a directory");
    let builder = Eventful::builder().config(Config::durable());
    let builder = builder.journal(DiskStore::new(folder.path()), Durability::default());
    let eventful = builder.open(|_: Event, _: Attempt| async { Ok::<(), Failure>(()) }).await.expect("it opens");
    let consuming = Consuming::start(&eventful, source(&client).await);
    let publishing = publishing(server.connect().await, 400);
    for round in 1..=2_u64 {
        until("some have come", || async {
            eventful.stats().expect("the engine works").engine.facts.accepted >= round * 130
        })
        .await;
        server.kill();
        server.restart().await;
    }
    let confirmed = publishing.await.expect("no panic");
    until_all_is_acknowledged(&client).await;
    let counts = consuming.stop().await;
    assert_eq!(counts.accepted, 400, "each is accepted once: {counts:?}");
    assert_eq!(counts.dead_letters, 0, "{counts:?}");
    for id in confirmed {
        let record = eventful.get(&Key::new("", &id).expect("a key")).await.expect("the engine works");
        assert!(record.is_some(), "{id} was confirmed to its publisher, and is missing");
    }
    eventful.shutdown(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_connection_loses_no_message() {
    let Some(server) = NatsServer::start().await else { return };
    let client = server.connect().await;
    with_streams(&client).await;
    let eventful = engine();
    let consuming = Consuming::start(&eventful, source(&client).await);
    for number in 0..60 {
        if number % 20 == 10 {
            client.force_reconnect().await.expect("the client works");
        }
        publish_until_confirmed(&client, &format!("order-{number}")).await;
    }
    until_all_is_acknowledged(&client).await;
    let counts = consuming.stop().await;
    assert_eq!((counts.accepted, counts.dead_letters), (60, 0), "{counts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_sources_share_a_consumer() {
    let Some(server) = NatsServer::start().await else { return };
    let client = server.connect().await;
    with_streams(&client).await;
    let mut running = Vec::new();
    for client in [client.clone(), server.connect().await] {
        running.push(Consuming::start(&engine(), source(&client).await));
    }
    for number in 0..100 {
        publish(&client, Some(&format!("order-{number}")), b"apples").await;
    }
    until_all_is_acknowledged(&client).await;
    let mut accepted = 0;
    for consuming in running {
        accepted += consuming.stop().await.accepted;
    }
    assert_eq!(accepted, 100, "each message goes to one of them");
}

/// Publishes this many messages, each until it is confirmed. Returns the ids.
fn publishing(client: Client, count: usize) -> JoinHandle<BTreeSet<String>> {
    tokio::spawn(async move {
        let mut confirmed = BTreeSet::new();
        for number in 0..count {
            let id = format!("order-{number}");
            publish_until_confirmed(&client, &id).await;
            confirmed.insert(id);
        }
        confirmed
    })
}

async fn publish_until_confirmed(client: &Client, id: &str) {
    until("the stream takes it", || async {
        let published = tokio::time::timeout(Duration::from_secs(1), try_publish(client, Some(id), b"apples")).await;
        matches!(published, Ok(Ok(())))
    })
    .await;
}
