//! Permits go from worker to worker: every event reaches its end, and no permit is lost or made.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use eventful::{Config, Event, Status};
use eventful_threads::model::{check, client};
use eventful_threads::sync::Notify;
use eventful_threads::{Attempt, Eventful, Failure};
use std::panic::resume_unwind;
use std::sync::Arc;

use super::setup::{RunCount, ends, event, join_all, narrow};

#[test]
fn one_permit_is_handed_over_with_room_for_one() {
    hand_over(1, 1);
}

#[test]
fn one_permit_is_handed_over_with_room_for_two() {
    hand_over(1, 2);
}

#[test]
fn two_permits_are_handed_over_with_room_for_one() {
    hand_over(2, 1);
}

#[test]
fn two_permits_are_handed_over_with_room_for_two() {
    hand_over(2, 2);
}

/// Runs a model with submitters on two threads. One event is tried twice, and one handler panics.
fn hand_over(limit: usize, capacity: usize) {
    check(move |_| async move {
        let desk = Arc::new(Desk { limit, ..Desk::default() });
        let work = Arc::clone(&desk);
        let handler = move |event: Event, attempt: Attempt| Arc::clone(&work).handle(event, attempt);
        let once = |config: &mut Config| config.max_attempts = 1;
        let eventful = narrow(limit, capacity).configure(once).start(handler).expect("it starts");
        let submitters = [["a", "snooze"], ["b", "panic"]].map(|ids| {
            let eventful = eventful.clone();
            client(async move {
                for id in ids {
                    eventful.submit(event(id)).await.expect("room");
                }
                ends(&eventful, ids[0], Status::Completed).await;
            })
        });
        eventful.submit(event("c")).await.expect("room");
        join_all(submitters);
        ends(&eventful, "panic", Status::Failed).await;
        eventful.wait_idle().await.expect("all end");
        ends(&eventful, "snooze", Status::Completed).await;
        assert_eq!(desk.runs.all(), 6, "five events, and one of them twice");
        assert!(desk.runs.most() <= limit, "{} runs at once", desk.runs.most());

        all_permits_are_free(&eventful, &desk).await;
        assert!(desk.runs.most() <= limit, "{} runs at once", desk.runs.most());
        let report = eventful.shutdown(None).await;
        assert_eq!((report.left, report.interrupted), (0, 0));
        assert_eq!(eventful.stats().expect("it is sound").permits_free, limit as u64);
    });
}

/// Checks that all permits are free: as many runs as there are permits wait for each other.
async fn all_permits_are_free(eventful: &Eventful, desk: &Desk) {
    for number in 0..desk.limit {
        eventful.submit(event(&format!("together-{number}"))).await.expect("room");
    }
    eventful.wait_idle().await.expect("all end");
}

#[derive(Debug, Default)]
struct Desk {
    runs: RunCount,
    limit: usize,
    arrived: AtomicUsize,
    all_here: Notify,
}

impl Desk {
    async fn handle(self: Arc<Self>, event: Event, attempt: Attempt) -> Result<(), Failure> {
        let id = event.key().id().to_string();
        let _counted = self.runs.begin();
        match id.as_str() {
            "panic" => resume_unwind(Box::new("as the model asks")),
            // Tried again at once: only the sweeper's notification wakes it.
            "snooze" if attempt.number() == 1 => Err(Failure::snooze(Duration::ZERO)),
            _ if id.starts_with("together") => {
                let all_here = self.all_here.notified();
                if self.arrived.fetch_add(1, Ordering::Relaxed) + 1 == self.limit {
                    self.all_here.notify_waiters();
                } else {
                    all_here.await;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
