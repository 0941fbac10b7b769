//! Events through an engine, from submit to completion: one shard against several behind one handle, on one server.
//!
//! Every round measures all of them, one after the other, on a server that the bench starts itself; each figure is the
//! median of the rounds, and each ratio the median of the ratios of a round.

#[expect(dead_code, reason = "benches start servers; the tests, which stop and damage them, need more of it")]
#[path = "../tests/server/start.rs"]
mod start;
#[path = "../../benches/stopwatch/mod.rs"]
mod stopwatch;

use eventful::cluster::ClusterConfig;
use eventful::{Attempt, Durability, Event, Eventful, Failure};
use eventful_postgres::PostgresShards;
use start::PostgresServer;
use stopwatch::{clock, median};
use tokio::runtime::Runtime;

const SHARDS: [u16; 3] = [1, 4, 16];

/// Clients, each of which waits for its event to be durable before it submits the next.
const CLIENTS: [u64; 3] = [1, 64, 1024];

/// The events of each client: so many that a round takes about a second.
const EVENTS: [u64; 3] = [500, 100, 20];

const ROUNDS: usize = 5;

fn main() {
    // Cargo asks each test target for a list.
    if std::env::args().any(|argument| argument == "--list") {
        return;
    }
    let server = PostgresServer::start();
    let runtime = Runtime::new().expect("a runtime");
    measure(&server, &runtime, "without a standby");
    let standby = server.synchronous_standby();
    measure(&server, &runtime, "with a synchronous standby");
    drop(standby);
}

fn measure(server: &PostgresServer, runtime: &Runtime, name: &str) {
    println!("{name}: events/s, and × one shard in the same rounds");
    println!("{:>8} {:>12} {:>12} {:>12}", "clients", "1 shard", "4 shards", "16 shards");
    for (clients, events) in CLIENTS.into_iter().zip(EVENTS) {
        let rounds: Vec<_> =
            (0..ROUNDS).map(|_| SHARDS.map(|shards| runtime.block_on(rate(server, shards, clients, events)))).collect();
        let of = |pick: &dyn Fn(&[f64; 3]) -> f64| median(rounds.iter().map(pick).collect());
        let ratio = |at: usize| format!("{:.2} ×", of(&|round| round[at] / round[0]));
        println!("{clients:>8} {:>12.0} {:>12} {:>12}", of(&|round| round[0]), ratio(1), ratio(2));
    }
}

/// Returns the events per second of an engine with a new schema.
async fn rate(server: &PostgresServer, shards: u16, clients: u64, events: u64) -> f64 {
    server.sql("DROP SCHEMA IF EXISTS eventful CASCADE");
    eventful_postgres::init(&server.database(), shards).await.expect("a schema");
    let node = "00000000-0000-4000-8000-000000000001".parse().expect("a UUID");
    let journals = PostgresShards::new(server.database(), node).one_copy();
    let cluster = ClusterConfig::new(shards).journals(journals, Durability::default());
    let handle = async |_: Event, _: Attempt| Ok::<(), Failure>(());
    let eventful = Eventful::cluster(cluster).open(handle).await.expect("it starts");
    let began = clock();
    let tasks: Vec<_> = (0..clients)
        .map(|client| {
            let eventful = eventful.clone();
            tokio::spawn(async move {
                for number in 0..events {
                    let event = Event::with_id(&format!("{client}-{number}"), [b'x'; 256].to_vec()).expect("an event");
                    eventful.submit(event).await.expect("accepted");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
    eventful.wait_idle().await.expect("it runs");
    let rate = (clients * events) as f64 / began.elapsed().as_secs_f64();
    eventful.shutdown(None).await;
    rate
}
