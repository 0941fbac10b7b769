//! Two engines behind one handle: what waits for both is woken by either.

use core::sync::atomic::{AtomicUsize, Ordering};
use eventful::{Event, Notice, Submitted};
use eventful_threads::clock::StillClock;
use eventful_threads::model::{check, client};
use eventful_threads::{Attempt, Builder, ClusterConfig, Eventful, Failure};
use std::sync::{Arc, OnceLock};

use super::setup::{event, join, join_all};

/// Ids of which each shard of two has one.
const IDS: [&str; 2] = ["a", "d"];

#[test]
fn reader_is_woken_by_a_fact_of_either_shard() {
    check(|_| async {
        let eventful = two().start(succeed).expect("it starts");
        let mut reader = eventful.subscribe(9).expect("it is sound");
        let reading = client(async move {
            let mut facts = 0;
            while let Some(notice) = reader.recv().await {
                assert!(matches!(notice, Notice::Fact(_)), "{notice:?}");
                facts += 1;
            }
            facts
        });
        join_all(IDS.map(|id| submitting(&eventful, id)));
        eventful.wait_idle().await.expect("all end");
        eventful.shutdown(None).await;
        assert_eq!(join(reading), 6, "an acceptance, a start and an end of each");
        assert_eq!(eventful.waiters(), 0);
    });
}

#[test]
fn wait_for_all_is_not_over_while_one_shard_feeds_the_other() {
    check(|_| async {
        let (own, runs) = (Arc::new(OnceLock::<Eventful>::new()), Arc::new(AtomicUsize::new(0)));
        let (handle, count) = (Arc::clone(&own), Arc::clone(&runs));
        let feed = move |_: Event, _: Attempt| {
            let (own, run) = (Arc::clone(&handle), count.fetch_add(1, Ordering::Relaxed));
            async move {
                // From one shard to the other, and back.
                if let (Some(next), Some(eventful)) = (["d", "a2"].get(run), own.get()) {
                    eventful.submit(event(next)).await?;
                }
                Ok::<_, Failure>(())
            }
        };
        let eventful = two().start(feed).expect("it starts");
        assert!(own.set(eventful.clone()).is_ok());
        eventful.submit(event("a")).await.expect("room");
        eventful.wait_idle().await.expect("all end");
        assert_eq!(runs.load(Ordering::Relaxed), 3);
        eventful.shutdown(None).await;
    });
}

#[test]
fn shutdown_of_two_shards_ends_beside_submits() {
    check(|_| async {
        let eventful = two().start(succeed).expect("it starts");
        let submits = IDS.map(|id| {
            let eventful = eventful.clone();
            client(async move { eventful.submit(event(id)).await.is_ok() })
        });
        let report = eventful.shutdown(None).await;
        join_all(submits);
        let stats = eventful.stats().expect("it is sound");
        assert_eq!(report.left, stats.engine.gauges.pending());
        assert_eq!(stats.workers_running, 0);
    });
}

fn two() -> Builder {
    Eventful::cluster(ClusterConfig::new(2)).clock(Arc::new(StillClock)).seed(1)
}

async fn succeed(_: Event, _: Attempt) -> Result<(), Failure> {
    Ok(())
}

fn submitting(eventful: &Eventful, id: &'static str) -> eventful_threads::sync::thread::JoinHandle<Submitted> {
    let eventful = eventful.clone();
    client(async move { eventful.submit(event(id)).await.expect("room") })
}
