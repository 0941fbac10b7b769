//! The log, read by tests that each have a subscriber: where tests run beside each other, one without a subscriber may be
//! the first to reach a place that logs, and `tracing` remembers then that none is interested.

#[path = "harness/disk.rs"]
mod disk;
mod harness;

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use disk::TroubledDisk;
use eventful::journal::{JournalStore, MemoryStore};
use eventful::{Attempt, Config, Durability, Event, Eventful, Failure, Status, Timestamp, clock::ManualClock};
use harness::*;
use tracing::field::Field;
use tracing::span::{Attributes, Id, Record};

/// The time of a clock that is right.
const RIGHT: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

#[tokio::test(start_paused = true)]
async fn log_names_the_first_line_of_what_went_wrong() {
    let log = Arc::new(LoggedField::new("error"));
    let _guard = tracing::subscriber::set_default(Arc::clone(&log));
    let eventful = start(narrow(), |_: Event, _: Attempt| async {
        Err::<(), _>(Failure::permanent("the target is down\nits answer: a secret"))
    });
    assert!(eventful.submit(event("a")).await.is_ok());
    until_status(&eventful, "a", Status::Failed).await;
    assert_eq!(log.take(), ["\"the target is down\""]);
}

#[tokio::test]
async fn start_far_ahead_of_the_wall_clock_is_logged() {
    let log = Arc::new(LoggedField::new("ahead"));
    let _guard = tracing::subscriber::set_default(Arc::clone(&log));
    let store = MemoryStore::new();
    drop(open(store.clone(), RIGHT + 61 * SECOND));
    drop(open(store.clone(), RIGHT + SECOND));
    assert_eq!(log.take(), Vec::<String>::new(), "a minute is no matter");

    drop(open(store, RIGHT));
    assert_eq!(log.take(), ["61s"]);
}

#[tokio::test(start_paused = true)]
async fn room_that_runs_short_and_comes_back_is_logged() {
    let log = Arc::new(LoggedField::new("message"));
    let _guard = tracing::subscriber::set_default(Arc::clone(&log));
    let disk = TroubledDisk::new();
    let builder = Eventful::builder().journal(disk.store(), Durability::default());
    let _eventful = builder.start(succeed).expect("it opens");
    for (room, is_gone, message) in [
        (10, false, "the disk of the journal is nearly full"),
        (10, true, "the journal is not reachable"),
        (1 << 40, false, "there is room for new events again"),
    ] {
        log.take();
        disk.with(|trouble| (trouble.room, trouble.is_gone) = (room, is_gone));
        tokio::time::sleep(SECOND * 10).await;
        let logged = log.take();
        assert!(logged.iter().any(|logged| logged.starts_with(message)), "{message}: {logged:?}");
    }
}

/// Opens a journal by a clock that stands still.
fn open(store: impl JournalStore, at: Timestamp) -> Eventful {
    let builder = Eventful::builder().config(Config::durable()).clock(Arc::new(ManualClock::new(at)));
    builder.journal(store, Durability::default()).start(succeed).expect("it opens")
}

/// Keeps one field of each event that has it.
struct LoggedField {
    name: &'static str,
    values: Mutex<Vec<String>>,
}

impl LoggedField {
    fn new(name: &'static str) -> Self {
        Self { name, values: Mutex::default() }
    }

    /// Takes out the values, the oldest first.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.values.lock().expect("no panic under the lock"))
    }
}

impl tracing::Subscriber for LoggedField {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut |field: &Field, value: &dyn Debug| {
            if field.name() == self.name {
                self.values.lock().expect("no panic under the lock").push(format!("{value:?}"));
            }
        });
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
