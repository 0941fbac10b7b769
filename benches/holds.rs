//! The times for which the lock is held while the engine has 10⁷ records: every call may have to wait as long.
//!
//! Each row is the holds of one kind of work, by length. A hold is measured on the clock, so one that the
//! operating system interrupts counts as long: run it on a machine that does nothing else.
//! `cargo bench --all-features --bench holds`; `-- --quick` has 10⁶ records.

mod report;

use std::sync::Arc;
use std::time::Duration;

use eventful::journal::MemoryStore;
use eventful::{Attempt, Config, Cursor, Durability, Event, Eventful, Failure, Status, Timestamp, clock::ManualClock};
use tokio::runtime::Runtime;

/// The number of events that a reader has to read, in few groups.
const GROUP: u64 = 200_000;

/// The number of failed events: one full page of the largest size.
const FAILED: u64 = 4096;

const RETENTION: Duration = Duration::from_secs(3600);

fn main() {
    let records: u64 = if report::quick() { 1_000_000 } else { 10_000_000 };
    let runtime = Runtime::new().expect("a runtime");
    let mut rows = runtime.block_on(in_memory(records));
    rows.extend(runtime.block_on(journaled()));
    let heads = ["work", "holds", "under 64 µs", "under 1 ms", "under 2 ms", "longer", "longest under"];
    report::print_table(&format!("Holds of the lock with {records} records"), heads, &rows);
}

fn config() -> Config {
    let mut config = Config::default();
    (config.max_records, config.max_pending) = (100_000_000, 1_000_000);
    (config.max_bytes, config.retention, config.max_attempts) = (4 << 30, RETENTION, 1);
    config
}

/// Fails the events that say so, at once.
async fn handle(event: Event, _: Attempt) -> Result<(), Failure> {
    if event.payload().is_empty() { Ok(()) } else { Err(Failure::permanent("as it was asked to")) }
}

fn events(ids: std::ops::Range<u64>, payload: &'static str) -> impl Iterator<Item = Event> {
    ids.map(move |id| Event::with_id(&format!("event-{id:029}"), payload).expect("an event"))
}

async fn in_memory(records: u64) -> Vec<[String; 7]> {
    let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1_700_000_000_000_000)));
    let eventful = Eventful::builder().config(config()).clock(clock.clone()).start(handle).expect("it starts");
    let mut rows = Vec::new();

    for part in 0..records / 100_000 {
        complete(&eventful, events(part * 100_000..(part + 1) * 100_000, "")).await;
    }
    rows.push(row("submit and complete all", &eventful));

    complete(&eventful, events(records..records + FAILED, "x")).await;
    eventful.lock_holds();
    pages(&eventful, Some(Status::Failed), FAILED as usize).await;
    rows.push(row("a page of 4,096 failed", &eventful));

    pages(&eventful, Some(Status::Discarded), 1000).await;
    rows.push(row("pages that find none", &eventful));

    clock.advance(2 * RETENTION);
    while eventful.stats().expect("not broken").engine.gauges.records(Status::Completed) > 0 {
        tokio::task::yield_now().await;
    }
    rows.push(row("forget all completed", &eventful));
    rows
}

/// Groups with four readers.
async fn journaled() -> Vec<[String; 7]> {
    let builder = Eventful::builder().config(config());
    let eventful = builder.journal(MemoryStore::new(), Durability::default()).start(handle).expect("it starts");
    let readers: Vec<_> = (0..4).map(|_| eventful.subscribe(GROUP as usize).expect("not broken")).collect();
    complete(&eventful, events(0..GROUP, "")).await;
    eventful.sync().await.expect("a journal in memory");
    drop(readers);
    vec![row("groups with four readers", &eventful)]
}

/// Submits these events, and waits until none is pending.
async fn complete(eventful: &Eventful, events: impl Iterator<Item = Event>) {
    for answer in eventful.submit_batch(events).await {
        answer.expect("there is room");
    }
    while eventful.stats().expect("not broken").engine.gauges.pending() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Reads all pages of this status.
async fn pages(eventful: &Eventful, status: Option<Status>, limit: usize) {
    let mut next = Some(Cursor::START);
    while let Some(after) = next {
        next = eventful.list(status, after, limit).await.expect("not broken").next;
    }
}

/// Returns the holds since the last row.
fn row(work: &str, eventful: &Eventful) -> [String; 7] {
    let holds = eventful.lock_holds();
    let below = |micros: u64| holds.iter().take(micros.ilog2() as usize + 1).sum::<u64>();
    let (total, in_time) = (holds.iter().sum::<u64>(), below(2048));
    let longest = holds.iter().rposition(|count| *count > 0).map_or(0, |bucket| 1_u64 << bucket);
    let counts = [total, below(64), below(1024), in_time, total - in_time].map(|count| count.to_string());
    let [total, short, medium, in_time, longer] = counts;
    [work.into(), total, short, medium, in_time, longer, format!("{longest} µs")]
}
