//! Waits: for the end of one event, for the end of all, and for room from outside of any runtime.

mod harness;

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use eventful::{Attempt, Config, Event, Eventful, Failure, Status, SubmitError, Submitted, WaitError, engine::Bound};
use harness::*;
use tokio::runtime::{Builder, Runtime};

#[tokio::test(start_paused = true)]
async fn wait_returns_when_the_event_ends_and_not_before() {
    let gate = HandlerGate::closed();
    let eventful = start(narrow(), gate.handler());
    eventful.submit(event("a")).await.expect("room");
    let key = key("a");
    let mut waiting = pin!(eventful.wait(&key));
    assert!(poll(waiting.as_mut()).is_none());
    until("it runs", || gate.came() == 1).await;
    assert!(poll(waiting.as_mut()).is_none());
    gate.let_through(1);
    assert_eq!(waiting.await.expect("it ends").status, Status::Completed);
}

#[tokio::test(start_paused = true)]
async fn wait_for_each_kind_of_end_returns_its_status() {
    let eventful = start(narrow(), |event: Event, _: Attempt| async move {
        match &**event.payload() {
            b"fails" => Err(Failure::permanent("no")),
            b"hangs" => std::future::pending().await,
            _ => Ok(()),
        }
    });
    for (id, status) in [("fails", Status::Failed), ("done", Status::Completed)] {
        eventful.submit(event(id)).await.expect("room");
        assert_eq!(eventful.wait(&key(id)).await.map(|record| record.status), Ok(status));
        assert_eq!(eventful.wait(&key(id)).await.map(|record| record.status), Ok(status), "it has ended before");
    }
    eventful.submit(event("hangs")).await.expect("room");
    let hung = key("hangs");
    let mut waiting = pin!(eventful.wait(&hung));
    assert!(poll(waiting.as_mut()).is_none());
    eventful.discard(&hung).await.expect("it is there");
    assert_eq!(waiting.await.map(|record| record.status), Ok(Status::Discarded));
}

#[tokio::test(start_paused = true)]
async fn waker_that_panics_keeps_no_other_from_being_woken() {
    let gate = HandlerGate::closed();
    let eventful = start(narrow(), gate.handler());
    eventful.submit(event("a")).await.expect("room");
    let key = key("a");
    let mut other_idle = pin!(eventful.wait_idle());
    let (mut idle, mut one, mut other) =
        (pin!(eventful.wait_idle()), pin!(eventful.wait(&key)), pin!(eventful.wait(&key)));
    let panicking = Waker::from(Arc::new(Panicking));
    let mut context = Context::from_waker(&panicking);
    assert!(idle.as_mut().poll(&mut context).is_pending() && one.as_mut().poll(&mut context).is_pending());
    assert!(poll(other.as_mut()).is_none() && poll(other_idle.as_mut()).is_none());

    gate.let_through(1);
    let since = eventful.now();
    let both = async { (other_idle.await, other.await.map(|record| record.status)) };
    assert_eq!(tokio::time::timeout(SECOND, both).await, Ok((Ok(()), Ok(Status::Completed))));
    assert_eq!(eventful.now(), since, "both were woken before the timeout");
    until_at_rest(&eventful).await;
}

#[tokio::test(start_paused = true)]
async fn wait_goes_over_retries() {
    let ledger = Arc::new(AttemptLog::default());
    let counted = Arc::clone(&ledger);
    let eventful = start(narrow(), move |event: Event, _: Attempt| {
        let run = counted.count(&event);
        async move { if run < 3 { Err(Failure::retry("again")) } else { Ok(()) } }
    });
    eventful.submit(event("a")).await.expect("room");
    assert_eq!(eventful.wait(&key("a")).await.map(|record| record.attempt), Ok(3));
}

#[tokio::test(start_paused = true)]
async fn wait_of_many_for_one_event_ends_for_all() {
    let gate = HandlerGate::closed();
    let eventful = start(narrow(), gate.handler());
    eventful.submit(event("a")).await.expect("room");
    let waiting: Vec<_> = (0..10)
        .map(|_| {
            let eventful = eventful.clone();
            tokio::spawn(async move { eventful.wait(&key("a")).await.map(|record| record.status) })
        })
        .collect();
    settle_down().await;
    gate.let_through(1);
    for task in waiting {
        assert_eq!(task.await.expect("no panic"), Ok(Status::Completed));
    }
}

#[tokio::test(start_paused = true)]
async fn wait_for_an_event_that_is_not_there_is_refused() {
    let eventful = start(narrow(), succeed);
    assert_eq!(eventful.wait(&key("a")).await, Err(WaitError::NotFound));
}

#[tokio::test(start_paused = true)]
async fn waits_end_when_the_engine_stops_first() {
    let eventful = start(narrow(), hang);
    eventful.submit(event("a")).await.expect("room");
    until_status(&eventful, "a", Status::Processing).await;
    let (one, all) = (eventful.clone(), eventful.clone());
    let one = tokio::spawn(async move { one.wait(&key("a")).await });
    let all = tokio::spawn(async move { all.wait_idle().await });
    settle_down().await;
    eventful.shutdown(Some(SECOND)).await;
    assert_eq!(one.await.expect("no panic"), Err(WaitError::Stopped));
    assert_eq!(all.await.expect("no panic"), Err(WaitError::Stopped));
    assert_eq!(eventful.wait(&key("a")).await, Err(WaitError::Stopped), "it has stopped before");
}

#[tokio::test(start_paused = true)]
async fn wait_idle_returns_when_all_have_ended() {
    let gate = HandlerGate::closed();
    let eventful = start(Config::default(), gate.handler());
    assert_eq!(eventful.wait_idle().await, Ok(()), "there is nothing to wait for");
    for n in 0..100 {
        eventful.submit(event(&n.to_string())).await.expect("room");
    }
    let mut waiting = pin!(eventful.wait_idle());
    assert!(poll(waiting.as_mut()).is_none());
    gate.let_through(99);
    until("all but one have ended", || stats(&eventful).engine.gauges.records(Status::Completed) == 99).await;
    assert!(poll(waiting.as_mut()).is_none());
    gate.let_through(1);
    assert_eq!(waiting.await, Ok(()));
    assert_eq!(stats(&eventful).engine.gauges.pending(), 0);
}

#[tokio::test(start_paused = true)]
async fn wait_idle_of_many_ends_for_all() {
    let gate = HandlerGate::closed();
    let eventful = start(narrow(), gate.handler());
    eventful.submit(event("a")).await.expect("room");
    let waiting = [(); 10].map(|()| {
        let eventful = eventful.clone();
        tokio::spawn(async move { eventful.wait_idle().await })
    });
    settle_down().await;
    gate.let_through(1);
    for task in waiting {
        assert_eq!(task.await.expect("no panic"), Ok(()));
    }
}

#[test]
fn submit_outside_of_a_runtime_waits_for_room() {
    let gate = HandlerGate::closed();
    let (eventful, runtime) = full(&gate, SECOND * 3600);
    let submitting = thread::spawn({
        let eventful = eventful.clone();
        move || block_on(eventful.submit(event("b")))
    });
    runtime.block_on(until("it waits", || stats(&eventful).submitters_waiting == 1));
    gate.let_through(2);
    assert_eq!(submitting.join().expect("no panic"), Ok(Submitted::Accepted));
    assert_eq!(block_on(eventful.wait(&key("b"))).map(|record| record.status), Ok(Status::Completed));
}

#[test]
fn submit_outside_of_a_runtime_is_refused_in_the_end() {
    let gate = HandlerGate::closed();
    let (eventful, _runtime) = full(&gate, Duration::from_millis(1));
    let refused = block_on(eventful.submit(event("b")));
    assert!(matches!(refused, Err(SubmitError::Overloaded { bound: Bound::Pending, .. })), "{refused:?}");
}

#[test]
fn submit_outside_of_a_runtime_that_goes_away_is_refused() {
    let gate = HandlerGate::closed();
    let (eventful, runtime) = full(&gate, SECOND * 3600);
    let submitting = ["b", "c"].map(|id| {
        let eventful = eventful.clone();
        thread::spawn(move || block_on(eventful.submit(event(id))))
    });
    runtime.block_on(until("both wait", || stats(&eventful).submitters_waiting == 2));
    drop(runtime);
    for thread in submitting {
        assert_eq!(thread.join().expect("no panic"), Err(SubmitError::ShuttingDown));
    }
}

/// An engine with room for one event, which is there, on a runtime that runs by itself.
fn full(gate: &Arc<HandlerGate>, submit_timeout: Duration) -> (Eventful, Runtime) {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_time().build().expect("a runtime");
    let mut config = narrow();
    config.max_pending = 1;
    let eventful = {
        let _context = runtime.enter();
        let builder = Eventful::builder().config(config).submit_timeout(submit_timeout);
        builder.start(gate.handler()).expect("it starts")
    };
    runtime.block_on(eventful.submit(event("a"))).expect("room");
    (eventful, runtime)
}

fn poll<F: Future>(future: Pin<&mut F>) -> Option<F::Output> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Waits for a future on this thread, without any runtime.
fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A waker of an executor that is gone.
struct Panicking;

impl Wake for Panicking {
    fn wake(self: Arc<Self>) {
        panic!("the executor is gone");
    }
}
