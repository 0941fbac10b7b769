//! Permits that handlers hold after they were stopped: readiness and explanation know of them.

mod harness;

use std::sync::{Arc, Mutex, mpsc};

use eventful::{
    Attempt, Event, Eventful, Status, Timestamp,
    clock::ManualClock,
    metrics::{NotReady, Readiness},
};
use harness::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn engine_whose_stopped_runs_hold_all_permits_is_not_ready() {
    let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1)));
    let (let_go, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let builder = Eventful::builder().config(narrow()).seed(1).clock(clock.clone());
    let blocks = move |_: Event, _: Attempt| {
        let _ = held.lock().expect("no panic under the lock").recv();
        async { Ok(()) }
    };
    let eventful = builder.start(blocks).expect("it starts");
    eventful.submit(event("a")).await.expect("room");
    until_status(&eventful, "a", Status::Processing).await;
    eventful.submit(event("b")).await.expect("room");

    clock.advance(eventful.config().run_timeout);
    until_status(&eventful, "a", Status::FailedRetry).await;
    assert_eq!(eventful.readiness(), Readiness::Ready, "it may still yield");
    let words = eventful.explain(&key("b")).await.expect("not broken").expect("it is there");
    let expected = "All 1 permits are held, 1 of them by handlers that were stopped and have not yielded.";
    assert!(words.ends_with(expected), "{words}");
    assert!(!explained(&eventful, "a").contains("permits"), "it waits for its time: {}", explained(&eventful, "a"));

    clock.advance(eventful.config().abort_grace);
    assert_eq!(eventful.readiness(), Readiness::NotReady(NotReady::PermitsHeld));

    drop(let_go);
    until_status(&eventful, "b", Status::Completed).await;
    until("it is ready", || eventful.readiness() == Readiness::Ready).await;
}

#[tokio::test(start_paused = true)]
async fn explanation_of_a_full_house_names_no_handler_that_is_well() {
    let eventful = start(narrow(), hang);
    eventful.submit(event("a")).await.expect("room");
    until_status(&eventful, "a", Status::Processing).await;
    eventful.submit(event("b")).await.expect("room");
    assert!(!explained(&eventful, "b").contains("permits"), "{}", explained(&eventful, "b"));
}

fn explained(eventful: &Eventful, id: &str) -> String {
    at_once(eventful.explain(&key(id))).expect("not broken").expect("it is there")
}
