//! The rules that every client of a broker must keep, as a suite for any implementation.
//!
//! A [`BrokerBench`] sets up a broker with one queue or partition that is the suite's own, and makes sources and sinks for
//! it. A broken rule panics with its name.

use core::time::Duration;
use std::collections::BTreeSet;
use std::format;
use std::string::{String, ToString as _};
use std::vec::Vec;

use bytes::Bytes;

use super::letter::{DeadLetter, DeadReason};
use super::message::{DeliveryTag, Message, Room, Terms, Unfit};
use super::sink::{BrokerSink, PublishEvents};
use super::source::{BrokerSource, Received, SourceError, SourceErrorKind};
use crate::engine::{Digest, Event, Key, Status};
use crate::runtime::Eventful;

/// A broker for the suite, with a queue that is empty at first.
pub trait BrokerBench: Send {
    /// The source under test.
    type Source: BrokerSource;
    /// The sink under test.
    type Sink: BrokerSink;

    /// Connects another consumer; those before it are gone.
    fn source(&mut self) -> impl Future<Output = Self::Source> + Send;

    /// Connects a sink that publishes into the queue.
    fn sink(&mut self) -> impl Future<Output = Self::Sink> + Send;

    /// Publishes a message, with the id in the way that the source reads it; without one, if the source has no rule that
    /// gives it one.
    fn publish(&mut self, id: Option<&str>, payload: &[u8]) -> impl Future<Output = ()> + Send;

    /// Returns the payloads and the reasons, as [`DeadReason::word`] has them, of all dead letters.
    fn dead_letters(&mut self) -> impl Future<Output = Vec<(Vec<u8>, String)>> + Send;

    /// Lets time pass for the broker.
    fn pass(&mut self, time: Duration) -> impl Future<Output = ()> + Send;

    /// Stops the broker, or starts it again; false if that is not possible.
    fn set_running(&mut self, running: bool) -> impl Future<Output = bool> + Send;

    /// Returns whether each message without an id gets one from its place, so that none is without.
    fn ids_follow_from_places(&self) -> bool {
        false
    }
}

/// The longest time for which a broker is waited for, long for a slow machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The time without a message after which none is expected: many times what a message takes.
const QUIET: Duration = Duration::from_millis(500);

/// Room for all messages of a rule.
const ROOMY: Room = Room { messages: 1000, bytes: 1 << 20 };

/// Runs every rule of sources, each on a broker of its own.
///
/// # Panics
///
/// When a rule is broken.
pub async fn check_source<B: BrokerBench, F: Future<Output = B> + Send>(mut make: impl FnMut() -> F) {
    messages_come_as_they_were_published(make().await).await;
    receive_keeps_to_its_room(make().await).await;
    receive_that_is_dropped_loses_nothing(make().await).await;
    acknowledged_messages_do_not_come_again(make().await).await;
    unacknowledged_messages_come_again(make().await).await;
    dead_letters_are_kept_with_their_reason(make().await).await;
    message_without_an_id_is_not_given_a_random_one(make().await).await;
    given_back_messages_come_again_later(make().await).await;
    extended_messages_do_not_come_again(make().await).await;
}

/// Runs every rule of sinks, each on a broker of its own.
///
/// # Panics
///
/// When a rule is broken.
pub async fn check_sink<B: BrokerBench, F: Future<Output = B> + Send>(mut make: impl FnMut() -> F) {
    published_events_are_there(make().await).await;
    events_that_the_broker_does_not_take_are_retried(make().await).await;
}

async fn messages_come_as_they_were_published<B: BrokerBench>(mut bench: B) {
    let source = bench.source().await;
    for (id, payload) in [("a", &b"one"[..]), ("b", b""), ("shop/c d", b"\0\xff")] {
        bench.publish(Some(id), payload).await;
    }
    let messages = messages(&source, 3).await;
    let event = |message: &Message| message.content.clone().unwrap_or_else(|unfit| panic!("an event: {unfit:?}"));
    let mut received: Vec<_> = messages.iter().map(event).map(|event| (event.key().id().to_string(), event)).collect();
    received.sort_by(|(one, _), (other, _)| one.cmp(other));
    let texts: Vec<_> = received.iter().map(|(id, event)| (&**id, event.payload().as_ref())).collect();
    assert!(texts.iter().any(|(id, _)| id.ends_with('a')), "the id of a message is that of its event: {texts:?}");
    let payloads: BTreeSet<_> = texts.iter().map(|(_, payload)| *payload).collect();
    assert_eq!(payloads, BTreeSet::from([&b"one"[..], b"", b"\0\xff"]), "payloads come as they were published");
    let tags: BTreeSet<_> = messages.iter().map(|message| message.tag).collect();
    assert_eq!(tags.len(), 3, "each delivery has a tag of its own");
    assert!(messages.iter().all(|message| message.deliveries == 1), "a first delivery counts as one");
}

async fn receive_keeps_to_its_room<B: BrokerBench>(mut bench: B) {
    let source = bench.source().await;
    publish(&mut bench, 9, 100).await;
    let few = Room { messages: 2, bytes: 1 << 20 };
    let small = Room { messages: 100, bytes: 250 };
    for room in [few, small, few, small] {
        let Some(messages) = receive(&source, room).await else { panic!("messages come, one at least to each room") };
        let bytes = |messages: &[Message]| messages.iter().map(Message::size_bytes).sum::<usize>();
        assert!(messages.len() <= room.messages, "a receive gives no more messages than there is room for");
        let is_within = bytes(&messages) <= room.bytes || messages.len() == 1;
        assert!(is_within, "a receive gives no more bytes than there is room for, but for one message");
    }
    let one = Room { messages: 100, bytes: 10 };
    let large = receive(&source, one).await.map(|messages| messages.len());
    assert_eq!(large, Some(1), "a message that is larger than the room comes alone");
}

async fn receive_that_is_dropped_loses_nothing<B: BrokerBench>(mut bench: B) {
    let source = bench.source().await;
    publish(&mut bench, 5, 10).await;
    let mut received = Vec::new();
    for round in 0..5 {
        // Polled once, or for a while, and dropped.
        let waited = tokio::time::timeout(Duration::from_millis(round), source.receive(ROOMY)).await;
        received.extend(waited.ok().and_then(Result::ok).into_iter().flat_map(|received| match received {
            Received::Messages(messages) => messages,
            Received::Revoked(_) => Vec::new(),
        }));
    }
    let left = 5 - received.len().min(5);
    received.extend(messages(&source, left).await);
    assert!(received.iter().all(|message| message.deliveries == 1), "a receive that is dropped loses nothing");
}

async fn acknowledged_messages_do_not_come_again<B: BrokerBench>(mut bench: B) {
    let source = bench.source().await;
    publish(&mut bench, 3, 10).await;
    let received = messages(&source, 3).await;
    for message in &received {
        confirmed("an acknowledgement", source.acknowledge(message.tag)).await;
    }
    drop(source);
    let source = bench.source().await;
    pass_redelivery(&mut bench, source.terms()).await;
    assert_eq!(quiet(&source).await, 0, "acknowledged messages do not come again");
}

async fn unacknowledged_messages_come_again<B: BrokerBench>(mut bench: B) {
    let source = bench.source().await;
    publish(&mut bench, 3, 10).await;
    let received = messages(&source, 3).await;
    let first = received.first().expect("three were received").tag;
    confirmed("an acknowledgement", source.acknowledge(first)).await;
    received.iter().skip(1).for_each(|message| source.abandon(message.tag));
    let gone = received.last().map(|message| message.tag);
    drop(source);
    let source = bench.source().await;
    pass_redelivery(&mut bench, source.terms()).await;
    let again = messages(&source, 2).await;
    assert_eq!(again.len(), 2, "what was not acknowledged comes again, and nothing else");
    if matches!(source.terms(), Terms::Queue { .. }) {
        assert!(again.iter().all(|message| message.deliveries != 1), "a second delivery does not count as the first");
    }
    let unknown = gone.filter(|tag| again.iter().all(|message| message.tag != *tag));
    if let Some(tag) = unknown {
        let late = bounded(source.acknowledge(tag)).await;
        let Err(late) = late else { panic!("what was delivered to another consumer is not acknowledged here") };
        assert_eq!(late.kind(), SourceErrorKind::Gone, "a call about a delivery that was taken away says so: {late}");
    }
}

async fn dead_letters_are_kept_with_their_reason<B: BrokerBench>(mut bench: B) {
    let source = bench.source().await;
    bench.publish(Some("bad"), b"spoilt").await;
    let received = messages(&source, 1).await;
    let message = received.first().expect("one was received");
    let letter = letter(b"spoilt");
    confirmed("burying", source.bury(message.tag, letter)).await;
    let letters = bench.dead_letters().await;
    assert_eq!(letters, [(b"spoilt".to_vec(), "invalid".to_string())], "a dead letter is kept with its reason");
    // Not acknowledged: a crash between the two repeats the letter, and loses nothing.
    source.abandon(message.tag);
    drop(source);
    let source = bench.source().await;
    pass_redelivery(&mut bench, source.terms()).await;
    assert_eq!(messages(&source, 1).await.len(), 1, "a buried message stays until it is acknowledged");
}

async fn message_without_an_id_is_not_given_a_random_one<B: BrokerBench>(mut bench: B) {
    let source = bench.source().await;
    bench.publish(None, b"nameless").await;
    let first = messages(&source, 1).await.remove(0);
    source.abandon(first.tag);
    drop(source);
    let source = bench.source().await;
    pass_redelivery(&mut bench, source.terms()).await;
    let second = messages(&source, 1).await.remove(0);
    match (first.content, second.content) {
        (Ok(one), Ok(other)) if bench.ids_follow_from_places() => {
            assert_eq!(one.key(), other.key(), "a message has the same id each time that it comes");
        }
        (Err(one), Err(_)) => {
            assert_eq!((one.reason, one.payload), (Unfit::WithoutId, Bytes::from_static(b"nameless")), "unfit");
        }
        (one, other) => panic!("a message without an id is unfit, or has its place as its id: {one:?}, {other:?}"),
    }
}

async fn given_back_messages_come_again_later<B: BrokerBench>(mut bench: B) {
    let source = bench.source().await;
    if source.terms() == Terms::Log {
        return;
    }
    bench.publish(Some("a"), b"payload").await;
    let tag = messages(&source, 1).await.remove(0).tag;
    confirmed("giving back", source.give_back(tag, Duration::from_secs(2))).await;
    assert_eq!(quiet(&source).await, 0, "a message that was given back does not come before its delay");
    bench.pass(Duration::from_secs(2)).await;
    let again = messages(&source, 1).await.remove(0);
    assert!(again.tag != tag, "a message that comes again has another tag");
    confirmed("an acknowledgement", source.acknowledge(again.tag)).await;
}

async fn extended_messages_do_not_come_again<B: BrokerBench>(mut bench: B) {
    let source = bench.source().await;
    let Some(wait) = source.terms().ack_wait() else { return };
    bench.publish(Some("a"), b"payload").await;
    let tag = messages(&source, 1).await.remove(0).tag;
    for _ in 0..4 {
        bench.pass(wait / 2).await;
        confirmed("an extension", source.extend(tag)).await;
    }
    let none = tokio::time::timeout(Duration::from_millis(10), source.receive(ROOMY)).await;
    assert!(none.is_err(), "a message that is extended does not come again");
    confirmed("an acknowledgement", source.acknowledge(tag)).await;
    pass_redelivery(&mut bench, source.terms()).await;
    assert_eq!(quiet(&source).await, 0, "a message that was extended can be acknowledged");
}

async fn published_events_are_there<B: BrokerBench>(mut bench: B) {
    let eventful = publishing(&mut bench).await;
    let event = Event::new(key("shop eu", "order-1"), "three apples");
    let event = event.with_type("order.created").expect("a type");
    ended(&eventful, event.clone()).await;
    let source = bench.source().await;
    let received = messages(&source, 1).await.remove(0);
    let Ok(back) = received.content else { panic!("a published event is one when it is received: {received:?}") };
    assert_eq!(back.key(), event.key(), "the id of the message is the key of the event, and is read back");
    assert_eq!((back.payload(), back.event_type()), (event.payload(), event.event_type()), "nothing else is changed");
    eventful.shutdown(None).await;
}

async fn events_that_the_broker_does_not_take_are_retried<B: BrokerBench>(mut bench: B) {
    let eventful = publishing(&mut bench).await;
    if !bench.set_running(false).await {
        return;
    }
    let event = Event::new(key("", "order-2"), "four pears");
    eventful.submit(event.clone()).await.expect("there is room");
    bench.pass(Duration::from_secs(1)).await;
    let record = eventful.get(event.key()).await.expect("the engine works").expect("the event is kept");
    let is_open = !record.status.is_terminal();
    assert!(is_open, "an event that the broker did not take is not done: {:?}", record.status);
    bench.set_running(true).await;
    ended(&eventful, event).await;
    let source = bench.source().await;
    let received = messages(&source, 1).await;
    assert!(!received.is_empty(), "an event is published once the broker is back");
    eventful.shutdown(None).await;
}

async fn publishing<B: BrokerBench>(bench: &mut B) -> Eventful {
    let handler = PublishEvents::new(bench.sink().await);
    Eventful::builder().start(handler).expect("a valid configuration")
}

async fn ended(eventful: &Eventful, event: Event) {
    let key = event.key().clone();
    eventful.submit(event).await.expect("there is room");
    let record = bounded(eventful.wait(&key)).await.expect("the event ends");
    assert_eq!(record.status, Status::Completed, "an event that the broker has confirmed is done");
}

fn key(source: &str, id: &str) -> Key {
    Key::new(source, id).expect("a key")
}

fn letter(payload: &'static [u8]) -> DeadLetter {
    let reason = DeadReason::Unfit(Unfit::Invalid("it is spoilt".to_string()));
    DeadLetter { reason, key: None, digest: Digest::of(payload), payload: Bytes::from_static(payload), deliveries: 1 }
}

async fn publish<B: BrokerBench>(bench: &mut B, count: usize, bytes: usize) {
    for number in 0..count {
        bench.publish(Some(&format!("id-{number}")), &std::vec![b'x'; bytes]).await;
    }
}

/// Lets the time pass after which what was not acknowledged comes again.
async fn pass_redelivery<B: BrokerBench>(bench: &mut B, terms: Terms) {
    if let Some(wait) = terms.ack_wait() {
        bench.pass(wait + wait / 4).await;
    }
}

/// Receives this many messages, or as many as come.
async fn messages<S: BrokerSource>(source: &S, count: usize) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    let all = async {
        while messages.len() < count {
            messages.extend(receive(source, ROOMY).await.unwrap_or_default());
        }
    };
    if tokio::time::timeout(PATIENCE, all).await.is_err() {
        panic!("{count} messages come: {} have come", messages.len());
    }
    let tags: BTreeSet<DeliveryTag> = messages.iter().map(|message| message.tag).collect();
    assert_eq!(tags.len(), messages.len(), "no tag is used twice");
    messages
}

/// Returns the number of messages that come although none should.
async fn quiet<S: BrokerSource>(source: &S) -> usize {
    let mut count = 0;
    let all = async {
        loop {
            count += receive(source, ROOMY).await.map_or(0, |messages| messages.len());
        }
    };
    let Err(_) = tokio::time::timeout(QUIET, all).await;
    count
}

/// Receives until something comes, again after failures that may end; none when nothing comes in time.
async fn receive<S: BrokerSource>(source: &S, room: Room) -> Option<Vec<Message>> {
    let received = async {
        loop {
            match source.receive(room).await {
                Ok(Received::Messages(messages)) if !messages.is_empty() => return messages,
                Err(error) if error.kind() == SourceErrorKind::Permanent => panic!("messages can be received: {error}"),
                // Also for a source that returns nothing at once, so that the time of the caller's patience passes.
                Ok(Received::Messages(_) | Received::Revoked(_)) | Err(_) => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    };
    tokio::time::timeout(PATIENCE, received).await.ok()
}

async fn confirmed(what: &str, call: impl Future<Output = Result<(), SourceError>>) {
    if let Err(error) = bounded(call).await {
        panic!("{what} is confirmed: {error}");
    }
}

async fn bounded<T>(call: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, call).await {
        Ok(value) => value,
        Err(_) => panic!("a call ends within {PATIENCE:?}"),
    }
}
