//! Faults inside the adapter: lost tickets, lost channels, dead tasks. No event is lost, and no
//! permit.
#![cfg(feature = "sim")]

mod harness;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use eventful::{Attempt, Event, Failure, SubmitError, Unavailable, clock::SystemClock, metrics::SweptReason};
use eventful::{
    Config, Eventful,
    engine::{EnqueueFailure, Phase},
    metrics::NotReady,
    node::{Action, Hooks, Point},
    operator::{DiscardError, PauseError},
};
use eventful::{Status, WaitError, metrics::Readiness, operator::RedriveError};
use harness::*;
use tokio::runtime::Handle;

#[tokio::test(start_paused = true)]
async fn a_full_channel_holds_events_in_the_line_until_it_has_room() {
    let script = PointScript::new(Point::Enqueue, 0..3, Action::Fail);
    let eventful = start_with(narrow(), &script, succeed);
    submit(&eventful, 5).await;
    assert_eq!(stats(&eventful).engine.gauges.queued, 0);
    tokio::time::sleep(SECOND * 5).await;
    until_completed(&eventful, 5).await;
    let tallies = stats(&eventful).engine.tallies;
    assert_eq!(tallies.enqueue_failures(EnqueueFailure::Full), 3);
    assert!(tallies.sweeps <= 4, "{} sweeps", tallies.sweeps);
}

#[tokio::test(start_paused = true)]
async fn channel_that_stays_full_is_tried_once_per_interval() {
    let clock = Arc::new(CountingClock::default());
    let script = PointScript::new(Point::Enqueue, 0..usize::MAX, Action::Fail);
    let builder = Eventful::builder().config(narrow()).seed(1).clock(clock.clone()).hooks(script);
    let eventful = builder.start(succeed).expect("a valid configuration");
    submit(&eventful, 100).await;
    tokio::time::sleep(SECOND * 60).await;
    assert!((55..=61).contains(&stats(&eventful).engine.tallies.sweeps));
    assert!(clock.sleeps() <= 63, "{} waits", clock.sleeps());
    assert_eq!(stats(&eventful).engine.gauges.line, 100);
}

#[tokio::test(start_paused = true)]
async fn dropped_receiver_is_replaced_and_events_stay_in_order() {
    for drop_at in 0..5 {
        let script = PointScript::new(Point::Enqueue, drop_at..drop_at + 1, Action::DropReceiver);
        let mut config = narrow();
        config.channel_capacity = 4.try_into().expect("more than zero");
        let eventful = start_with(config, &script, succeed);
        submit(&eventful, 10).await;
        tokio::time::sleep(SECOND * 5).await;
        until_completed(&eventful, 10).await;
        until("it is restarted", || stats(&eventful).dispatcher_restarts == 1).await;
        until_at_rest(&eventful).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_receiver_dropped_while_a_ticket_is_taken_loses_nothing() {
    let script = PointScript::new(Point::Present, 2..3, Action::DropReceiver);
    let eventful = start_with(narrow(), &script, succeed);
    submit(&eventful, 10).await;
    tokio::time::sleep(SECOND * 5).await;
    until_completed(&eventful, 10).await;
    until_at_rest(&eventful).await;
}

#[tokio::test(start_paused = true)]
async fn a_ticket_lost_in_the_middle_is_noticed_by_the_next_one() {
    let script = PointScript::new(Point::Present, 1..2, Action::Fail);
    let mut config = narrow();
    config.channel_capacity = 8.try_into().expect("more than zero");
    let eventful = start_with(config, &script, succeed);
    submit(&eventful, 5).await;
    until_completed(&eventful, 5).await;
    assert_eq!(stats(&eventful).engine.tallies.swept(SweptReason::LostTicket), 1);
}

#[tokio::test(start_paused = true)]
async fn a_ticket_lost_at_the_tail_is_found_by_a_marker() {
    let script = PointScript::new(Point::Present, 0..1, Action::Fail);
    let eventful = start_with(narrow(), &script, succeed);
    submit(&eventful, 1).await;
    settle_down().await;
    assert_eq!(stats(&eventful).engine.gauges.queued, 1);
    tokio::time::sleep(eventful.config().stuck_after).await;
    until_completed(&eventful, 1).await;
    assert_eq!(stats(&eventful).dispatcher_restarts, 0);
}

#[tokio::test(start_paused = true)]
async fn channel_and_dispatcher_are_replaced_when_the_marker_is_lost() {
    let script = PointScript::new(Point::Present, 0..2, Action::Fail);
    let eventful = start_with(narrow(), &script, succeed);
    submit(&eventful, 1).await;
    tokio::time::sleep(eventful.config().stuck_after * 2 + SECOND).await;
    until_completed(&eventful, 1).await;
    assert_eq!(stats(&eventful).dispatcher_restarts, 1);
    until_at_rest(&eventful).await;
}

#[tokio::test(start_paused = true)]
async fn a_backlog_far_older_than_stuck_after_is_left_alone() {
    let gate = HandlerGate::closed();
    let mut config = narrow();
    config.run_timeout = SECOND * 100_000;
    config.run_lifetime = config.run_timeout;
    let eventful = start(config, gate.handler());
    submit(&eventful, 10).await;
    tokio::time::sleep(SECOND * 10_000).await;
    assert_eq!(stats(&eventful).dispatcher_restarts, 0);
    gate.let_through(10);
    until_completed(&eventful, 10).await;
    assert_eq!(stats(&eventful).engine.facts.started, 10);
}

#[tokio::test(start_paused = true)]
async fn panic_in_a_worker_crashes_one_attempt_and_costs_no_permit() {
    for point in [Point::WorkerStart, Point::BeforeSettle, Point::AfterSettle] {
        for pass in 0..4 {
            let script = PointScript::new(point, pass..pass + 1, Action::Panic);
            let eventful = start_with(narrow(), &script, succeed);
            submit(&eventful, 4).await;
            tokio::time::sleep(SECOND * 2).await;
            until_completed(&eventful, 4).await;
            until_at_rest(&eventful).await;
            assert_eq!(stats(&eventful).dispatcher_restarts, 0, "{point:?} {pass}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_yield_at_any_point_changes_nothing() {
    for point in
        [Point::Dispatch, Point::WorkerStart, Point::BeforeSettle, Point::AfterSettle, Point::Sweep, Point::Drain]
    {
        let script = PointScript::new(point, 0..usize::MAX, Action::Yield);
        let eventful = start_with(narrow(), &script, succeed);
        submit(&eventful, 20).await;
        until_completed(&eventful, 20).await;
        assert_eq!(eventful.shutdown(None).await.left, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_dispatcher_that_panics_is_restarted() {
    let script = PointScript::new(Point::Dispatch, 1..2, Action::Panic);
    let eventful = start_with(narrow(), &script, succeed);
    submit(&eventful, 10).await;
    until_completed(&eventful, 10).await;
    until("it is restarted", || stats(&eventful).dispatcher_restarts == 1).await;
    assert_eq!(eventful.readiness(), Readiness::Ready);
    until_at_rest(&eventful).await;
}

#[tokio::test(start_paused = true)]
async fn dispatcher_that_keeps_panicking_restarts_once_per_interval() {
    let script = PointScript::new(Point::Dispatch, 0..usize::MAX, Action::Panic);
    let eventful = start_with(narrow(), &script, succeed);
    submit(&eventful, 1).await;
    tokio::time::sleep(SECOND * 30).await;
    let restarts = stats(&eventful).dispatcher_restarts;
    assert!((25..=31).contains(&restarts), "{restarts} restarts");
    assert_eq!(eventful.readiness(), Readiness::NotReady(NotReady::DispatcherDown));
    assert_eq!(stats(&eventful).permits_free, 1);
    let report = eventful.shutdown(None).await;
    assert_eq!((report.left, report.took), (1, std::time::Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_sweeper_that_panics_is_restarted_and_retries_still_start() {
    let script = PointScript::new(Point::Sweep, 1..2, Action::Panic);
    let eventful = start_with(narrow(), &script, |_: Event, attempt: Attempt| async move {
        if attempt.number() == 1 { Err(Failure::retry("again")) } else { Ok(()) }
    });
    submit(&eventful, 3).await;
    tokio::time::sleep(SECOND * 2).await;
    until_completed(&eventful, 3).await;
    assert_eq!(stats(&eventful).sweeper_restarts, 1);
    assert_eq!(stats(&eventful).engine.facts.started, 6);
}

#[tokio::test(start_paused = true)]
async fn shutdown_with_a_channel_that_stays_full_leaves_the_line() {
    let script = PointScript::new(Point::Enqueue, 0..usize::MAX, Action::Fail);
    let eventful = start_with(narrow(), &script, succeed);
    submit(&eventful, 7).await;
    let report = eventful.shutdown(None).await;
    assert_eq!((report.left, report.interrupted), (7, 0));
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_shutdown_still_ends_in_a_report() {
    let script = PointScript::new(Point::Drain, 0..1, Action::Panic);
    let eventful = start_with(narrow(), &script, hang);
    submit(&eventful, 2).await;
    until("one runs", || stats(&eventful).engine.gauges.inflight == 1).await;
    let report = eventful.shutdown(None).await;
    assert_eq!((report.interrupted, report.left), (1, 2));
    until_at_rest(&eventful).await;
    assert_eq!(stats(&eventful).phase, Phase::Stopped);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn panic_of_the_thread_that_shuts_down_still_ends_in_a_report() {
    let script = PointScript::new(Point::Drain, 0..1, Action::Panic);
    let eventful = start_with(narrow(), &script, hang);
    submit(&eventful, 2).await;
    until_status(&eventful, "0", Status::Processing).await;
    let report = eventful.shutdown(None).await;
    assert_eq!((report.interrupted, report.left), (1, 2));
    assert_eq!(stats(&eventful).phase, Phase::Stopped);
}

#[tokio::test(start_paused = true)]
async fn run_stopped_before_its_handler_is_called_does_not_call_it() {
    let ledger = Arc::new(AttemptLog::default());
    let script = PointScript::new(Point::WorkerStart, 0..usize::MAX, Action::Yield);
    let seen = Arc::clone(&ledger);
    let eventful = start_with(narrow(), &script, move |event: Event, _: Attempt| {
        seen.count(&event);
        async { Ok(()) }
    });
    submit(&eventful, 1).await;
    until_status(&eventful, "0", Status::Processing).await;
    assert_eq!(ledger.runs("0"), 0);
    eventful.discard(&key("0")).await.expect("it is not completed");
    until_at_rest(&eventful).await;
    assert_eq!(ledger.runs("0"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_broken_engine_ends_and_keeps_nothing_back() {
    let clock = Arc::new(SystemClock::new());
    let script = PointScript::new(Point::Enqueue, 1..2, Action::Panic);
    let builder = Eventful::builder().config(narrow()).seed(1).clock(clock.clone()).hooks(script);
    let eventful = builder.start(hang).expect("a valid configuration");
    let mut facts = eventful.subscribe(100).expect("not broken");
    submit(&eventful, 1).await;
    until_status(&eventful, "0", Status::Processing).await;
    break_it(&eventful).await;

    let report = eventful.shutdown(Some(SECOND * 5)).await;
    assert_eq!((report.abandoned, report.took), (0, std::time::Duration::ZERO));
    while facts.recv().await.is_some() {}
    drop(facts);
    until("no task is left", || Handle::current().metrics().num_alive_tasks() == 0).await;
    drop(eventful);
    assert_eq!(Arc::strong_count(&clock), 1, "nothing holds the engine any more");
}

#[tokio::test(start_paused = true)]
async fn calls_are_broken_and_do_not_panic_after_a_panic_in_the_lock() {
    let script = PointScript::new(Point::Enqueue, 1..2, Action::Panic);
    let eventful = start_with(narrow(), &script, succeed);
    eventful.submit(event("a")).await.expect("room");
    until_status(&eventful, "a", Status::Completed).await;
    break_it(&eventful).await;

    assert_eq!(eventful.stats(), Err(Unavailable::Broken));
    assert_eq!(eventful.get(&key("a")).await, Err(Unavailable::Broken));
    assert_eq!(eventful.submit(event("b")).await, Err(SubmitError::Unavailable(Unavailable::Broken)));
    assert_eq!(eventful.try_submit(event("b")).await, Err(SubmitError::Unavailable(Unavailable::Broken)));
    assert_eq!(
        eventful.submit_batch([event("b"), event("c")]).await,
        vec![Err(SubmitError::Unavailable(Unavailable::Broken)); 2]
    );
    assert_eq!(eventful.redrive(&key("a")).await, Err(RedriveError::Unavailable(Unavailable::Broken)));
    assert_eq!(eventful.discard(&key("a")).await, Err(DiscardError::Unavailable(Unavailable::Broken)));
    assert_eq!(eventful.pause().await, Err(PauseError::Unavailable(Unavailable::Broken)));
    assert_eq!(eventful.readiness(), Readiness::NotReady(NotReady::Broken));
    eventful.shutdown(None).await;
    until("no task is left", || tokio::runtime::Handle::current().metrics().num_alive_tasks() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn waits_end_when_the_engine_breaks() {
    let script = PointScript::new(Point::Enqueue, 1..2, Action::Panic);
    let eventful = start_with(narrow(), &script, hang);
    eventful.submit(event("a")).await.expect("room");
    until_status(&eventful, "a", Status::Processing).await;
    let (one, all) = (eventful.clone(), eventful.clone());
    let mut facts = eventful.subscribe(100).expect("not broken");
    let reader = tokio::spawn(async move { while facts.recv().await.is_some() {} });
    let one = tokio::spawn(async move { one.wait(&key("a")).await });
    let all = tokio::spawn(async move { all.wait_idle().await });
    tokio::task::yield_now().await;
    break_it(&eventful).await;
    assert_eq!(one.await.expect("no panic"), Err(WaitError::Unavailable(Unavailable::Broken)));
    assert_eq!(all.await.expect("no panic"), Err(WaitError::Unavailable(Unavailable::Broken)));
    reader.await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn callers_that_wait_for_room_learn_that_the_engine_is_broken() {
    let mut config = narrow();
    config.max_bytes = 1_000;
    config.max_event_bytes = 1_000;
    let script = PointScript::new(Point::Enqueue, 1..2, Action::Panic);
    let builder = Eventful::builder().config(config).seed(1).submit_timeout(SECOND * 3_600).hooks(script);
    let eventful = builder.start(hang).expect("a valid configuration");
    submit(&eventful, 1).await;
    until_status(&eventful, "0", Status::Processing).await;
    let waiting = ["x", "y"].map(|id| {
        let (eventful, large) = (eventful.clone(), Event::new(key(id), vec![0; 999]));
        tokio::spawn(async move { eventful.submit(large).await })
    });
    until("both wait", || stats(&eventful).submitters_waiting == 2).await;
    let before = eventful.now();
    break_it(&eventful).await;
    for submitter in waiting {
        assert_eq!(submitter.await.expect("no panic"), Err(SubmitError::Unavailable(Unavailable::Broken)));
    }
    assert_eq!(eventful.now(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_two_threads_lost_tickets_and_dead_workers_cost_no_event() {
    let mut config = Config::default();
    config.concurrency = 4.try_into().expect("more than zero");
    config.backoff.base = std::time::Duration::from_micros(1);
    let script = Arc::new(PointScript {
        plans: vec![
            PointPlan { point: Point::Present, every: 7, passes: 0..usize::MAX, action: Action::Fail },
            PointPlan { point: Point::AfterSettle, every: 11, passes: 0..usize::MAX, action: Action::Panic },
            PointPlan { point: Point::BeforeSettle, every: 5, passes: 0..usize::MAX, action: Action::Yield },
        ],
        passed: Mutex::default(),
    });
    let builder = Eventful::builder().config(config).seed(1).hooks(script);
    let eventful = builder.start(succeed).expect("a valid configuration");
    submit(&eventful, 2_000).await;
    // The tail may be lost, which takes a marker to find; new tickets find it at once.
    let mut more = 2_000;
    until("all are completed", || {
        let completed = stats(&eventful).engine.gauges.records(Status::Completed);
        if stats(&eventful).engine.gauges.pending() < 8 && more < 3_000 {
            at_once(eventful.try_submit(event(&more.to_string()))).expect("room");
            more += 1;
        }
        completed >= 2_000
    })
    .await;
    let stats = stats(&eventful);
    assert!(stats.permits_free + stats.workers_running <= 4);
}

/// One plan of a [`Script`].
#[derive(Clone)]
struct PointPlan {
    point: Point,
    /// Of the passes in the range, every how many.
    every: usize,
    passes: Range<usize>,
    action: Action,
}

/// Disturbs certain passes of certain points.
struct PointScript {
    plans: Vec<PointPlan>,
    passed: Mutex<HashMap<Point, usize>>,
}

impl PointScript {
    fn new(point: Point, passes: Range<usize>, action: Action) -> Arc<Self> {
        Arc::new(Self { plans: vec![PointPlan { point, every: 1, passes, action }], passed: Mutex::default() })
    }
}

impl Hooks for PointScript {
    fn at(&self, point: Point) -> Action {
        let mut passed = self.passed.lock().expect("no panic under the lock");
        let pass = passed.entry(point).or_default();
        let now = *pass;
        *pass += 1;
        let fits = |plan: &&PointPlan| {
            plan.point == point && plan.passes.contains(&now) && (now + 1).is_multiple_of(plan.every)
        };
        self.plans.iter().find(fits).map_or(Action::Continue, |plan| plan.action)
    }
}

fn start_with(config: Config, script: &Arc<PointScript>, handler: impl eventful::Handler) -> Eventful {
    let builder = Eventful::builder().config(config).seed(1).hooks(script.clone());
    builder.start(handler).expect("a valid configuration")
}

async fn submit(eventful: &Eventful, count: usize) {
    for n in 0..count {
        eventful.submit(event(&n.to_string())).await.expect("room");
    }
}

/// Has a panic under the lock, at the next event that gets a ticket.
async fn break_it(eventful: &Eventful) {
    let other = eventful.clone();
    let broken = tokio::spawn(async move { other.try_submit(event("last straw")).await }).await;
    assert!(broken.is_err_and(|error| error.is_panic()));
    assert_eq!(eventful.readiness(), Readiness::NotReady(NotReady::Broken));
}

async fn until_completed(eventful: &Eventful, count: u64) {
    until("all are completed", || stats(eventful).engine.gauges.records(Status::Completed) == count).await;
    eventful.check().expect("every invariant holds");
}
