//! Calls of an operator, concurrent with everything else.

use core::sync::atomic::{AtomicBool, Ordering};
use eventful::{Event, Status, operator::DiscardError};
use eventful_threads::model::{check, client};
use eventful_threads::{Attempt, Failure};
use std::sync::Arc;

use super::setup::{RunCount, ends, event, join, join_all, key, narrow};

#[test]
fn pause_and_resume_beside_submissions_lose_no_event() {
    check(|_| async {
        let runs = Arc::new(RunCount::default());
        let count = Arc::clone(&runs);
        let handler = move |_: Event, _: Attempt| {
            let count = Arc::clone(&count);
            async move {
                count.count().await;
                Ok::<_, Failure>(())
            }
        };
        let eventful = narrow(1, 2).start(handler).expect("it starts");
        let submitters = [["a", "b"], ["c", "d"]].map(|ids| {
            let eventful = eventful.clone();
            client(async move {
                for id in ids {
                    eventful.submit(event(id)).await.expect("room");
                }
                ends(&eventful, ids[1], Status::Completed).await;
            })
        });
        eventful.pause().await.expect("it is sound");
        eventful.resume().await.expect("it is sound");
        join_all(submitters);
        eventful.wait_idle().await.expect("all end");
        assert_eq!((runs.all(), runs.most()), (4, 1));
        assert_eq!(eventful.shutdown(None).await.left, 0);
    });
}

#[test]
fn redrive_beside_a_wait_ends_with_success() {
    check(|_| async {
        let is_mended = Arc::new(AtomicBool::new(false));
        let mended = Arc::clone(&is_mended);
        let handler = move |_: Event, _: Attempt| {
            let is_mended = mended.load(Ordering::Relaxed);
            async move { if is_mended { Ok(()) } else { Err(Failure::permanent("broken")) } }
        };
        let eventful = narrow(1, 1).start(handler).expect("it starts");
        let waiting = eventful.clone();
        eventful.submit(event("a")).await.expect("room");
        let waiter = client(async move { waiting.wait(&key("a")).await.expect("it ends").status });
        ends(&eventful, "a", Status::Failed).await;
        is_mended.store(true, Ordering::Relaxed);
        let other = eventful.clone();
        let idle = client(async move { other.wait_idle().await });
        eventful.redrive(&key("a")).await.expect("it has failed");
        ends(&eventful, "a", Status::Completed).await;
        assert!([Status::Failed, Status::Completed].contains(&join(waiter)));
        join(idle).expect("all end");
        assert_eq!(eventful.waiters(), 0);
        eventful.shutdown(None).await;
    });
}

#[test]
fn discard_ends_every_wait_for_the_event() {
    check(|_| async {
        let succeed = async |_: Event, _: Attempt| Ok::<_, Failure>(());
        let eventful = narrow(1, 1).start(succeed).expect("it starts");
        eventful.pause().await.expect("it is sound");
        eventful.submit(event("a")).await.expect("room");
        let waiters = [(); 2].map(|()| {
            let eventful = eventful.clone();
            client(async move { eventful.wait(&key("a")).await.expect("it ends").status })
        });
        let other = eventful.clone();
        let idle = client(async move { other.wait_idle().await });
        let other = eventful.clone();
        let resumer = client(async move { other.resume().await });
        let expected = match eventful.discard(&key("a")).await {
            Ok(()) => Status::Discarded,
            Err(error) => {
                assert_eq!(error, DiscardError::Completed);
                Status::Completed
            }
        };
        assert_eq!(waiters.map(join), [expected; 2]);
        join(resumer).expect("it is sound");
        join(idle).expect("all end");
        assert_eq!(eventful.waiters(), 0);
        eventful.shutdown(None).await;
    });
}
