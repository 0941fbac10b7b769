//! The driver of an intake, with an engine and a queue in memory, in virtual time.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use eventful::broker::{
    BrokerSource, ConsumeError, DeadLetter, DeliveryTag, IntakeConfig, IntakeCounts, Received, Room, SourceError,
    Terms, consume,
};
use eventful::{Attempt, Durability, Event, Eventful, Failure, Key, Status, Unavailable};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::bench::MemoryQueue;
use crate::disk::{AppendFate, TroubledDisk};

type Consumed = Result<IntakeCounts, ConsumeError>;

#[tokio::test(start_paused = true)]
async fn message_becomes_an_event_and_is_acknowledged() {
    let (queue, eventful) = (MemoryQueue::new(None), engine().await);
    for number in 0..20 {
        queue.put(Some(&format!("order-{number}")), None, b"apples");
    }
    let counts = consumed_for(&queue, &eventful, Duration::from_secs(1)).await.expect("a drained end");
    assert_eq!((counts.received, counts.accepted, counts.acknowledged, queue.len()), (20, 20, 20, 0));
    let record = eventful.wait(&Key::new("", "order-7").expect("a key")).await.expect("it ends");
    assert_eq!(record.status, Status::Completed);
}

#[tokio::test(start_paused = true)]
async fn second_message_of_a_key_is_a_duplicate_or_a_dead_letter() {
    let (queue, eventful) = (MemoryQueue::new(None), engine().await);
    [&b"apples"[..], b"apples", b"pears"].iter().for_each(|payload| queue.put(Some("order-1"), None, payload));
    queue.put(None, None, b"nameless");
    queue.put(Some("eventful:no-key"), None, b"malformed");
    queue.put(Some("large"), None, &vec![0; 2 << 20]);
    let counts = consumed_for(&queue, &eventful, Duration::from_secs(1)).await.expect("a drained end");
    assert_eq!((counts.accepted, counts.duplicates, counts.dead_letters, queue.len()), (1, 1, 4, 0));
    let letters = queue.letters();
    let mut words: Vec<_> = letters.iter().map(|letter| letter.reason.word()).collect();
    words.sort_unstable();
    assert_eq!(words, ["conflict", "invalid", "too-large", "without-id"]);
    let conflict = letters.iter().find(|letter| letter.reason.word() == "conflict").expect("a conflict");
    let digest = |payload| eventful::Digest::of(payload);
    assert_eq!((conflict.digest, conflict.stored_digest()), (digest(b"pears"), Some(&digest(b"apples"))));
    assert!(conflict.headers().iter().any(|(name, _)| *name == "eventful-stored-digest"));
}

#[tokio::test(start_paused = true)]
async fn overloaded_engine_stops_receiving_and_loses_nothing() {
    let gate = Arc::new(Semaphore::new(0));
    let (queue, eventful) = (MemoryQueue::new(None), gated(&gate, 3).await);
    (0..10).for_each(|number| queue.put(Some(&format!("order-{number}")), None, b"apples"));
    let running = start(&queue, &eventful, Duration::from_secs(400));
    for seconds in [30, 10] {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        let left = queue.len();
        assert!(left >= 7, "what the engine has no room for is not acknowledged: {left} are left");
        assert_eq!(queue.receives(), 1, "nothing more is received while an engine has no room");
    }
    gate.add_permits(100);
    let counts = running.await.expect("no panic").expect("a drained end");
    assert_eq!((counts.accepted + counts.duplicates >= 10, queue.len()), (true, 0), "{counts:?}");
    assert!(counts.extended > 0, "what waits for room is extended: {counts:?}");
}

#[tokio::test(start_paused = true)]
async fn in_flight_messages_are_bounded() {
    let gate = Arc::new(Semaphore::new(0));
    let (queue, eventful) = (MemoryQueue::new(None), gated(&gate, 1).await);
    (0..50).for_each(|number| queue.put(Some(&format!("order-{number}")), None, b"apples"));
    let mut config = IntakeConfig::default();
    config.max_in_flight = NonZeroUsize::new(5).expect("five");
    let stop = tokio::time::sleep(Duration::from_secs(20));
    consume(&eventful, queue.connect(), config, stop).await.expect("a drained end");
    assert!(queue.most_delivered() <= 6, "{} were in flight", queue.most_delivered());
}

#[tokio::test(start_paused = true)]
async fn full_consumer_continues_when_its_deliveries_were_taken_away() {
    let (queue, eventful) = (MemoryQueue::without_ack_wait(), engine().await);
    (0..6).for_each(|number| queue.put(Some(&format!("order-{number}")), None, b"apples"));
    queue.hold_acknowledgements(true);
    let mut config = IntakeConfig::default();
    config.max_in_flight = NonZeroUsize::new(2).expect("two");
    let (source, handle) = (queue.connect(), eventful.clone());
    let stop = tokio::time::sleep(Duration::from_secs(60));
    let running = tokio::spawn(async move { consume(&handle, source, config, stop).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    queue.lose_connections();
    queue.hold_acknowledgements(false);
    let counts = running.await.expect("no panic").expect("a drained end");
    assert_eq!((counts.abandoned, counts.acknowledged, queue.len()), (2, 6, 0), "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn acknowledgement_that_hangs_is_tried_again() {
    let (queue, eventful) = (MemoryQueue::without_ack_wait(), engine().await);
    queue.put(Some("order-1"), None, b"apples");
    queue.hold_acknowledgements(true);
    let running = start(&queue, &eventful, Duration::from_secs(100));
    tokio::time::sleep(IntakeConfig::default().call_timeout * 2).await;
    queue.hold_acknowledgements(false);
    let counts = running.await.expect("no panic").expect("a drained end");
    assert_eq!((counts.acknowledged, queue.len(), counts.failures > 0), (1, 0, true), "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn messages_are_acknowledged_once_they_are_durable() {
    let (queue, disk) = (MemoryQueue::new(None), TroubledDisk::new());
    let eventful = journaled(&disk);
    (0..20).for_each(|number| queue.put(Some(&format!("order-{number}")), None, b"apples"));
    // What fails before it is written is not known to be durable, and is submitted again.
    disk.decide(&[AppendFate::FailsBefore]);
    let counts = consumed_for(&queue, &eventful, Duration::from_secs(60)).await.expect("a drained end");
    assert_eq!((counts.acknowledged, queue.len(), counts.held > 0), (20, 0, true), "{counts:?}");
    assert_eq!(eventful.stats().expect("not broken").engine.facts.accepted, 20);
    assert!(disk.with(|trouble| trouble.appends) > 0 && disk.has_no_more_fates());
}

#[tokio::test(start_paused = true)]
async fn receive_under_way_ends_when_the_engine_is_not_available() {
    let (queue, disk) = (MemoryQueue::new(None), TroubledDisk::new());
    let eventful = journaled(&disk);
    queue.put(Some("order-1"), None, b"apples");
    disk.decide(&[AppendFate::FailsBefore]);
    let running = start(&queue, &eventful, Duration::from_secs(60));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(disk.has_no_more_fates(), "the first message waits for its next try");
    queue.put(Some("order-2"), None, b"pears");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(queue.most_delivered(), 1, "the second one stays with the broker");
    let counts = running.await.expect("no panic").expect("a drained end");
    assert_eq!((counts.acknowledged, queue.len()), (2, 0), "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn journal_that_stays_down_ends_the_consumer() {
    let (queue, disk) = (MemoryQueue::new(None), TroubledDisk::new());
    let eventful = journaled(&disk);
    queue.put(Some("order-1"), None, b"apples");
    disk.decide(&[AppendFate::Fenced]);
    let ended = consumed_for(&queue, &eventful, Duration::from_secs(60)).await;
    assert!(matches!(ended, Err(ConsumeError::Engine(Unavailable::JournalDown))), "{ended:?}");
    assert_eq!(queue.len(), 1, "it is left to another consumer");
}

#[tokio::test(start_paused = true)]
async fn engine_that_shuts_down_acknowledges_nothing_more() {
    let gate = Arc::new(Semaphore::new(0));
    let (queue, eventful) = (MemoryQueue::new(None), gated(&gate, 2).await);
    (0..6).for_each(|number| queue.put(Some(&format!("order-{number}")), None, b"apples"));
    let running = start(&queue, &eventful, Duration::from_secs(10_000));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let handle = eventful.clone();
    let shutdown = tokio::spawn(async move { handle.shutdown(Some(Duration::ZERO)).await });
    let counts = running.await.expect("no panic").expect("a shutdown is no error");
    shutdown.await.expect("it ends");
    assert_eq!((counts.acknowledged, queue.len()), (2, 4), "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn broker_that_is_down_for_a_while_is_tried_again() {
    let (queue, eventful) = (MemoryQueue::new(None), engine().await);
    queue.put(Some("order-1"), None, b"apples");
    queue.set_down(true);
    let running = start(&queue, &eventful, Duration::from_secs(300));
    tokio::time::sleep(Duration::from_secs(60)).await;
    let receives = queue.receives();
    assert!((3..20).contains(&receives), "a broker that is down was asked {receives} times in a minute");
    queue.set_down(false);
    let counts = running.await.expect("no panic").expect("a drained end");
    assert_eq!((counts.accepted, queue.len()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn source_that_fails_permanently_ends_the_consumer() {
    let eventful = engine().await;
    let ended = consume(&eventful, Gone, IntakeConfig::default(), std::future::pending()).await;
    assert!(
        matches!(&ended, Err(ConsumeError::Broker(error)) if error.to_string() == "the queue is gone"),
        "{ended:?}"
    );
}

/// A source whose queue is gone.
struct Gone;

impl BrokerSource for Gone {
    fn terms(&self) -> Terms {
        Terms::Queue { ack_wait: None }
    }

    async fn receive(&self, _: Room) -> Result<Received, SourceError> {
        Err(SourceError::permanent("the queue is gone"))
    }

    async fn acknowledge(&self, _: DeliveryTag) -> Result<(), SourceError> {
        Ok(())
    }

    async fn give_back(&self, _: DeliveryTag, _: Duration) -> Result<(), SourceError> {
        Ok(())
    }

    async fn extend(&self, _: DeliveryTag) -> Result<(), SourceError> {
        Ok(())
    }

    async fn bury(&self, _: DeliveryTag, _: DeadLetter) -> Result<(), SourceError> {
        Ok(())
    }

    fn abandon(&self, _: DeliveryTag) {}
}

/// An engine whose journal is on this disk.
fn journaled(disk: &TroubledDisk) -> Eventful {
    let builder = Eventful::builder().config(eventful::Config::durable());
    let handler = |_: Event, _: Attempt| async { Ok(()) };
    builder.journal(disk.store(), Durability::default()).start(handler).expect("it opens")
}

async fn engine() -> Eventful {
    Eventful::builder().start(|_: Event, _: Attempt| async { Ok(()) }).expect("a valid configuration")
}

/// An engine with room for this many events, whose handlers end when the gate has permits.
async fn gated(gate: &Arc<Semaphore>, max_pending: usize) -> Eventful {
    let gate = Arc::clone(gate);
    let mut config = eventful::Config::default();
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

async fn consumed_for(queue: &MemoryQueue, eventful: &Eventful, time: Duration) -> Consumed {
    start(queue, eventful, time).await.expect("no panic")
}

fn start(queue: &MemoryQueue, eventful: &Eventful, time: Duration) -> JoinHandle<Consumed> {
    let (source, eventful) = (queue.connect(), eventful.clone());
    tokio::spawn(async move { consume(&eventful, source, IntakeConfig::default(), tokio::time::sleep(time)).await })
}
