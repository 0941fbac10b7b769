//! Clocks that are behind, or were ahead, of what the journal holds.

mod harness;

use std::sync::Arc;
use std::time::Duration;

use eventful::journal::MemoryStore;
use eventful::{Attempt, Config, Durability, Event, Eventful, Failure, Handler, Status, Timestamp, clock::ManualClock};
use harness::*;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The time of a clock that is right.
const RIGHT: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

/// A process of its own: what it knows comes from the journal and from this clock.
fn open(store: &MemoryStore, clock: &Arc<ManualClock>, handler: impl Handler) -> Eventful {
    let mut config = Config::durable();
    (config.backoff.base, config.backoff.jitter_percent) = (SECOND, 0);
    let builder = Eventful::builder().config(config).seed(1).clock(clock.clone());
    builder.journal(store.clone(), Durability::default()).start(handler).expect("it opens")
}

fn clock(at: Timestamp) -> Arc<ManualClock> {
    Arc::new(ManualClock::new(at))
}

async fn refuse(_: Event, _: Attempt) -> Result<(), Failure> {
    Err(Failure::retry("not now"))
}

#[tokio::test]
async fn retry_is_not_held_up_by_a_clock_behind_the_journal() {
    let store = MemoryStore::new();
    let first = open(&store, &clock(RIGHT + 30 * DAY), refuse);
    first.submit(event("a")).await.expect("room");
    until("it has failed once", || stats(&first).engine.gauges.delayed == 1).await;
    first.sync().await.expect("it writes");
    drop(first);

    let behind = clock(RIGHT);
    let second = open(&store, &behind, succeed);
    assert_eq!(second.now(), RIGHT + 30 * DAY, "time continues from what the journal holds");
    assert_eq!(stats(&second).clock_ahead, 30 * DAY);
    settle_down().await;
    assert_eq!(stats(&second).engine.gauges.delayed, 1);

    behind.advance(SECOND);
    until("its second run ends", || stats(&second).engine.gauges.records(Status::Completed) == 1).await;
    second.shutdown(None).await;
}

#[tokio::test]
async fn start_with_a_clock_far_ahead_costs_no_memory_of_events() {
    let store = MemoryStore::new();
    for at in [RIGHT, RIGHT + 30 * DAY, RIGHT + DAY, RIGHT + 2 * DAY] {
        let eventful = open(&store, &clock(at), succeed);
        eventful.submit(event("a")).await.expect("room");
        until("it is completed", || stats(&eventful).engine.gauges.pending() == 0).await;
        let counted = stats(&eventful).engine.facts;
        assert_eq!((counted.accepted, counted.forgotten_total()), (1, 0), "a duplicate, at {at}");
        eventful.shutdown(None).await;
    }
}

#[tokio::test]
async fn clock_that_is_not_behind_is_the_time() {
    let (store, clock) = (MemoryStore::new(), clock(RIGHT));
    drop(open(&store, &clock, succeed));
    clock.advance(DAY);
    let eventful = open(&store, &clock, succeed);
    assert_eq!((eventful.now(), stats(&eventful).clock_ahead), (RIGHT + DAY, Duration::ZERO));
}
