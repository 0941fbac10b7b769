//! What has expired is forgotten in steps, and not faster than the journal writes.

mod harness;

use std::num::NonZeroUsize;
use std::sync::{Arc, Condvar, Mutex};

use eventful::journal::{
    Extent, Journal, JournalStore, MemoryStore, OpenError, Owner, ReadError, Room, Sequence, WriteError,
};
use eventful::{Config, Durability, Eventful, ManualClock, Notice, Timestamp};
use harness::*;

/// A journal in memory that can be made to stop before an append.
#[derive(Debug, Clone, Default)]
struct Stoppable {
    memory: MemoryStore,
    valve: Arc<Valve>,
}

#[derive(Debug, Default)]
struct Valve {
    is_shut: Mutex<bool>,
    opened: Condvar,
}

impl Valve {
    fn set(&self, is_shut: bool) {
        *self.is_shut.lock().expect("no panic") = is_shut;
        self.opened.notify_all();
    }

    fn pass(&self) {
        let shut = self.is_shut.lock().expect("no panic");
        drop(self.opened.wait_while(shut, |is_shut| *is_shut).expect("no panic"));
    }
}

impl JournalStore for Stoppable {
    fn open(&mut self, owner: &Owner) -> Result<Box<dyn Journal>, OpenError> {
        Ok(Box::new(StoppableJournal { journal: self.memory.open(owner)?, valve: Arc::clone(&self.valve) }))
    }
}

#[derive(Debug)]
struct StoppableJournal {
    journal: Box<dyn Journal>,
    valve: Arc<Valve>,
}

impl Journal for StoppableJournal {
    fn extent(&self) -> Extent {
        self.journal.extent()
    }

    fn room(&self) -> Room {
        self.journal.room()
    }

    fn append(&mut self, expected: Sequence, frame: &[u8]) -> Result<(), WriteError> {
        self.valve.pass();
        self.journal.append(expected, frame)
    }

    fn read(
        &mut self,
        from: Sequence,
        limit_bytes: usize,
        visit: &mut dyn FnMut(Sequence, &[u8]),
    ) -> Result<Sequence, ReadError> {
        self.journal.read(from, limit_bytes, visit)
    }

    fn put_snapshot(&mut self, at: Sequence, part: u32, bytes: &[u8], last: bool) -> Result<(), WriteError> {
        self.journal.put_snapshot(at, part, bytes, last)
    }

    fn snapshots(&mut self) -> Result<Vec<Sequence>, ReadError> {
        self.journal.snapshots()
    }

    fn snapshot(&mut self, at: Sequence, part: u32) -> Result<Option<Vec<u8>>, ReadError> {
        self.journal.snapshot(at, part)
    }

    fn trim(&mut self, below: Sequence) -> Result<(), WriteError> {
        self.journal.trim(below)
    }
}

const BATCH: usize = 10;

const EVENTS: usize = 500;

/// Opens an engine in which expiry may leave some 600 bytes unsynced: two facts of a batch each.
fn open(store: &Stoppable, clock: &Arc<ManualClock>) -> Eventful {
    let mut config = Config::default();
    (config.retention, config.sweep_batch) = (SECOND, NonZeroUsize::new(BATCH).expect("ten"));
    let mut durability = Durability::default();
    durability.max_unsynced_bytes = 16 * 200;
    let builder = Eventful::builder().config(config).seed(1).clock(clock.clone());
    builder.journal(store.clone(), durability).start(succeed).expect("it opens")
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
    let (store, clock) = (Stoppable::default(), Arc::new(ManualClock::new(Timestamp::from_micros(1 << 50))));
    let eventful = open(&store, &clock);
    complete(&eventful).await;

    store.valve.set(true);
    clock.advance(2 * SECOND);
    until("some are forgotten", || forgotten(&eventful) > 0).await;
    settle_down().await;

    let held = stats(&eventful);
    assert!(forgotten(&eventful) <= 3 * BATCH, "{} of {EVENTS}", forgotten(&eventful));
    assert!(held.unsynced <= 3, "{} facts wait for the journal", held.unsynced);
    assert_eq!(eventful.readiness(), eventful::Readiness::Ready, "what waits is not late");

    store.valve.set(false);
    until("all are forgotten", || forgotten(&eventful) == EVENTS).await;
    eventful.shutdown(None).await;
}

#[tokio::test]
async fn reader_is_given_many_forgotten_keys_in_one_fact() {
    let (store, clock) = (Stoppable::default(), Arc::new(ManualClock::new(Timestamp::from_micros(1 << 50))));
    let eventful = open(&store, &clock);
    complete(&eventful).await;
    let mut facts = eventful.subscribe(10 * EVENTS).expect("open");

    clock.advance(2 * SECOND);
    until("all are forgotten", || forgotten(&eventful) == EVENTS).await;
    eventful.shutdown(None).await;

    let (mut keys, mut count) = (0, 0);
    while let Some(notice) = facts.recv().await {
        let Notice::Fact(fact) = notice else { panic!("{notice:?}") };
        let eventful::Change::Forgotten(forgotten) = fact.change else { panic!("{fact:?}") };
        (keys, count) = (keys + forgotten.len(), count + 1);
    }
    assert_eq!((keys, count), (EVENTS, EVENTS / BATCH));
}
