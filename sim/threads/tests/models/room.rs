//! Submitters that wait for room.

use eventful::{Event, SubmitError, engine::Bound};
use eventful_threads::model::{check, client};
use eventful_threads::sync::{JoinSet, Notify};
use eventful_threads::{Attempt, Builder, Failure};
use std::sync::Arc;

use super::setup::{LONG, advance_until, builder, event, join, join_all};

/// Returns a builder whose engine has room for one event.
fn full() -> Builder {
    builder().configure(|config| config.max_pending = 1)
}

#[test]
fn submitter_dropped_as_it_is_called_lets_the_next_in() {
    check(|_| async {
        let succeed = async |_: Event, _: Attempt| Ok::<_, Failure>(());
        let eventful = full().start(succeed).expect("it starts");
        let leave = Arc::new(Notify::new());
        let (other, left) = (eventful.clone(), Arc::clone(&leave));
        let leaver = client(async move {
            tokio::select! {
                biased;
                () = left.notified() => true,
                submitted = other.submit(event("leaver")) => submitted.is_ok(),
            }
        });
        let stayers = ["b", "c"].map(|id| {
            let eventful = eventful.clone();
            client(async move { eventful.submit(event(id)).await.expect("room") })
        });
        eventful.submit(event("a")).await.expect("room");
        leave.notify_one();
        assert!(join(leaver));
        join_all(stayers);
        eventful.wait_idle().await.expect("all end");
        assert_eq!(eventful.stats().expect("it is sound").submitters_waiting, 0);
        assert_eq!(eventful.waiters(), 0);
        assert_eq!(eventful.shutdown(None).await.left, 0);
    });
}

#[test]
fn submitters_that_wait_are_refused_when_time_is_up() {
    check(|_| async {
        let hang = |_: Event, _: Attempt| core::future::pending::<Result<(), Failure>>();
        let eventful = full().configure(|config| config.run_timeout = LONG * 9).start(hang).expect("it starts");
        eventful.submit(event("a")).await.expect("room");
        let mut waiting = JoinSet::new();
        for id in ["b", "c"] {
            let eventful = eventful.clone();
            waiting.spawn(async move { eventful.submit(event(id)).await });
        }
        let refused = client(async move {
            while let Some(refused) = waiting.join_next().await {
                let refused = refused.expect("no panic");
                assert!(matches!(refused, Err(SubmitError::Overloaded { bound: Bound::Pending, .. })), "{refused:?}");
            }
        });
        let done = Arc::new(core::sync::atomic::AtomicBool::new(false));
        let is_done = Arc::clone(&done);
        let mover = eventful_threads::sync::thread::spawn(move || {
            advance_until(|| is_done.load(core::sync::atomic::Ordering::Relaxed));
        });
        join(refused);
        done.store(true, core::sync::atomic::Ordering::Relaxed);
        join(mover);
        assert_eq!(eventful.waiters(), 0);
        let report = eventful.shutdown(Some(core::time::Duration::ZERO)).await;
        assert_eq!(report.left, 1);
    });
}

#[test]
fn shutdown_sends_away_all_who_wait_for_room() {
    check(|_| async {
        let hang = |_: Event, _: Attempt| core::future::pending::<Result<(), Failure>>();
        let eventful = full().start(hang).expect("it starts");
        eventful.submit(event("a")).await.expect("room");
        let waiting = ["b", "c"].map(|id| {
            let eventful = eventful.clone();
            client(async move { eventful.submit(event(id)).await })
        });
        let report = eventful.shutdown(Some(core::time::Duration::ZERO)).await;
        for refused in waiting.map(join) {
            assert_eq!(refused, Err(SubmitError::ShuttingDown));
        }
        assert_eq!(report.left, 1);
    });
}
