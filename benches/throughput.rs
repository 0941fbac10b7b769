//! Events of 256 bytes with unique UUIDs, from the first submit to the last completion, with a handler that does nothing.
//!
//! Each system starts afresh for each round, on a runtime of its own with a thread per core.

mod baseline;
mod ids;
mod report;
mod stopwatch;
mod turns;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use eventful::{Attempt, Config, Event, Eventful, Failure};
use tokio::runtime::Runtime;
use tokio::sync::Notify;

use baseline::{Article, BaselineSubmitted, LIMIT, Naive};

const BATCH: usize = 1000;

fn main() {
    let (events, rounds) = if report::quick() { (20_000, 3) } else { (100_000, 9) };
    let work = [
        ("one submitter", EventsIn::Single(1)),
        ("two submitters", EventsIn::Single(2)),
        ("submit_batch", EventsIn::Batch),
    ];
    let rows: Vec<_> = work.into_iter().map(|(name, way)| row(name, way, events, rounds)).collect();
    let heads = ["work", "eventful/s", "naive/s", "article/s", "× naive", "× article"];
    report::print_table(&format!("Throughput, {events} events, {rounds} rounds, medians"), heads, &rows);
}

/// A way in which the events are submitted.
#[derive(Clone, Copy)]
enum EventsIn {
    /// One by one, from this many tasks at once.
    Single(usize),
    /// From one task, a thousand at a time; one by one to the baselines, which know no batches.
    Batch,
}

fn row(name: &str, way: EventsIn, events: u64, rounds: usize) -> [String; 6] {
    let input = Input::new(events);
    let [ours, naive, article] = turns::take_turns(
        rounds,
        [&mut || input.rate(way, run_eventful), &mut || input.rate(way, run_naive), &mut || {
            input.rate(way, run_article)
        }],
    );
    let [rates @ .., by_naive, by_article] = [ours, naive, article, ours / naive, ours / article];
    let [ours, naive, article] = rates.map(|rate| format!("{rate:.0}"));
    [name.into(), ours, naive, article, format!("{by_naive:.2}"), format!("{by_article:.2}")]
}

type Items = Vec<(String, Bytes)>;

struct Input(Items);

impl Input {
    fn new(events: u64) -> Self {
        Self((0..events).map(|n| (ids::uuid(n), Bytes::from(vec![b'x'; 256]))).collect())
    }

    /// Returns the events per second.
    fn rate(&self, way: EventsIn, run: fn(&Runtime, EventsIn, Vec<Items>, Arc<CompletionCount>)) -> f64 {
        let parts = match way {
            EventsIn::Single(submitters) => self.0.len().div_ceil(submitters),
            EventsIn::Batch => self.0.len(),
        };
        let parts = self.0.chunks(parts).map(<[_]>::to_vec).collect();
        let done = Arc::new(CompletionCount::of(self.0.len() as u64));
        let runtime = Runtime::new().expect("a runtime");
        let took = stopwatch::time(|| run(&runtime, way, parts, done));
        self.0.len() as f64 / took.as_secs_f64()
    }
}

/// Counts completions, and notifies when all are there.
struct CompletionCount {
    left: AtomicU64,
    all: Notify,
}

impl CompletionCount {
    fn of(events: u64) -> Self {
        Self { left: AtomicU64::new(events), all: Notify::new() }
    }

    fn one(&self) {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.all.notify_one();
        }
    }
}

fn run_eventful(runtime: &Runtime, way: EventsIn, parts: Vec<Items>, done: Arc<CompletionCount>) {
    let counted = Arc::clone(&done);
    let handler = move |_: Event, _: Attempt| {
        counted.one();
        std::future::ready(Ok::<_, Failure>(()))
    };
    let _context = runtime.enter();
    let eventful = Eventful::builder().config(config()).start(handler).expect("it starts");
    for items in parts {
        runtime.spawn(submit(eventful.clone(), way, items));
    }
    runtime.block_on(done.all.notified());
}

fn config() -> Config {
    let mut config = Config::default();
    config.concurrency = LIMIT.try_into().expect("not zero");
    config
}

async fn submit(eventful: Eventful, way: EventsIn, items: Items) {
    match way {
        EventsIn::Single(_) => {
            for item in items {
                eventful.submit(event(item)).await.expect("accepted");
            }
        }
        EventsIn::Batch => {
            let mut items = items.into_iter().map(event).peekable();
            while items.peek().is_some() {
                let results = eventful.submit_batch(items.by_ref().take(BATCH)).await;
                assert!(results.iter().all(Result::is_ok), "all of a batch is accepted");
                tokio::task::yield_now().await;
            }
        }
    }
}

fn event((id, payload): (String, Bytes)) -> Event {
    Event::with_id(&id, payload).expect("a valid event")
}

fn run_naive(runtime: &Runtime, _: EventsIn, parts: Vec<Items>, done: Arc<CompletionCount>) {
    let _context = runtime.enter();
    let counted = Arc::clone(&done);
    let naive = Naive::start(move |_| counted.one());
    for items in parts {
        let naive = naive.clone();
        runtime.spawn(async move {
            for (id, payload) in items {
                naive.submit(id, payload).await;
            }
        });
    }
    runtime.block_on(done.all.notified());
}

fn run_article(runtime: &Runtime, _: EventsIn, parts: Vec<Items>, done: Arc<CompletionCount>) {
    let _context = runtime.enter();
    let counted = Arc::clone(&done);
    let article = Article::start(move |_| counted.one());
    for items in parts {
        let article = article.clone();
        runtime.spawn(async move {
            for (id, payload) in items {
                assert_eq!(article.submit(id, payload).await, BaselineSubmitted::New);
            }
        });
    }
    runtime.block_on(done.all.notified());
}
