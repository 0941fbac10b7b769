//! Parts that die, break, or take too long: the others must notice.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use eventful::{
    Event, Status, SubmitError, Unavailable, WaitError,
    node::{Action, Hooks, Point},
};
use eventful_threads::clock::{advance, now};
use eventful_threads::model::{check, client};
use eventful_threads::sync::thread;
use eventful_threads::{Attempt, Builder, Eventful, Failure, ManualClock};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::setup::{LONG, RunCount, advance_until, builder, ends, event, join, join_all, key, narrow};

#[test]
fn retry_starts_when_its_time_has_come() {
    check(|_| async {
        let clock = Arc::new(ManualClock::new(now()));
        let once = async |_: Event, attempt: Attempt| match attempt.number() {
            1 => Err(Failure::retry("the first attempt")),
            _ => Ok(()),
        };
        let eventful = narrow(1, 1).clock(clock.clone()).start(once).expect("it starts");
        let waiters = [(); 2].map(|()| {
            let eventful = eventful.clone();
            client(async move { eventful.wait_idle().await.expect("all end") })
        });
        eventful.submit(event("a")).await.expect("room");
        until(&eventful, "a", Status::FailedRetry).await;
        clock.advance(Duration::from_secs(1));
        ends(&eventful, "a", Status::Completed).await;
        join_all(waiters);
        eventful.shutdown(None).await;
    });
}

#[test]
fn run_past_its_deadline_is_stopped_and_tried_again() {
    check(|_| async {
        let runs = Arc::new(RunCount::default());
        let count = Arc::clone(&runs);
        let handler = move |event: Event, attempt: Attempt| {
            let (count, is_first) = (Arc::clone(&count), *event.key() == key("a"));
            async move {
                let _counted = count.begin();
                if is_first && attempt.number() == 1 {
                    core::future::pending::<()>().await;
                }
                Ok::<_, Failure>(())
            }
        };
        let eventful = narrow(1, 1).start(handler).expect("it starts");
        eventful.submit(event("a")).await.expect("room");
        let other = eventful.clone();
        let submitter = client(async move { other.submit(event("b")).await.expect("room") });
        until(&eventful, "a", Status::Processing).await;
        advance(LONG);
        until(&eventful, "a", Status::FailedRetry).await;
        advance(Duration::from_secs(1));
        ends(&eventful, "a", Status::Completed).await;
        join(submitter);
        assert_eq!(runs.most(), 1);
        eventful.shutdown(None).await;
    });
}

#[test]
fn dispatcher_that_has_lost_its_channel_is_replaced() {
    check(|_| async {
        let succeed = async |_: Event, _: Attempt| Ok::<_, Failure>(());
        let lose = Arc::new(Once { point: Point::Present, action: Action::DropReceiver, is_armed: true.into() });
        let eventful = patient(narrow(1, 2)).hooks(lose).start(succeed).expect("it starts");
        let submitters = ["a", "b"].map(|id| {
            let eventful = eventful.clone();
            client(async move { eventful.submit(event(id)).await.expect("room") })
        });
        let is_idle = Arc::new(AtomicBool::new(false));
        let idle = Arc::clone(&is_idle);
        let mover = thread::spawn(move || advance_until(|| idle.load(Ordering::Relaxed)));
        join_all(submitters);
        eventful.wait_idle().await.expect("all end");
        is_idle.store(true, Ordering::Relaxed);
        join(mover);
        assert_eq!(eventful.stats().expect("it is sound").dispatcher_restarts, 1);
        assert_eq!(eventful.shutdown(None).await.left, 0);
    });
}

#[test]
fn node_that_breaks_lets_nothing_wait() {
    check(|_| async {
        let hang = |_: Event, _: Attempt| core::future::pending::<Result<(), Failure>>();
        let hooks = Arc::new(Once { point: Point::Enqueue, action: Action::Panic, is_armed: false.into() });
        let full = builder().configure(|config| config.max_pending = 2);
        let eventful = patient(full).hooks(hooks.clone()).start(hang).expect("it starts");
        eventful.submit(event("a")).await.expect("room");
        until(&eventful, "a", Status::Processing).await;
        let waiting = eventful.clone();
        let waiter = client(async move { waiting.wait(&key("a")).await.map(drop) });
        let waiting = eventful.clone();
        let idle = client(async move { waiting.wait_idle().await });
        let mut reader = eventful.subscribe(9).expect("it is sound");
        let reader = client(async move { while reader.recv().await.is_some() {} });
        hooks.is_armed.store(true, Ordering::Relaxed);
        let submitters = ["b", "c", "d"].map(|id| {
            let eventful = eventful.clone();
            thread::spawn(move || {
                let submit = || shuttle::future::block_on(eventful.submit(event(id)));
                catch_unwind(AssertUnwindSafe(submit)).ok()
            })
        });
        let submitted = submitters.map(join);
        assert_eq!(submitted.iter().filter(|submitted| submitted.is_none()).count(), 1, "one call panicked");
        let broken = Err(SubmitError::Unavailable(Unavailable::Broken));
        assert!(submitted.into_iter().flatten().all(|submitted| submitted == broken));
        let broken = WaitError::Unavailable(Unavailable::Broken);
        assert_eq!((join(waiter), join(idle)), (Err(broken), Err(broken)));
        join(reader);
        eventful.shutdown(Some(Duration::ZERO)).await;
    });
}

/// Sets timeouts so long that runs are never stopped.
fn patient(builder: Builder) -> Builder {
    builder.configure(|config| (config.run_timeout, config.run_lifetime) = (LONG * 1000, LONG * 1000))
}

/// Yields until the event has this status.
async fn until(eventful: &Eventful, id: &str, status: Status) {
    let is_there =
        async || eventful.get(&key(id)).await.expect("it is sound").is_some_and(|record| record.status == status);
    while !is_there().await {
        thread::yield_now();
    }
}

/// Disturbs one pass of a point, once it is armed.
struct Once {
    point: Point,
    action: Action,
    is_armed: AtomicBool,
}

impl Hooks for Once {
    fn at(&self, point: Point) -> Action {
        let acts = point == self.point && self.is_armed.swap(false, Ordering::Relaxed);
        if acts { self.action } else { Action::Continue }
    }
}
