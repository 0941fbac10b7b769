//! Shutdown from one thread, concurrent with the work of others.

use core::time::Duration;
use eventful::{Event, Status, SubmitError, Submitted, WaitError, metrics::Readiness};
use eventful_threads::clock::advance;
use eventful_threads::model::{check, check_on, client};
use eventful_threads::sync::{Runtime, thread};
use eventful_threads::{Attempt, Eventful, Failure};
use std::sync::Arc;

use super::setup::{LONG, RunCount, builder, event, join, join_all, key, narrow};

#[test]
fn shutdown_beside_everything_accounts_for_every_event() {
    check(|_| async { beside_everything().await });
}

#[test]
fn shutdown_by_a_task_accounts_for_every_event() {
    check_on(Runtime::with_one_thread, |_| async { beside_everything().await });
}

async fn beside_everything() {
    let succeed = async |_: Event, _: Attempt| Ok::<_, Failure>(());
    let eventful = narrow(1, 1).start(succeed).expect("it starts");
    let submitters = [["a", "b"], ["c", "d"]].map(|ids| {
        let eventful = eventful.clone();
        client(async move {
            let mut accepted = Vec::new();
            for id in ids {
                match eventful.submit(event(id)).await {
                    Ok(Submitted::Accepted) => accepted.push(id),
                    refused => assert_eq!(refused, Err(SubmitError::ShuttingDown)),
                }
            }
            accepted
        })
    });
    let waiting = eventful.clone();
    let waiter = client(async move { waiting.wait(&key("a")).await });
    let waiting = eventful.clone();
    let idle = client(async move { waiting.wait_idle().await });
    let stopped = eventful.clone();
    let stopped = client(async move { stopped.stopped().await });
    let report = eventful.shutdown(None).await;
    assert_eq!(join(stopped), report);
    let accepted = submitters.map(join).concat();
    match join(waiter) {
        Ok(record) => assert_eq!(record.status, Status::Completed),
        Err(why) => assert!([WaitError::NotFound, WaitError::Stopped].contains(&why), "{why}"),
    }
    assert!([Ok(()), Err(WaitError::Stopped)].contains(&join(idle)));
    let mut left = 0;
    for id in accepted {
        let record = eventful.get(&key(id)).await.expect("it is sound").expect("it was accepted");
        left += u64::from(record.status != Status::Completed);
    }
    assert_eq!((report.left, report.interrupted, report.abandoned), (left, 0, 0));
    assert_eq!(eventful.waiters(), 0);
}

#[test]
fn handler_that_hangs_is_stopped_at_the_deadline() {
    check(|_| async {
        let runs = Arc::new(RunCount::default());
        let count = Arc::clone(&runs);
        let handler = move |_: Event, _: Attempt| {
            let count = Arc::clone(&count);
            async move {
                let _counted = count.begin();
                core::future::pending::<Result<(), Failure>>().await
            }
        };
        let slow = |config: &mut eventful::Config| config.run_timeout = LONG * 9;
        let eventful = narrow(2, 2).configure(slow).start(handler).expect("it starts");
        for id in ["a", "b"] {
            eventful.submit(event(id)).await.expect("room");
        }
        let stopping = eventful.clone();
        let stopper = client(async move { stopping.shutdown(Some(Duration::from_secs(2))).await });
        while eventful.readiness() == Readiness::Ready {
            thread::yield_now();
        }
        // No further: the handlers yield by themselves.
        advance(Duration::from_secs(2));
        let report = join(stopper);
        assert_eq!((report.left, report.drained, report.abandoned), (2, 0, 0));
        // A run may be stopped before its handler is called.
        assert!(report.interrupted >= runs.all() as u64, "{report:?}");
        assert_eq!(runs.now(), 0);
    });
}

#[test]
fn shutdowns_of_two_threads_share_one_report() {
    check(|_| async {
        let hang = |_: Event, _: Attempt| core::future::pending::<Result<(), Failure>>();
        let eventful = builder().start(hang).expect("it starts");
        eventful.submit(event("a")).await.expect("room");
        let others = [None, Some(Duration::ZERO)].map(|timeout| {
            let eventful = eventful.clone();
            client(async move { eventful.shutdown(timeout).await })
        });
        let report = eventful.stopped().await;
        assert_eq!(others.map(join), [report; 2]);
        assert_eq!(report.left, 1);
    });
}

#[test]
fn last_handle_dropped_beside_a_shutdown_ends_everything() {
    check(|_| async {
        let hang = |_: Event, _: Attempt| core::future::pending::<Result<(), Failure>>();
        let eventful = builder().start(hang).expect("it starts");
        let reader = eventful.subscribe(9).expect("it is sound");
        let reader = client(drain(reader));
        let other = eventful.clone();
        let submitter = client(async move { other.submit(event("a")).await });
        let other = eventful.clone();
        let stopper = client(async move { other.shutdown(Some(Duration::ZERO)).await });
        drop(eventful);
        let submitted = join(submitter);
        assert!(submitted.is_ok() || submitted == Err(SubmitError::ShuttingDown), "{submitted:?}");
        assert_eq!(join(stopper).left, u64::from(submitted.is_ok()));
        join(reader);
    });
}

#[test]
fn last_handle_that_is_dropped_ends_everything() {
    check(|_| async {
        let hang = |_: Event, _: Attempt| core::future::pending::<Result<(), Failure>>();
        let eventful = builder().start(hang).expect("it starts");
        let reader = client(drain(eventful.subscribe(9).expect("it is sound")));
        let others = [eventful.clone(), eventful.clone()].map(|eventful| {
            client(async move {
                let _submitted = eventful.submit(event("a")).await.expect("it is not shut down");
            })
        });
        drop(eventful);
        join_all(others);
        join(reader);
    });
}

#[test]
fn runtime_that_is_gone_ends_everything() {
    check(|runtime| async move {
        let hang = |_: Event, _: Attempt| core::future::pending::<Result<(), Failure>>();
        let eventful = builder().start(hang).expect("it starts");
        let others = ["a", "b"].map(|id| {
            let eventful: Eventful = eventful.clone();
            client(async move {
                if eventful.submit(event(id)).await.is_ok() {
                    assert_eq!(eventful.wait(&key(id)).await.map(drop), Err(WaitError::Stopped));
                }
            })
        });
        let stopper = eventful.clone();
        let stopper = client(async move { stopper.shutdown(None).await });
        runtime.shut_down();
        let report = eventful.stopped().await;
        assert_eq!(join(stopper), report);
        join_all(others);
    });
}

async fn drain(mut reader: eventful_threads::Subscription) {
    while reader.recv().await.is_some() {}
}
