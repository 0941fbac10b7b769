//! Runs that are started together: each is called once and settled, whichever thread takes it.

use eventful::{Event, Status};
use eventful_threads::model::{check, client};
use eventful_threads::{Attempt, Eventful, Failure};
use std::sync::Arc;

use super::setup::{RunCount, ends, event, join, narrow};

/// The number of events of each submitter.
const EVENTS: usize = 4;

#[test]
fn runs_that_are_started_together_are_all_called() {
    check(|_| async move {
        let runs = Arc::new(RunCount::default());
        let counted = Arc::clone(&runs);
        let handler = move |event: Event, _: Attempt| {
            let runs = Arc::clone(&counted);
            async move {
                // The time stands still, so handlers that do not wait are quick; one of each submitter waits.
                match event.key().id().ends_with("2") {
                    true => runs.count().await,
                    false => drop(runs.begin()),
                }
                Ok::<_, Failure>(())
            }
        };
        let eventful = narrow(2 * EVENTS, 2 * EVENTS).start(handler).expect("it starts");
        let other = eventful.clone();
        let other = client(async move { submit(&other, "other").await });
        for round in ["first", "second"] {
            submit(&eventful, round).await;
        }
        join(other);
        eventful.wait_idle().await.expect("all end");
        assert_eq!(runs.all(), 3 * EVENTS);
        ends(&eventful, "second-2", Status::Completed).await;
        eventful.shutdown(None).await;
        assert_eq!(eventful.stats().expect("it is sound").permits_free, 2 * EVENTS as u64);
    });
}

async fn submit(eventful: &Eventful, name: &str) {
    let events = (0..EVENTS).map(|number| event(&format!("{name}-{number}")));
    assert!(eventful.submit_batch(events).await.iter().all(Result::is_ok));
}
