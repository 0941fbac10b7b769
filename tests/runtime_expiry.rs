//! Expired records are removed in steps, and not faster than the journal writes.

#[path = "harness/disk.rs"]
mod disk;
mod harness;

use std::num::NonZeroUsize;
use std::sync::Arc;

use disk::TroubledDisk;
use eventful::{Config, Durability, Eventful, Notice, Timestamp, clock::ManualClock};
use harness::*;

const BATCH: usize = 10;

const EVENTS: usize = 500;

/// Opens an engine in which expiry may leave some 600 bytes unsynced: two facts of a batch each.
fn open(disk: &TroubledDisk, clock: &Arc<ManualClock>) -> Eventful {
    let mut config = Config::default();
    (config.retention, config.sweep_batch) = (SECOND, NonZeroUsize::new(BATCH).expect("ten"));
    let mut durability = Durability::default();
    durability.max_unsynced_bytes = 16 * 200;
    let builder = Eventful::builder().config(config).seed(1).clock(clock.clone());
    builder.journal(disk.store(), durability).start(succeed).expect("it opens")
}

async fn complete(eventful: &Eventful) {
    let events = (0..EVENTS).map(|id| event(&id.to_string()));
    for (id, answer) in eventful.submit_batch(events).await.into_iter().enumerate() {
        if answer.is_err() {
            eventful.submit(event(&id.to_string())).await.expect("there is room again soon");
        }
    }
    let pending = || stats(eventful).engine.gauges.pending();
    until("all are completed", || pending() == 0).await;
    eventful.sync().await.expect("it writes");
}

fn forgotten(eventful: &Eventful) -> usize {
    stats(eventful).engine.facts.forgotten_total() as usize
}

#[tokio::test]
async fn expiry_waits_while_the_journal_is_behind() {
    let (disk, clock) = (TroubledDisk::with_thread(), Arc::new(ManualClock::new(Timestamp::from_micros(1 << 50))));
    let eventful = open(&disk, &clock);
    complete(&eventful).await;

    disk.block();
    clock.advance(2 * SECOND);
    until("some are forgotten", || forgotten(&eventful) > 0).await;
    settle_down().await;

    let held = stats(&eventful);
    assert!(forgotten(&eventful) <= 3 * BATCH, "{} of {EVENTS}", forgotten(&eventful));
    assert!(held.unsynced <= 3, "{} facts wait for the journal", held.unsynced);
    assert_eq!(eventful.readiness(), eventful::metrics::Readiness::Ready, "what waits is not late");

    disk.unblock();
    until("all are forgotten", || forgotten(&eventful) == EVENTS).await;
    eventful.shutdown(None).await;
}

#[tokio::test]
async fn reader_is_given_many_forgotten_keys_in_one_fact() {
    let (disk, clock) = (TroubledDisk::with_thread(), Arc::new(ManualClock::new(Timestamp::from_micros(1 << 50))));
    let eventful = open(&disk, &clock);
    complete(&eventful).await;
    let mut facts = eventful.subscribe(10 * EVENTS).expect("open");

    clock.advance(2 * SECOND);
    until("all are forgotten", || forgotten(&eventful) == EVENTS).await;
    eventful.shutdown(None).await;

    let (mut keys, mut count) = (0, 0);
    while let Some(notice) = facts.recv().await {
        let Notice::Fact(fact) = notice else { panic!("{notice:?}") };
        let eventful::engine::facts::Change::Forgotten(forgotten) = fact.change else { panic!("{fact:?}") };
        (keys, count) = (keys + forgotten.len(), count + 1);
    }
    assert_eq!((keys, count), (EVENTS, EVENTS / BATCH));
}
