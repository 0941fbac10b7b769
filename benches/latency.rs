//! From submit to completion at 5,000 events a second, and the worst single submit while the store grows.
//!
//! The worst submit says as much about the machine as about the code, so the longest gap between two readings of the clock by
//! a loop that does nothing else stands beside it. `-- --quick` grows the store to 10⁶ records instead of 10⁷.

mod baseline;
mod ids;
mod report;
mod stopwatch;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use eventful::{Attempt, Config, Event, Eventful, Failure};
use tokio::runtime::{Builder, Runtime};

use baseline::{Article, BaselineSubmitted, LIMIT, Naive};
use stopwatch::{clock, median};

const PER_MILLISECOND: u64 = 5;

fn main() {
    let (milliseconds, rounds, records) = if report::quick() { (1000, 3, 1_000_000) } else { (3000, 5, 10_000_000) };
    compare_latencies(milliseconds, rounds);
    compare_worst_submits(records);
}

#[derive(Clone, Copy)]
enum LatencySystem {
    Eventful,
    Article,
    Naive,
}

const SYSTEMS: [(LatencySystem, &str); 3] =
    [(LatencySystem::Eventful, "eventful"), (LatencySystem::Article, "article"), (LatencySystem::Naive, "naive")];

/// One of the systems, running.
enum Running {
    Eventful(Eventful),
    Article(Article),
    Naive(Naive),
}

impl Running {
    /// Starts `system` on the current runtime.
    fn start(system: LatencySystem, config: Config, handle: impl baseline::BaselineHandler) -> Self {
        match system {
            LatencySystem::Article => Self::Article(Article::start(handle)),
            LatencySystem::Naive => Self::Naive(Naive::start(handle)),
            LatencySystem::Eventful => {
                let handler = move |event: Event, _: Attempt| {
                    handle(event.payload().clone());
                    std::future::ready(Ok::<_, Failure>(()))
                };
                Self::Eventful(Eventful::builder().config(config).start(handler).expect("it starts"))
            }
        }
    }

    async fn submit(&self, id: String, payload: Bytes) {
        match self {
            Self::Eventful(eventful) => {
                eventful.submit(event(&id, payload)).await.expect("accepted");
            }
            Self::Article(article) => assert_eq!(article.submit(id, payload).await, BaselineSubmitted::New),
            Self::Naive(naive) => naive.submit(id, payload).await,
        }
    }
}

fn event(id: &str, payload: Bytes) -> Event {
    Event::with_id(id, payload).expect("a valid event")
}

fn config() -> Config {
    let mut config = Config::default();
    config.concurrency = LIMIT.try_into().expect("not zero");
    config.max_records = 100_000_000;
    config.retention = Duration::from_secs(24 * 3600);
    config
}

fn compare_latencies(milliseconds: u64, rounds: usize) {
    let mut measured = SYSTEMS.map(|_| (Vec::new(), Vec::new()));
    for _ in 0..rounds {
        for ((system, _), (p50, p99)) in SYSTEMS.into_iter().zip(&mut measured) {
            let sorted = latencies(system, milliseconds);
            p50.push(micros(sorted[sorted.len() / 2]));
            p99.push(micros(sorted[sorted.len() * 99 / 100]));
        }
    }
    let measured = measured.map(|(p50, p99)| [median(p50), median(p99)]);
    let rows: Vec<_> =
        SYSTEMS.into_iter().zip(measured).map(|((_, name), own)| latency_row(name, own, measured[1])).collect();
    let heads = ["system", "p50 µs", "× article", "p99 µs", "× article"];
    report::print_table(&format!("Submit to completion at 5,000/s, {rounds} rounds, medians"), heads, &rows);
}

fn latency_row(name: &str, [p50, p99]: [f64; 2], article: [f64; 2]) -> [String; 5] {
    let [by_p50, by_p99] = [p50 / article[0], p99 / article[1]].map(|ratio| format!("{ratio:.2}"));
    [name.into(), format!("{p50:.1}"), by_p50, format!("{p99:.1}"), by_p99]
}

fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1000.0
}

/// Returns the latencies in nanoseconds, sorted; five submits at each millisecond, whether or not earlier ones have
/// ended.
fn latencies(system: LatencySystem, milliseconds: u64) -> Vec<u64> {
    let runtime = Runtime::new().expect("a runtime");
    let times = Arc::new(Times::new(milliseconds * PER_MILLISECOND));
    runtime.block_on(async {
        let ended = Arc::clone(&times);
        let running = Running::start(system, config(), move |payload: Bytes| ended.end(&payload));
        let submitter = tokio::spawn(pace(running, Arc::clone(&times), milliseconds));
        // The system must outlive its last event.
        let _running = submitter.await.expect("the submitter ends");
        times.all_ended().await;
    });
    times.sorted()
}

async fn pace(running: Running, times: Arc<Times>, milliseconds: u64) -> Running {
    let mut ticks = tokio::time::interval(Duration::from_millis(1));
    for tick in 0..milliseconds {
        ticks.tick().await;
        for n in tick * PER_MILLISECOND..(tick + 1) * PER_MILLISECOND {
            let (id, payload) = (ids::uuid(n), numbered(n));
            times.begin(n);
            running.submit(id, payload).await;
        }
    }
    running
}

/// Returns a payload of 256 bytes that begins with its number.
fn numbered(n: u64) -> Bytes {
    let mut payload = vec![b'x'; 256];
    payload[..8].copy_from_slice(&n.to_le_bytes());
    payload.into()
}

/// The time at which each event was submitted, then the time that it took, in nanoseconds.
struct Times {
    began: Instant,
    times: Vec<AtomicU64>,
    left: AtomicU64,
}

impl Times {
    fn new(events: u64) -> Self {
        let times = (0..events).map(|_| AtomicU64::new(0)).collect();
        Self { began: clock(), times, left: AtomicU64::new(events) }
    }

    fn now(&self) -> u64 {
        (clock() - self.began).as_nanos() as u64
    }

    fn begin(&self, n: u64) {
        self.times[n as usize].store(self.now(), Ordering::Relaxed);
    }

    fn end(&self, payload: &[u8]) {
        let number = payload.first_chunk().map(|bytes| u64::from_le_bytes(*bytes)).expect("a numbered payload");
        let time = &self.times[number as usize];
        time.store(self.now() - time.load(Ordering::Relaxed), Ordering::Relaxed);
        self.left.fetch_sub(1, Ordering::Release);
    }

    async fn all_ended(&self) {
        while self.left.load(Ordering::Acquire) > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn sorted(&self) -> Vec<u64> {
        let mut times: Vec<_> = self.times.iter().map(|time| time.load(Ordering::Relaxed)).collect();
        times.sort_unstable();
        times
    }
}

fn compare_worst_submits(records: u64) {
    let ended = Arc::new(AtomicU64::new(0));
    let count = |counter: &AtomicU64| _ = counter.fetch_add(1, Ordering::Relaxed);
    let mut rows = vec![worst_row("nothing", worst_of(records, &ended, |_, _| count(&ended)))];
    for (system, name) in SYSTEMS.into_iter().take(2) {
        // With the submitter, as many threads as the smallest machine has cores: one that must wait for a core is no stall.
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let _context = runtime.enter();
        let ended = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&ended);
        let running = Running::start(system, config(), move |_| count(&counter));
        let sorted = worst_of(records, &ended, |id, payload| runtime.block_on(running.submit(id, payload)));
        rows.push(worst_row(name, sorted));
    }
    let heads = ["system", "worst µs", "p99.99 µs", "p50 µs"];
    report::print_table(&format!("A single submit while the store grows to {records} records"), heads, &rows);
}

fn worst_row(name: &str, sorted: Vec<u32>) -> [String; 4] {
    let at = |part: f64| format!("{:.1}", micros(u64::from(sorted[((sorted.len() - 1) as f64 * part) as usize])));
    [name.into(), at(1.0), at(0.9999), at(0.5)]
}

fn worst_of(records: u64, ended: &AtomicU64, mut submit: impl FnMut(String, Bytes)) -> Vec<u32> {
    let payload = Bytes::from_static(&[b'x'; 256]);
    let one = |n| {
        let (id, payload) = (ids::uuid(n), payload.clone());
        wait_for_room(n, ended);
        let took = stopwatch::time(|| submit(id, payload));
        u32::try_from(took.as_nanos()).unwrap_or(u32::MAX)
    };
    let mut times: Vec<_> = (0..records).map(one).collect();
    times.sort_unstable();
    times
}

/// Keeps fewer events pending than any channel holds, because waiting for room is not what is measured.
fn wait_for_room(submitted: u64, ended: &AtomicU64) {
    while submitted - ended.load(Ordering::Relaxed) >= 500 {
        std::thread::yield_now();
    }
}
