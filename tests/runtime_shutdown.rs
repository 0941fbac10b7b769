//! Shutdown: it ends whatever happens, and reports what is left.

mod harness;

use std::pin::Pin;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake};
use std::time::Duration;

use eventful::{
    Attempt, Config, Event, Eventful, Failure, Notice, ShutdownReport, Status, SubmitError, Submitted,
    engine::{Phase, facts::Change},
    metrics::{NotReady, Readiness},
};
use harness::*;
use tokio::runtime::Handle;

#[tokio::test(start_paused = true)]
async fn idle_it_ends_at_once_and_leaves_no_task_behind() {
    let eventful = start(narrow(), succeed);
    let report = eventful.shutdown(None).await;
    assert_eq!(report.took, Duration::ZERO);
    assert_eq!(numbers(report), [0; 5]);
    until("no task is left", || Handle::current().metrics().num_alive_tasks() == 0).await;
    assert_eq!(eventful.readiness(), Readiness::NotReady(NotReady::Stopped));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_two_threads_it_ends_and_leaves_no_task_behind() {
    let eventful = start(Config::default(), succeed);
    for n in 0..500 {
        eventful.submit(event(&n.to_string())).await.expect("room");
    }
    let report = eventful.shutdown(None).await;
    let completed = stats(&eventful).engine.gauges.records(Status::Completed);
    assert_eq!(completed + report.left, 500);
    until("no task is left", || Handle::current().metrics().num_alive_tasks() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn it_waits_for_runs_in_flight_and_leaves_the_queue() {
    let gate = HandlerGate::closed();
    let eventful = start(narrow(), gate.handler());
    for n in 0..10 {
        eventful.submit(event(&n.to_string())).await.expect("room");
    }
    until("one runs", || gate.came() == 1).await;
    let ending = tokio::spawn(end(&eventful, None));
    until("it drains", || stats(&eventful).phase == Phase::Draining).await;
    assert_eq!(eventful.readiness(), Readiness::NotReady(NotReady::Draining));
    assert_eq!(eventful.try_submit(event("new")).await, Err(SubmitError::ShuttingDown));
    assert!(matches!(eventful.try_submit(event("0")).await, Ok(Submitted::Duplicate(_))));
    settle_down().await;
    assert!(!ending.is_finished());

    gate.let_through(10);
    assert_eq!(numbers(ending.await.expect("no panic")), [1, 0, 0, 9, 0]);
    assert_eq!(gate.came(), 1);
    at_rest_after_the_end(&eventful);
}

#[tokio::test(start_paused = true)]
async fn a_hung_handler_is_stopped_at_the_timeout_and_its_event_waits() {
    let eventful = start(narrow(), hang);
    eventful.submit(event("a")).await.expect("room");
    until_status(&eventful, "a", Status::Processing).await;
    let report = eventful.shutdown(Some(SECOND * 5)).await;
    assert_eq!(numbers(report), [0, 1, 0, 1, 0]);
    assert!(report.took < SECOND * 6, "{:?}", report.took);
    assert_eq!(status(&eventful, "a"), Some(Status::FailedRetry));
    let charge = eventful.get(&key("a")).await.expect("not broken").expect("it is remembered").charge;
    assert_eq!((charge.charged, charge.refunds), (0, 1));
    at_rest_after_the_end(&eventful);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_does_not_yield_is_abandoned_after_the_grace() {
    let (let_go, hold) = mpsc::channel::<()>();
    let (sender, receiver) = mpsc::channel();
    let hold = std::sync::Mutex::new(hold);
    let mut config = narrow();
    config.abort_grace = Duration::ZERO;
    let eventful = start(config, move |_: Event, _: Attempt| {
        sender.send(()).expect("the test listens");
        let _ = hold.lock().expect("no panic under the lock").recv();
        async { Ok(()) }
    });
    eventful.submit(event("a")).await.expect("room");
    until("it blocks", || receiver.try_recv().is_ok()).await;
    assert_eq!(numbers(eventful.shutdown(Some(Duration::ZERO)).await), [0, 1, 1, 1, 0]);
    assert_eq!(stats(&eventful).workers_running, 1);
    let_go.send(()).expect("the handler listens");
    until("its permit is back", || stats(&eventful).permits_free == 1).await;
    assert_eq!(status(&eventful, "a"), Some(Status::FailedRetry));
}

#[tokio::test(start_paused = true)]
async fn a_timeout_during_the_drain_is_still_a_timeout() {
    let eventful = start(narrow(), hang);
    eventful.submit(event("a")).await.expect("room");
    until_status(&eventful, "a", Status::Processing).await;
    let report = eventful.shutdown(Some(SECOND * 60)).await;
    assert_eq!(numbers(report), [1, 0, 0, 1, 0]);
    assert_eq!(report.took.as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_ends_right_after_the_request_counts_as_drained() {
    let gate = HandlerGate::closed();
    let eventful = start(narrow(), gate.handler());
    eventful.submit(event("a")).await.expect("room");
    until("it runs", || gate.came() == 1).await;
    gate.let_through(1);
    let report = eventful.shutdown(None).await;
    assert_eq!((report.drained, report.left), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn twice_it_gives_the_same_report() {
    let eventful = start(narrow(), succeed);
    eventful.submit(event("a")).await.expect("room");
    let report = eventful.shutdown(None).await;
    assert_eq!(eventful.shutdown(Some(Duration::ZERO)).await, report);
    assert_eq!(eventful.stopped().await, report);
}

#[tokio::test(start_paused = true)]
async fn concurrent_callers_share_it_and_the_earliest_deadline_wins() {
    let eventful = start(narrow(), hang);
    eventful.submit(event("a")).await.expect("room");
    until_status(&eventful, "a", Status::Processing).await;
    let waiting = eventful.stopped();
    let callers = [20, 2, 10].map(|seconds| tokio::spawn(end(&eventful, Some(SECOND * seconds))));
    let report = waiting.await;
    assert_eq!(report.took.as_secs(), 2);
    for caller in callers {
        assert_eq!(caller.await.expect("no panic"), report);
    }
}

#[tokio::test(start_paused = true)]
async fn right_after_a_submit_it_neither_runs_nor_loses_the_event() {
    let eventful = start(narrow(), succeed);
    eventful.try_submit(event("a")).await.expect("room");
    assert_eq!(numbers(eventful.shutdown(None).await), [0, 0, 0, 1, 0]);
    assert_eq!(status(&eventful, "a"), Some(Status::Received));
}

#[tokio::test(start_paused = true)]
async fn shutdown_continues_when_its_future_is_dropped() {
    let eventful = start(narrow(), hang);
    eventful.submit(event("a")).await.expect("room");
    until_status(&eventful, "a", Status::Processing).await;
    {
        let mut ending = std::pin::pin!(eventful.shutdown(Some(SECOND)));
        assert!(futures_poll(ending.as_mut()).await.is_none());
    }
    assert_eq!(numbers(eventful.stopped().await), [0, 1, 0, 1, 0]);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_stops_the_runs_and_the_tasks() {
    let eventful = start(narrow(), hang);
    eventful.submit(event("a")).await.expect("room");
    until_status(&eventful, "a", Status::Processing).await;
    let other = eventful.clone();
    drop(eventful);
    settle_down().await;
    assert_eq!(stats(&other).phase, Phase::Running);
    drop(other);
    until("no task is left", || Handle::current().metrics().num_alive_tasks() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn paused_it_ends_as_well() {
    let eventful = start(narrow(), succeed);
    eventful.pause().await.expect("it runs");
    for n in 0..5 {
        eventful.submit(event(&n.to_string())).await.expect("room");
    }
    assert_eq!(numbers(eventful.shutdown(None).await), [0, 0, 0, 5, 0]);
}

#[tokio::test(start_paused = true)]
async fn retries_that_become_due_while_it_drains_do_not_start() {
    let gate = HandlerGate::closed();
    let ready = Arc::clone(&gate);
    let mut config = narrow();
    config.concurrency = 2.try_into().expect("more than zero");
    let eventful = start(config, move |event: Event, _: Attempt| {
        let gate = Arc::clone(&ready);
        async move {
            if &**event.payload() == b"retry" {
                return Err(Failure::retry("again"));
            }
            gate.pass().await;
            Ok(())
        }
    });
    eventful.submit(event("retry")).await.expect("room");
    eventful.submit(event("slow")).await.expect("room");
    until_status(&eventful, "retry", Status::FailedRetry).await;
    until("the slow one runs", || gate.came() == 1).await;
    let ending = tokio::spawn(end(&eventful, None));
    let sweeps = stats(&eventful).engine.tallies.sweeps;
    tokio::time::sleep(SECOND * 20).await;
    assert_eq!(stats(&eventful).engine.tallies.sweeps, sweeps);
    gate.let_through(1);
    assert_eq!(numbers(ending.await.expect("no panic")), [1, 0, 0, 1, 0]);
    assert_eq!(stats(&eventful).engine.facts.started, 2);
}

#[tokio::test(start_paused = true)]
async fn shutdown_refuses_callers_that_wait_for_room() {
    let mut config = narrow();
    config.max_pending = 1;
    let eventful = start(config, hang);
    eventful.submit(event("a")).await.expect("room");
    let submitting = ["b", "c"].map(|id| {
        let eventful = eventful.clone();
        tokio::spawn(async move { eventful.submit(event(id)).await })
    });
    until("both wait", || stats(&eventful).submitters_waiting == 2).await;
    let report = eventful.shutdown(Some(Duration::ZERO)).await;
    assert_eq!(report.interrupted + report.left, 2);
    for waiting in submitting {
        assert_eq!(waiting.await.expect("no panic"), Err(SubmitError::ShuttingDown));
    }
}

#[tokio::test(start_paused = true)]
async fn workers_that_have_ended_are_not_abandoned_however_many() {
    let gate = HandlerGate::closed();
    let mut config = Config::default();
    config.concurrency = 500.try_into().expect("more than zero");
    config.abort_grace = Duration::ZERO;
    let eventful = start(config, gate.handler());
    for n in 0..500 {
        eventful.submit(event(&n.to_string())).await.expect("room");
    }
    until("all run", || gate.came() == 500).await;
    gate.let_through(500);
    until_at_rest(&eventful).await;
    assert_eq!(numbers(eventful.shutdown(None).await), [0; 5]);
}

#[tokio::test(start_paused = true)]
async fn a_great_many_hung_handlers_are_stopped_within_the_graces() {
    const RUNS: usize = 50_000;
    let mut config = Config::default();
    config.concurrency = RUNS.try_into().expect("more than zero");
    config.run_timeout = SECOND * 600;
    let eventful = start(config, hang);
    for n in 0..RUNS {
        eventful.submit(event(&n.to_string())).await.expect("room");
    }
    until("all run", || stats(&eventful).engine.gauges.inflight == RUNS as u64).await;
    let report = eventful.shutdown(Some(Duration::ZERO)).await;
    assert_eq!((report.interrupted, report.abandoned), (RUNS as u64, 0));
    assert!(report.took < eventful.config().abort_grace * 2, "{:?}", report.took);
}

#[tokio::test(start_paused = true)]
async fn a_reader_gets_the_last_facts_before_its_end() {
    let eventful = start(narrow(), hang);
    let mut subscription = eventful.subscribe(100).expect("not broken");
    let (sender, receiver) = mpsc::channel();
    AtOnce::run(async move {
        while let Some(notice) = subscription.recv().await {
            sender.send(notice).expect("the test listens");
        }
    });
    eventful.submit(event("a")).await.expect("room");
    until_status(&eventful, "a", Status::Processing).await;
    eventful.shutdown(Some(Duration::ZERO)).await;
    let read: Vec<_> = receiver.iter().collect();
    let finished =
        |notice: &Notice| matches!(notice, Notice::Fact(fact) if matches!(fact.change, Change::Finished { .. }));
    assert_eq!(read.iter().filter(|notice| finished(notice)).count(), 1, "{read:?}");
}

#[test]
fn a_runtime_that_goes_away_ends_it_too() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let first = runtime().expect("a runtime");
    let eventful = first.block_on(async {
        let eventful = start(narrow(), hang);
        eventful.submit(event("a")).await.expect("room");
        until_status(&eventful, "a", Status::Processing).await;
        eventful
    });
    drop(first);
    let report = runtime().expect("a runtime").block_on(eventful.shutdown(None));
    assert_eq!(report.left, 1);
    assert_eq!(stats(&eventful).phase, Phase::Stopped);
}

fn end(eventful: &Eventful, timeout: Option<Duration>) -> impl Future<Output = ShutdownReport> + use<> {
    let eventful = eventful.clone();
    async move { eventful.shutdown(timeout).await }
}

/// Polls a task wherever it is woken, without a turn in between.
struct AtOnce(Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>);

impl AtOnce {
    fn run(task: impl Future<Output = ()> + Send + 'static) {
        Arc::new(Self(Mutex::new(Some(Box::pin(task))))).wake();
    }
}

impl Wake for AtOnce {
    fn wake(self: Arc<Self>) {
        let waker = Arc::clone(&self).into();
        let mut task = self.0.lock().expect("no panic under the lock");
        if task.as_mut().is_some_and(|task| task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready()) {
            *task = None;
        }
    }
}

/// Polls once.
async fn futures_poll<F: Future>(mut future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        std::task::Poll::Ready(output) => std::task::Poll::Ready(Some(output)),
        std::task::Poll::Pending => std::task::Poll::Ready(None),
    })
    .await
}

fn at_rest_after_the_end(eventful: &Eventful) {
    let stats = stats(eventful);
    assert_eq!(stats.phase, Phase::Stopped);
    assert_eq!((stats.workers_running, stats.permits_free), (0, 1));
    assert_eq!(stats.engine.gauges.inflight, 0);
}

/// Drained, interrupted, abandoned, left, unsynced.
fn numbers(report: ShutdownReport) -> [u64; 5] {
    [report.drained, report.interrupted, report.abandoned, report.left, report.unsynced]
}
