//! The runtime goes away under the engine, or its handlers hold all of its threads: it ends all the same.

mod harness;

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use eventful::{Attempt, Config, Event, Eventful, Status, SubmitError, engine::Phase};
use harness::*;
use tokio::runtime::{Builder, Runtime};

#[test]
fn shutdown_ends_when_a_runtime_of_one_thread_was_never_polled() {
    let (eventful, runtime) = started_in(one_thread());
    drop(runtime);
    let report = one_thread().block_on(eventful.shutdown(None));
    assert_eq!((report.left, report.abandoned), (0, 0));
    assert_eq!(stats(&eventful).phase, Phase::Stopped);
}

#[test]
fn shutdown_ends_when_a_runtime_of_many_threads_was_dropped() {
    let (eventful, runtime) = started_in(two_threads());
    drop(runtime);
    let report = one_thread().block_on(eventful.shutdown(None));
    assert_eq!(stats(&eventful).phase, Phase::Stopped);
    assert!(report.took < eventful.config().sync_grace, "no task is left to wait for, and it took {:?}", report.took);
}

#[test]
fn engine_started_in_a_runtime_that_is_gone_has_stopped() {
    let gone = one_thread();
    let handle = gone.handle().clone();
    drop(gone);
    let eventful = {
        let _context = handle.enter();
        start(Config::default(), succeed)
    };
    one_thread().block_on(eventful.shutdown(None));
    let refused = one_thread().block_on(eventful.submit(event("a")));
    assert_eq!(refused, Err(SubmitError::ShuttingDown));
}

#[test]
fn shutdown_asked_for_before_the_drop_ends_after_it() {
    let (eventful, runtime) = started_in(one_thread());
    let mut ending = Box::pin(eventful.shutdown(None));
    assert!(futures_poll(&mut ending).is_none());
    drop(runtime);
    assert_eq!(one_thread().block_on(ending).left, 0);
}

#[test]
fn handlers_that_block_every_thread_do_not_hold_up_shutdown() {
    let runtime = two_threads();
    let (let_go, held) = mpsc::channel::<()>();
    let held = Arc::new(Mutex::new(held));
    let (sender, came) = mpsc::channel();
    let mut config = Config::default();
    (config.abort_grace, config.sync_grace) = (Duration::from_millis(1), Duration::from_millis(1));
    let eventful = {
        let _context = runtime.enter();
        start(config, move |_: Event, _: Attempt| {
            sender.send(()).expect("the test listens");
            // A caller that waits for the lock blocks its thread, too.
            let _ = held.lock().expect("no panic under the lock").recv();
            async { Ok(()) }
        })
    };
    for id in ["a", "b"] {
        runtime.block_on(eventful.submit(event(id))).expect("room");
        came.recv().expect("a handler came");
    }

    let report = runtime.block_on(eventful.shutdown(Some(Duration::from_millis(1))));

    assert_eq!((report.interrupted, report.abandoned, report.left), (2, 2, 2));
    assert_eq!(status(&eventful, "a"), Some(Status::FailedRetry));
    drop(let_go);
}

#[cfg(feature = "durable")]
mod durable {
    use super::*;
    use eventful::Durability;
    use eventful::journal::DiskStore;
    use std::path::Path;

    #[test]
    fn journal_of_a_runtime_that_never_ran_can_be_opened_again() {
        for runtime in [one_thread, two_threads] {
            let directory = tempfile::tempdir().expect("a directory");
            let first = runtime();
            let eventful = opened_in(&first, directory.path());
            // Accepted, and durable or not yet: where the disk is quick, the result may be there already.
            let _ = futures_poll(&mut Box::pin(eventful.try_submit(event("a"))));
            drop(first);
            let report = one_thread().block_on(eventful.shutdown(None));
            assert_eq!((report.left, report.unsynced), (1, 0));

            let second = runtime();
            let eventful = opened_in(&second, directory.path());
            assert!(second.block_on(eventful.get(&key("a"))).expect("not broken").is_some());
            second.block_on(eventful.shutdown(Some(Duration::ZERO)));
        }
    }

    fn opened_in(runtime: &Runtime, directory: &Path) -> Eventful {
        let _context = runtime.enter();
        let builder = Eventful::builder().journal(DiskStore::new(directory), Durability::default());
        builder.start(hang).expect("the journal is free")
    }
}

fn started_in(runtime: Runtime) -> (Eventful, Runtime) {
    let eventful = {
        let _context = runtime.enter();
        start(Config::default(), hang)
    };
    (eventful, runtime)
}

fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_time().build().expect("a runtime")
}

fn two_threads() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_time().build().expect("a runtime")
}

/// Polls once.
fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    match std::pin::Pin::new(future).poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}
