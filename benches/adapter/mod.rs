//! Events through the adapter with a journal on disk: from the first submit to the last completion on disk.
//!
//! The frames that it has written are then written again, one by one, to a raw file: the same bytes in the same groups. Handlers do nothing, and as many run at a time as events are
//! submitted at a time: fewer would make the groups smaller, for a run keeps its permit until its start
//! is on disk.

mod recorded;

use std::iter;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use eventful::journal::Intercepted;
use eventful::{Attempt, Durability, Event, Eventful, Failure};
use tokio::runtime::Runtime;
use tokio::sync::Notify;

use crate::ids;
use crate::journal::media::{self, Before, DurableMedium, Raw, RawGroup};
use crate::report;
use crate::stopwatch::{clock, median, time};
use recorded::Recorded;

const PAYLOAD_BYTES: usize = 256;

const CONCURRENCY: NonZeroUsize = NonZeroUsize::new(1024).expect("not zero");

/// A way in which events are submitted.
#[derive(Clone, Copy)]
enum SubmitMode {
    /// One by one, from this many tasks at once.
    Single(u64),
    /// From one task, this many at a time.
    Batch(u64),
}

const WAYS: [(SubmitMode, u64); 5] = [
    (SubmitMode::Single(1), 1000),
    (SubmitMode::Single(64), 50_000),
    (SubmitMode::Single(1024), 100_000),
    (SubmitMode::Batch(100), 50_000),
    (SubmitMode::Batch(1000), 100_000),
];

pub(crate) fn measure() {
    let (part, rounds) = if report::quick() { (10, 3) } else { (1, 5) };
    let rows: Vec<_> = WAYS.map(|(way, events)| row(way, events / part, rounds)).into();
    let heads = ["work", "events a group", "ours/s", "file/s", "× file", "p50 µs", "p99 µs"];
    let title = format!("Events through the adapter, acknowledged and completed on disk, {rounds} rounds, medians");
    report::print_table(&title, heads, &rows);
}

/// The measurements of one round.
struct Round {
    group: f64,
    rates: [f64; 2],
    waits: Vec<f64>,
}

fn row(way: SubmitMode, events: u64, rounds: usize) -> [String; 7] {
    let rounds: Vec<_> = (0..rounds).map(|_| round(way, events)).collect();
    let middle = |of: &dyn Fn(&Round) -> f64| median(rounds.iter().map(of).collect());
    let rate = |medium: usize| format!("{:.0}", middle(&|round| round.rates[medium]));
    let ratio = format!("{:.2}", middle(&|round| round.rates[0] / round.rates[1]));
    let wait = |percent| format!("{:.0}", middle(&|round| quantile(round.waits.clone(), percent)));
    let name = match way {
        SubmitMode::Single(submitters) => format!("submitters: {submitters}"),
        SubmitMode::Batch(size) => format!("batches of {size}"),
    };
    let group = format!("{:.1}", middle(&|round| round.group));
    [name, group, rate(0), rate(1), ratio, wait(50), wait(99)]
}

fn quantile(mut values: Vec<f64>, percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() * percent / 100).copied().unwrap_or_default()
}

fn round(way: SubmitMode, events: u64) -> Round {
    let directory = media::directory();
    let frames = Recorded::default();
    let store = Intercepted::new(Box::new(media::store(directory.path())), frames.clone());
    let (rate, waits) = ours(way, events, store);
    let groups: Vec<_> = frames.take().into_iter().map(|bytes| RawGroup { facts: Vec::new(), bytes }).collect();
    let bytes = groups.iter().map(|group| group.bytes.len() as u64).sum();
    let file_rate = raw(events, &groups, &mut Raw::create(directory.path(), bytes, Before::Zeroed));
    Round { group: events as f64 / groups.len() as f64, rates: [rate, file_rate], waits }
}

/// Returns the events per second.
fn raw(events: u64, groups: &[RawGroup], medium: &mut Raw) -> f64 {
    let took: f64 = groups.iter().map(|group| time(|| medium.write(group)).as_secs_f64()).sum();
    events as f64 / took
}

/// Returns the events per second, and the microseconds that each call took.
fn ours(way: SubmitMode, events: u64, store: Intercepted<Recorded>) -> (f64, Vec<f64>) {
    let runtime = Runtime::new().expect("a runtime");
    let done = Arc::new(HandledCount { left: AtomicU64::new(events), all: Notify::new() });
    let counted = Arc::clone(&done);
    let handler = move |_: Event, _: Attempt| {
        counted.one();
        std::future::ready(Ok::<_, Failure>(()))
    };
    let _context = runtime.enter();
    let mut config = media::config();
    (config.concurrency, config.channel_capacity) = (CONCURRENCY, CONCURRENCY);
    let eventful =
        Eventful::builder().config(config).journal(store, Durability::default()).start(handler).expect("it starts");
    let began = clock();
    let submitting: Vec<_> =
        parts(way, events).map(|numbers| runtime.spawn(submit(eventful.clone(), way, numbers))).collect();
    let waits = runtime.block_on(async {
        let mut waits = Vec::new();
        for part in submitting {
            waits.extend(part.await.expect("it submits"));
        }
        done.all.notified().await;
        until_durable(&eventful).await;
        waits
    });
    let rate = events as f64 / (clock() - began).as_secs_f64();
    runtime.block_on(eventful.shutdown(None));
    (rate, waits)
}

/// Returns the numbers of the events of each task that submits.
fn parts(way: SubmitMode, events: u64) -> impl Iterator<Item = Range<u64>> {
    let part = match way {
        SubmitMode::Single(submitters) => events.div_ceil(submitters),
        SubmitMode::Batch(_) => events,
    };
    (0..events.div_ceil(part)).map(move |number| number * part..events.min((number + 1) * part))
}

fn event(number: u64) -> Event {
    Event::with_id(&ids::uuid(number), Bytes::from_static(&[b'x'; PAYLOAD_BYTES])).expect("an event")
}

/// Submits, and returns the microseconds that each call took.
async fn submit(eventful: Eventful, way: SubmitMode, mut numbers: Range<u64>) -> Vec<f64> {
    let mut waits = Vec::new();
    while let Some(first) = numbers.next() {
        let began = clock();
        match way {
            SubmitMode::Single(_) => drop(eventful.submit(event(first)).await.expect("accepted")),
            SubmitMode::Batch(size) => {
                let batch = iter::once(first).chain(numbers.by_ref().take(size as usize - 1));
                let results = eventful.submit_batch(batch.map(event)).await;
                assert!(results.iter().all(Result::is_ok), "all of a batch is accepted");
            }
        }
        waits.push((clock() - began).as_secs_f64() * 1e6);
    }
    waits
}

/// Waits until the last outcome is on disk.
async fn until_durable(eventful: &Eventful) {
    while eventful.stats().is_ok_and(|stats| stats.engine.gauges.inflight > 0) {
        tokio::task::yield_now().await;
    }
    eventful.pause().await.expect("it is durable");
}

/// Counts handler calls, and notifies when all have been made.
struct HandledCount {
    left: AtomicU64,
    all: Notify,
}

impl HandledCount {
    fn one(&self) {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.all.notify_one();
        }
    }
}
