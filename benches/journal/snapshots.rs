//! The time for which a submission waits while a snapshot of many records and of large events is made, beside the same
//! run without one.

use std::time::Duration;

use eventful::journal::{DiskStore, JournalStore as _, Owner};
use eventful::{Attempt, Config, Durability, Event, Eventful, Failure};

use super::media;
use crate::ids;
use crate::report;
use crate::stopwatch::{clock, median};

/// Events that have completed, and the number of them in a batch.
const COMPLETED: usize = 1_000_000;
const BATCH: usize = 1000;

/// The number and size of the pending events: enough to make a snapshot of many parts.
const LARGE: usize = 240;
const LARGE_BYTES: usize = 1 << 20;

/// Bytes of each event whose submission is measured.
const SMALL_BYTES: usize = 256;

pub(crate) fn measure() {
    let lasts = Duration::from_secs(if report::quick() { 10 } else { 30 });
    let rows = [("without snapshots", u64::MAX), ("with a snapshot", 200 << 20)].map(|run| row(run, lasts));
    let heads = ["run", "snapshots", "submits", "p50 ms", "p99 ms", "worst ms", "target ms"];
    report::print_table(
        "One submitter, while a snapshot of a million records and 240 pending events of 1 MiB is made",
        heads,
        &rows,
    );
}

fn row((name, snapshot_after): (&str, u64), lasts: Duration) -> [String; 7] {
    let directory = media::directory();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let mut waits = runtime.block_on(async {
        fill(&directory).await;
        submit(&directory, snapshot_after, lasts).await
    });
    let mut journal = store(&directory).read_only().open(&Owner::new("a bench")).expect("a sound journal");
    let snapshots = journal.snapshots().expect("a sound journal").len();
    assert_eq!(snapshots > 0, snapshot_after < u64::MAX, "the run is as it says");
    waits.sort_by(f64::total_cmp);
    let at = |per_mille: usize| waits[(waits.len() - 1) * per_mille / 1000];
    let show = |value: f64| format!("{value:.1}");
    let (p99, worst, submits) = (show(at(990)), show(at(1000)), waits.len().to_string());
    [name.into(), snapshots.to_string(), submits, show(median(waits)), p99, worst, "≤ 50".into()]
}

/// Fills the journal, and leaves all of it as frames.
async fn fill(directory: &tempfile::TempDir) {
    let eventful = start(directory, u64::MAX).await;
    eventful.resume().await.expect("it is open");
    for batch in 0..COMPLETED / BATCH {
        let event = |n| Event::with_id(&ids::uuid(n as u64), vec![7; SMALL_BYTES]).expect("an event");
        let results = eventful.submit_batch((batch * BATCH..(batch + 1) * BATCH).map(event)).await;
        assert!(results.iter().all(Result::is_ok), "all of a batch is accepted");
    }
    eventful.wait_idle().await.expect("it is open");
    eventful.pause().await.expect("it is open");
    for n in 0..LARGE {
        let event = Event::with_id(&format!("large-{n}"), vec![n as u8; LARGE_BYTES]).expect("an event");
        eventful.submit(event).await.expect("room");
    }
    eventful.shutdown(None).await;
}

/// Submits small events one by one, and returns the milliseconds that each took.
async fn submit(directory: &tempfile::TempDir, snapshot_after: u64, lasts: Duration) -> Vec<f64> {
    let eventful = start(directory, snapshot_after).await;
    let (began, mut waits) = (clock(), Vec::new());
    while clock() - began < lasts {
        let event = Event::with_id(&format!("small-{}", waits.len()), vec![7; SMALL_BYTES]).expect("an event");
        let asked = clock();
        eventful.submit(event).await.expect("room");
        waits.push((clock() - asked).as_secs_f64() * 1e3);
    }
    eventful.shutdown(None).await;
    waits
}

/// Returns an engine that is paused, so that all events stay.
async fn start(directory: &tempfile::TempDir, snapshot_after: u64) -> Eventful {
    let mut config = Config::durable();
    (config.max_event_bytes, config.max_bytes) = (2 * LARGE_BYTES, usize::MAX);
    (config.max_pending, config.max_records) = (2 * COMPLETED, 4 * COMPLETED);
    let mut durability = Durability::default();
    durability.snapshot_after_bytes = snapshot_after;
    let handler = |_: Event, _: Attempt| async { Ok::<(), Failure>(()) };
    let builder = Eventful::builder().config(config).journal(store(directory), durability);
    let eventful = builder.open(handler).await.expect("a journal");
    eventful.pause().await.expect("it is open");
    eventful
}

fn store(directory: &tempfile::TempDir) -> DiskStore {
    media::store(directory.path())
}
