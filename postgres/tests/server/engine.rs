//! An engine whose journal is in PostgreSQL.

use std::time::Duration;

use eventful::cluster::ClusterConfig;
use eventful::durability::Durability;
use eventful::journal::OpenError;
use eventful::{Attempt, Event, Eventful, Failure, StartError, Status, SubmitError, Submitted};
use eventful_postgres::{PostgresShards, PostgresStore};
use tokio::time::{sleep, timeout};

use crate::start::PostgresServer;
use crate::steps::{LONG, node, server_with, store};

/// Events of a test.
const EVENTS: u32 = 40;

#[test]
fn engine_completes_what_it_accepted_before_a_kill() {
    let mut server = server_with(1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let eventful = start(store(server.database())).await;
        submit_all(&eventful).await;
        server.kill();
        server.restart();
        let again = submit_all(&eventful).await;
        assert!(again.iter().all(|submitted| matches!(submitted, Submitted::Duplicate(_))), "they are known");
        assert_all_completed(&eventful).await;
        let _ = eventful.shutdown(None).await;
    });
    runtime.block_on(async {
        let eventful = start(store(server.database())).await;
        let again = submit_all(&eventful).await;
        assert!(
            again.iter().all(|submitted| matches!(submitted, Submitted::Duplicate(_))),
            "another engine knows them"
        );
        assert_all_completed(&eventful).await;
    });
}

#[test]
fn shards_of_one_handle_outlive_a_kill_and_know_their_number() {
    let mut server = server_with(4);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let eventful = cluster(&server, 4).await.expect("it starts");
        submit_all(&eventful).await;
        let accepted = eventful.shard_stats().expect("it is sound");
        assert!(accepted.iter().all(|shard| shard.engine.facts.accepted > 0), "each has some");
        server.kill();
        server.restart();
        let again = submit_all(&eventful).await;
        assert!(again.iter().all(|submitted| matches!(submitted, Submitted::Duplicate(_))), "they are known");
        assert_all_completed(&eventful).await;
        let _ = eventful.shutdown(None).await;
    });
    assert_eq!(server.sql("SELECT count(DISTINCT shard) FROM eventful.frame"), "4");
    runtime.block_on(async {
        let refused = cluster(&server, 2).await.expect_err("another number");
        assert!(matches!(refused, StartError::Open(OpenError::OtherShards { found: 4, wanted: 2, .. })), "{refused}");
        let eventful = cluster(&server, 4).await.expect("it starts again");
        let again = submit_all(&eventful).await;
        assert!(again.iter().all(|submitted| matches!(submitted, Submitted::Duplicate(_))), "all shards know theirs");
    });
}

async fn cluster(server: &PostgresServer, shards: u16) -> Result<Eventful, StartError> {
    let handle = async |_: Event, _: Attempt| Ok::<(), Failure>(());
    let journals = PostgresShards::new(server.database(), node(1)).one_copy().lease(LONG);
    Eventful::cluster(ClusterConfig::new(shards).journals(journals, Durability::default())).open(handle).await
}

async fn start(store: PostgresStore) -> Eventful {
    let handle = async |_: Event, _: Attempt| Ok::<(), Failure>(());
    let builder = Eventful::builder().journal(store, Durability::default());
    builder.open(handle).await.unwrap_or_else(|error| panic!("it starts: {error}"))
}

fn event(number: u32) -> Event {
    Event::with_id(&format!("event-{number}"), number.to_string()).expect("an event")
}

/// Submits each event until its outcome is known.
async fn submit_all(eventful: &Eventful) -> Vec<Submitted> {
    let mut all = Vec::new();
    for number in 0..EVENTS {
        all.push(submit(eventful, number).await);
    }
    all
}

/// Submits an event until its outcome is known: while a server restarts it is refused, or not known.
async fn submit(eventful: &Eventful, number: u32) -> Submitted {
    let submitted = timeout(LONG, async {
        loop {
            match eventful.submit(event(number)).await {
                Ok(submitted) => return submitted,
                Err(SubmitError::Overloaded { retry_after, .. }) => sleep(retry_after).await,
                Err(SubmitError::Unavailable(_)) => sleep(Duration::from_millis(10)).await,
                Err(refused) => panic!("event {number}: {refused}"),
            }
        }
    });
    submitted.await.unwrap_or_else(|_| panic!("event {number}: no outcome within {LONG:?}"))
}

async fn assert_all_completed(eventful: &Eventful) {
    for number in 0..EVENTS {
        let ended = timeout(LONG, eventful.wait(event(number).key())).await.expect("it ends in time");
        let ended = ended.unwrap_or_else(|error| panic!("{number}: {error}"));
        assert_eq!(ended.status, Status::Completed);
    }
}
