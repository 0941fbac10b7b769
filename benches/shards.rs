//! One engine against several behind one handle: in memory, with handlers that do nothing and with ones that work, and
//! with journals on the disk of the target directory.
//!
//! Each starts afresh for each round, on a runtime of its own with a thread per core. From the first submit to the last
//! completion; events of 256 bytes with unique UUIDs.

mod ids;
mod report;
mod stopwatch;
mod turns;

use std::path::Path;

use bytes::Bytes;
use eventful::cluster::ClusterConfig;
use eventful::journal::DiskShards;
use eventful::{Attempt, Digest, Durability, Event, Eventful, Failure};
use tokio::runtime::Runtime;

/// The numbers of shards that are compared with one engine.
const SHARDS: [u16; 4] = [1, 2, 4, 16];

/// Events that one client submits at once.
const BATCH: usize = 1000;

fn main() {
    let (events, rounds) = if report::quick() { (20_000, 3) } else { (50_000, 5) };
    let rows = [
        row("in memory, 2 clients", Work { clients: 2, ..Work::IN_MEMORY }, events, rounds),
        row("in memory, 64 clients", Work { clients: 64, ..Work::IN_MEMORY }, events, rounds),
        row("in memory, batches", Work { is_batched: true, ..Work::IN_MEMORY }, events, rounds),
        row("in memory, 20 µs of work", Work { work_bytes: 32 << 10, clients: 64, ..Work::IN_MEMORY }, events, rounds),
        row("on disk, 64 clients", Work { is_durable: true, clients: 64, ..Work::IN_MEMORY }, events, rounds),
        row("on disk, 1,024 clients", Work { is_durable: true, clients: 1024, ..Work::IN_MEMORY }, events, rounds),
        row("on disk, batches", Work { is_durable: true, is_batched: true, ..Work::IN_MEMORY }, events, rounds),
    ];
    let heads = ["work", "1 shard/s", "2 ×", "4 ×", "16 ×"];
    report::print_table(&format!("Shards, {events} events, {rounds} rounds, medians"), heads, &rows);
}

/// The way in which events come and are handled.
#[derive(Clone, Copy)]
struct Work {
    clients: usize,
    is_batched: bool,
    is_durable: bool,
    /// The bytes that a handler hashes.
    work_bytes: usize,
}

impl Work {
    const IN_MEMORY: Self = Self { clients: 1, is_batched: false, is_durable: false, work_bytes: 0 };
}

fn row(name: &str, work: Work, events: u64, rounds: usize) -> [String; 5] {
    let [mut one, mut two, mut four, mut many] = SHARDS.map(|shards| move || rate(work, shards, events));
    let [one, rest @ ..] = turns::take_turns(rounds, [&mut one, &mut two, &mut four, &mut many]);
    let [two, four, many] = rest.map(|rate| format!("{:.2}", rate / one));
    [name.into(), format!("{one:.0}"), two, four, many]
}

/// Returns the events per second.
fn rate(work: Work, shards: u16, events: u64) -> f64 {
    let runtime = Runtime::new().expect("a runtime");
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let parts: Vec<Vec<Event>> = {
        let all: Vec<_> = (0..events).map(event).collect();
        all.chunks(all.len().div_ceil(work.clients)).map(<[_]>::to_vec).collect()
    };
    let eventful = runtime.block_on(start(work, shards, directory.path()));
    let took = stopwatch::time(|| {
        let clients: Vec<_> =
            parts.into_iter().map(|part| runtime.spawn(submit(eventful.clone(), work.is_batched, part))).collect();
        runtime.block_on(async {
            for client in clients {
                client.await.expect("no panic");
            }
            eventful.wait_idle().await.expect("it runs");
        });
    });
    runtime.block_on(eventful.shutdown(None));
    events as f64 / took.as_secs_f64()
}

async fn start(work: Work, shards: u16, directory: &Path) -> Eventful {
    let handler = move |_: Event, _: Attempt| {
        if work.work_bytes > 0 {
            std::hint::black_box(Digest::of(&vec![7; work.work_bytes]));
        }
        std::future::ready(Ok::<_, Failure>(()))
    };
    let mut config = ClusterConfig::new(shards);
    if work.is_durable {
        config = config.journals(DiskShards::new(directory), Durability::default());
    }
    // No bound is reached, also by a shard that gets more events than others.
    let builder = Eventful::cluster(config).configure(|config| {
        (config.max_pending, config.max_bytes) = (1_000_000, 4 << 30);
    });
    builder.open(handler).await.expect("it starts")
}

async fn submit(eventful: Eventful, is_batched: bool, events: Vec<Event>) {
    if !is_batched {
        for event in events {
            eventful.submit(event).await.expect("accepted");
        }
        return;
    }
    for batch in events.chunks(BATCH) {
        let results = eventful.submit_batch(batch.to_vec()).await;
        assert!(results.iter().all(Result::is_ok), "all of a batch is accepted");
        tokio::task::yield_now().await;
    }
}

fn event(number: u64) -> Event {
    Event::with_id(&ids::uuid(number), Bytes::from(vec![b'x'; 256])).expect("a valid event")
}
