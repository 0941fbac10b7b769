//! The cost of an append: journals in PostgreSQL against a raw file that gets the same frames, each with one `fdatasync`.
//!
//! Every round measures all of them, one after the other, on a server that the bench starts itself; each figure is the
//! median of the rounds, and each ratio the median of the ratios of a round. The file, the server and its standby are on
//! one disk.

#[expect(dead_code, reason = "benches start servers; the tests, which stop and damage them, need more of it")]
#[path = "../tests/server/start.rs"]
mod start;
#[path = "../../benches/stopwatch/mod.rs"]
mod stopwatch;

use std::fs::File;
use std::io::Write as _;
use std::thread;
use std::time::Duration;

use eventful::journal::{Journal, JournalStore as _, Owner, Shard};
use eventful_postgres::PostgresStore;
use start::PostgresServer;
use stopwatch::{clock, median};

/// Events of a frame, and rounds. An event with a UUID and a small payload takes about so many bytes in a frame.
const FRAMES: [usize; 3] = [1, 64, 1000];
const EVENT_BYTES: usize = 200;
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_millis(700);

/// Shards that are written at the same time.
const SHARDS: [u16; 2] = [1, 4];

fn main() {
    // Cargo asks each test target for a list.
    if std::env::args().any(|argument| argument == "--list") {
        return;
    }
    let server = PostgresServer::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(eventful_postgres::init(&server.database(), 16)).expect("a schema");
    measure(&server, "without a standby");
    let standby = server.synchronous_standby();
    measure(&server, "with a synchronous standby");
    drop(standby);
}

fn measure(server: &PostgresServer, name: &str) {
    println!("{name}: events/s, and × the raw file in the same rounds");
    println!("{:>15} {:>12} {:>22} {:>22}", "events a frame", "raw file", "1 shard", "4 shards");
    for events in FRAMES {
        let frame = vec![7; events * EVENT_BYTES];
        let mut journals: Vec<_> = (0..4).map(|shard| open(server, shard)).collect();
        let mut raw = tempfile::tempfile().expect("a file");
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let file = events as f64 * rate(|| append_raw(&mut raw, &frame));
            let shards = SHARDS.map(|count| events as f64 * together(&mut journals[..count.into()], &frame));
            rounds.push([file, shards[0], shards[1]]);
        }
        let of = |pick: &dyn Fn(&[f64; 3]) -> f64| median(rounds.iter().map(pick).collect());
        let column = |at: usize| format!("{:.0} = {:.2} ×", of(&|round| round[at]), of(&|round| round[at] / round[0]));
        println!("{events:>15} {:>12.0} {:>22} {:>22}", of(&|round| round[0]), column(1), column(2));
        drop(journals);
        // What was appended is not in the way of the next figures.
        server.sql("TRUNCATE eventful.frame; UPDATE eventful.shard SET first_seq = 1");
    }
}

fn open(server: &PostgresServer, shard: u16) -> Box<dyn Journal> {
    let node = "00000000-0000-4000-8000-000000000001".parse().expect("a UUID");
    let mut store = PostgresStore::new(server.database(), Shard::new(shard), node).one_copy();
    store.open(&Owner::new("a bench")).unwrap_or_else(|error| panic!("{error}"))
}

fn append_raw(file: &mut File, frame: &[u8]) {
    file.write_all(frame).expect("room on the disk");
    file.sync_data().expect("a disk");
}

fn append(journal: &mut dyn Journal, frame: &[u8]) {
    let end = journal.extent().end;
    journal.append(end, frame).unwrap_or_else(|error| panic!("{error}"));
}

/// Frames a second of all journals, each on a thread of its own.
fn together(journals: &mut [Box<dyn Journal>], frame: &[u8]) -> f64 {
    thread::scope(|scope| {
        let threads: Vec<_> =
            journals.iter_mut().map(|journal| scope.spawn(|| rate(|| append(&mut **journal, frame)))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    })
}

/// Returns how often a second a step is done.
fn rate(mut step: impl FnMut()) -> f64 {
    let (began, mut count) = (clock(), 0);
    while began.elapsed() < ROUND {
        step();
        count += 1;
    }
    f64::from(count) / began.elapsed().as_secs_f64()
}
