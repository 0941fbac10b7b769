//! Several runs that are started together: what becomes of the others when a handler waits, or blocks its thread.
//!
//! The engine's clock stands still, so that every handler is quick, however busy the machine is.

mod harness;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use eventful::{Attempt, Event, Eventful, Failure, Handler, Status, Timestamp, clock::ManualClock};
use harness::*;
use tokio::sync::Notify;

/// Events that end at once, as many as it takes for the next ones to be started together.
const WARM_UP: usize = 200;

/// A time that only a run that is held up would take.
const LONG: Duration = Duration::from_secs(30);

#[tokio::test(start_paused = true)]
async fn run_that_has_ended_does_not_wait_for_one_started_with_it() {
    let gate = Arc::new(Notify::new());
    let opened = Arc::clone(&gate);
    let (eventful, _) = start_still(move |event: Event, _: Attempt| {
        let gate = Arc::clone(&opened);
        async move {
            if **event.payload() == *b"waits" {
                gate.notified().await;
            }
            Ok::<_, Failure>(())
        }
    });
    warm_up(&eventful).await;
    submit(&eventful, ["a", "b", "waits", "c"]).await;
    for id in ["a", "b", "c"] {
        assert_eq!(eventful.wait(&key(id)).await.map(|record| record.status), Ok(Status::Completed));
    }
    submit(&eventful, ["d", "e"]).await;
    assert_eq!(eventful.wait(&key("e")).await.map(|record| record.status), Ok(Status::Completed));
    assert_eq!(
        eventful.get(&key("waits")).await.expect("it is sound").expect("it is there").status,
        Status::Processing
    );
    gate.notify_one();
    eventful.wait_idle().await.expect("all end");
}

#[tokio::test(start_paused = true)]
async fn last_of_those_started_together_holds_up_none_before_it() {
    let (eventful, _) = start_still(|event: Event, _: Attempt| async move {
        match &**event.payload() {
            b"waits" => std::future::pending().await,
            _ => Ok::<_, Failure>(()),
        }
    });
    warm_up(&eventful).await;
    submit(&eventful, ["a", "b", "waits"]).await;
    for id in ["a", "b"] {
        assert_eq!(eventful.wait(&key(id)).await.map(|record| record.status), Ok(Status::Completed));
    }
}

#[cfg(feature = "sim")]
#[tokio::test(start_paused = true)]
async fn quick_runs_are_settled_and_started_in_few_holds_of_the_lock() {
    let (eventful, _) = start_still(succeed);
    eventful.lock_holds();
    warm_up(&eventful).await;
    let holds: u64 = eventful.lock_holds().iter().sum();
    // Each would take two holds alone.
    assert!((5..WARM_UP as u64 / 4).contains(&holds), "{holds} holds for {WARM_UP} events");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn handler_that_blocks_its_thread_holds_up_no_other() {
    let (sender, called) = channel();
    let (sender, called) = (Mutex::new(sender), Arc::new(Mutex::new(called)));
    let (eventful, clock) = start_still(move |event: Event, _: Attempt| {
        let blocked = match &**event.payload() {
            b"blocks" => Some(wait_for(&called.lock().expect("no panic under the lock"), 8)),
            b"counts" => sender.lock().expect("no panic under the lock").send(()).err().map(|_| 0),
            _ => None,
        };
        async move { blocked.map_or(Ok(()), |missing| if missing == 0 { Ok(()) } else { Err(Failure::permanent(missing)) }) }
    });
    warm_up(&eventful).await;
    // Those before it have ended by then, and those after it are called by others.
    let payload = |number| if number == 4 { "blocks" } else { "counts" };
    let events = (0..9).map(|number| Event::with_id(&format!("together-{number}"), payload(number)).expect("an event"));
    assert!(eventful.submit_batch(events).await.iter().all(Result::is_ok));
    // From a thread of its own: a blocked thread of the runtime may be the one that would see to its timers.
    let has_ended = Arc::new(AtomicBool::new(false));
    let moving = thread::spawn({
        let has_ended = Arc::clone(&has_ended);
        move || {
            while !has_ended.load(Ordering::Relaxed) {
                clock.advance(Duration::from_micros(500));
                thread::yield_now();
            }
        }
    });
    for number in 0..9 {
        let key = key(&format!("together-{number}"));
        assert_eq!(eventful.wait(&key).await.map(|record| record.status), Ok(Status::Completed), "{number}");
    }
    has_ended.store(true, Ordering::Relaxed);
    moving.join().expect("no panic");
}

/// Starts an engine whose clock stands still.
fn start_still(handler: impl Handler) -> (Eventful, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1_000_000)));
    let eventful = Eventful::builder().clock(clock.clone()).start(handler).expect("it starts");
    (eventful, clock)
}

/// Blocks until so many others were called. Returns how many were not.
fn wait_for(called: &Receiver<()>, others: usize) -> usize {
    let missing = |left: usize| match called.recv_timeout(LONG) {
        Ok(()) => Ok(left - 1),
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Err(left),
    };
    (0..others).try_fold(others, |left, _| missing(left)).unwrap_or_else(|left| left)
}

async fn warm_up(eventful: &Eventful) {
    let events = (0..WARM_UP).map(|number| Event::with_id(&format!("warm-{number}"), "").expect("an event"));
    assert!(eventful.submit_batch(events).await.iter().all(Result::is_ok));
    eventful.wait_idle().await.expect("all end");
}

async fn submit<const N: usize>(eventful: &Eventful, ids: [&str; N]) {
    let events = ids.map(|id| Event::with_id(id, id.to_owned()).expect("an event"));
    assert!(eventful.submit_batch(events).await.iter().all(Result::is_ok));
}
