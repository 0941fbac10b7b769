//! Messages that wait: for room in the engine, for room in a stream.

use std::sync::Arc;
use std::time::Duration;

use eventful::broker::PublishEvents;
use eventful::engine::facts::AttemptEnd;
use eventful::{Attempt, Config, Event, Eventful, Failure};
use eventful_nats::NatsSink;
use eventful_nats::async_nats::jetstream::{self, stream::DiscardPolicy};
use tokio::sync::Semaphore;

use crate::start::NatsServer;
use crate::steps::{
    ACK_WAIT, Consuming, STREAM, SUBJECT, kept, publish, source, until, until_all_is_acknowledged, with_stream,
    with_streams,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_wait_past_ack_wait_do_not_come_again() {
    let Some(server) = NatsServer::start().await else { return };
    let client = server.connect().await;
    with_streams(&client).await;
    for number in 0..10 {
        publish(&client, Some(&format!("order-{number}")), b"apples").await;
    }
    let gate = Arc::new(Semaphore::new(0));
    let eventful = gated(&gate, 3);
    let consuming = Consuming::start(&eventful, source(&client).await);
    tokio::time::sleep(ACK_WAIT * 5 / 2).await;
    gate.add_permits(100);
    until_all_is_acknowledged(&client).await;
    let counts = consuming.stop().await;
    assert_eq!((counts.accepted, counts.redelivered), (10, 0), "{counts:?}");
    assert!(counts.extended > 0 && counts.held > 0, "{counts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_wait_for_room_in_a_full_stream() {
    let Some(server) = NatsServer::start().await else { return };
    let client = server.connect().await;
    with_stream(&client, |stream| {
        (stream.max_messages, stream.discard) = (3, DiscardPolicy::New);
    })
    .await;
    let mut config = Config::default();
    config.backoff.base = Duration::from_millis(50);
    let sink = PublishEvents::new(NatsSink::new(client.clone(), SUBJECT));
    let eventful = Eventful::builder().config(config).start(sink).expect("a valid configuration");
    for number in 0..5 {
        let event = Event::with_id(&format!("order-{number}"), "apples").expect("an event");
        eventful.submit(event).await.expect("there is room");
    }
    let stream = jetstream::new(client.clone()).get_stream(STREAM).await.expect("a stream");
    until("the stream is full", || async { kept(&client, STREAM).await.len() == 3 }).await;
    until("the others have failed once", || async {
        let counts = eventful.stats().expect("the engine works").engine.facts;
        counts.finished(AttemptEnd::Done) == 3 && counts.finished(AttemptEnd::Retry) >= 2
    })
    .await;
    stream.purge().await.expect("it is emptied");
    until("the others are there", || async { kept(&client, STREAM).await.len() == 2 }).await;
    eventful.wait_idle().await.expect("all have ended");
}

/// An engine with room for this many events, whose handlers end when the gate has permits.
fn gated(gate: &Arc<Semaphore>, max_pending: usize) -> Eventful {
    let gate = Arc::clone(gate);
    let mut config = Config::default();
    config.max_pending = max_pending;
    let handler = move |_: Event, _: Attempt| {
        let gate = Arc::clone(&gate);
        async move {
            gate.acquire().await.map_err(Failure::retry)?.forget();
            Ok(())
        }
    };
    Eventful::builder().config(config).start(handler).expect("a valid configuration")
}
