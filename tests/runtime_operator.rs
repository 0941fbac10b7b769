//! The calls of an operator, and the times at which the engine wakes by itself.

mod harness;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use eventful::{
    Attempt, Config, Cursor, Event, Eventful, Failure, GroupPolicy, Notice, StartError, Status, Subscription,
    Timestamp,
    clock::{Clock, ManualClock, Sleep},
    engine::{
        Bound, GroupName, InvalidConfig,
        facts::{AttemptEnd, Change},
    },
    metrics::Readiness,
    operator::{DiscardError, PauseError, RedriveError, Redriven},
};
use harness::*;

#[tokio::test(start_paused = true)]
async fn a_failed_event_gets_another_life() {
    let ledger = Arc::new(AttemptLog::default());
    let eventful = start(narrow(), failing_first(&ledger));
    eventful.submit(event("a")).await.expect("room");
    until_status(&eventful, "a", Status::Failed).await;
    assert_eq!(eventful.redrive(&key("a")).await, Ok(()));
    until_status(&eventful, "a", Status::Completed).await;
    assert_eq!(ledger.runs("a"), 2);
    assert_eq!(eventful.redrive(&key("a")).await, Err(RedriveError::NotFailed(Status::Completed)));
    assert_eq!(eventful.redrive(&key("b")).await, Err(RedriveError::NotFound));
}

#[tokio::test(start_paused = true)]
async fn all_failed_events_get_another_life_page_by_page() {
    let ledger = Arc::new(AttemptLog::default());
    let eventful = start(Config::default(), failing_first(&ledger));
    for n in 0..250 {
        eventful.submit(event(&n.to_string())).await.expect("room");
    }
    until("all have failed", || stats(&eventful).engine.gauges.records(Status::Failed) == 250).await;
    let mut total = 0;
    let mut cursor = Some(Cursor::START);
    while let Some(after) = cursor {
        let Redriven { count, left, next, .. } = eventful.redrive_all(after).await.expect("room");
        assert!(count <= 100);
        (total, cursor) = (total + count, next);
        assert_eq!(left, 250 - total as u64);
    }
    assert_eq!(total, 250);
    until("all are completed", || stats(&eventful).engine.gauges.records(Status::Completed) == 250).await;
}

#[tokio::test(start_paused = true)]
async fn redriving_all_stops_at_a_bound_and_can_continue_from_there() {
    let mut config = Config::default();
    config.max_pending = 3;
    let ledger = Arc::new(AttemptLog::default());
    let eventful = start(config, failing_first(&ledger));
    for n in 0..5 {
        eventful.submit(event(&n.to_string())).await.expect("room");
        until_status(&eventful, &n.to_string(), Status::Failed).await;
    }
    eventful.pause().await.expect("it runs");
    let first = eventful.redrive_all(Cursor::START).await.expect("room for some");
    assert_eq!((first.count, first.left), (3, 2));
    let refused = eventful.redrive_all(first.next.expect("there are more")).await;
    assert!(matches!(refused, Err(RedriveError::Overloaded { .. })), "{refused:?}");
    eventful.resume().await.expect("it runs");
    until("they are completed", || stats(&eventful).engine.gauges.pending() == 0).await;
    let last = eventful.redrive_all(first.next.expect("there are more")).await.expect("room");
    assert_eq!((last.count, last.left, last.next), (2, 0, None));
}

#[tokio::test(start_paused = true)]
async fn full_group_does_not_stop_the_redrive_of_all_others() {
    let mut config = Config::default();
    config.groups.add("g", GroupPolicy::fifo().with_max_pending(1)).expect("a policy");
    let ledger = Arc::new(AttemptLog::default());
    let eventful = start(config, failing_first(&ledger));
    let grouped = |id: &str| event(id).with_group("g").expect("a short name");
    for failing in (0..120).map(|n| grouped(&format!("g{n}"))).chain([event("other"), event("another")]) {
        let id = failing.key().id().to_string();
        eventful.submit(failing).await.expect("room");
        until_status(&eventful, &id, Status::Failed).await;
    }
    eventful.pause().await.expect("it runs");
    eventful.submit(grouped("fills it")).await.expect("room for one");
    let first = eventful.redrive_all(Cursor::START).await.expect("there are more");
    assert_eq!((first.count, first.left), (0, 122));
    let second = eventful.redrive_all(first.next.expect("there are more")).await.expect("some have room");
    assert_eq!((second.count, second.left, second.next), (2, 120, None));

    let mut refused = Ok(Some(Cursor::START));
    while let Ok(Some(after)) = refused {
        refused = eventful.redrive_all(after).await.map(|page| page.next);
    }
    assert!(matches!(refused, Err(RedriveError::Overloaded { bound: Bound::Group, .. })), "{refused:?}");
    eventful.resume().await.expect("it runs");
    until("it has room", || stats(&eventful).engine.gauges.pending() == 0).await;
    assert_eq!(eventful.redrive_all(Cursor::START).await.map(|page| page.count), Ok(1), "of its group one at a time");
}

#[tokio::test(start_paused = true)]
async fn discarded_run_is_stopped_and_its_permit_is_used_again() {
    let eventful = start(narrow(), |event: Event, _: Attempt| async move {
        if &**event.payload() == b"hung" { std::future::pending().await } else { Ok(()) }
    });
    eventful.submit(event("hung")).await.expect("room");
    eventful.submit(event("next")).await.expect("room");
    until_status(&eventful, "hung", Status::Processing).await;
    assert_eq!(eventful.discard(&key("hung")).await, Ok(()));
    until_status(&eventful, "next", Status::Completed).await;
    assert_eq!(status(&eventful, "hung"), Some(Status::Discarded));
    assert_eq!(stats(&eventful).engine.facts.finished(AttemptEnd::Discarded), 1);
    assert_eq!(eventful.discard(&key("next")).await, Err(DiscardError::Completed));
    assert_eq!(eventful.discard(&key("none")).await, Err(DiscardError::NotFound));
    until_at_rest(&eventful).await;
}

#[tokio::test(start_paused = true)]
async fn paused_engine_accepts_events_and_starts_them_in_order_later() {
    let (keys, order) = std::sync::mpsc::channel();
    let eventful = start(narrow(), move |event: Event, _: Attempt| {
        let sent = keys.send(event.key().to_string());
        async move { sent.map_err(Failure::from) }
    });
    eventful.pause().await.expect("it runs");
    for id in ["a", "b", "c"] {
        eventful.submit(event(id)).await.expect("room");
    }
    tokio::time::sleep(SECOND * 1_000).await;
    assert_eq!(eventful.readiness(), Readiness::Ready);
    assert_eq!(stats(&eventful).engine.facts.started, 0);
    assert_eq!(stats(&eventful).dispatcher_restarts, 0);
    eventful.resume().await.expect("it runs");
    until("all are completed", || stats(&eventful).engine.gauges.records(Status::Completed) == 3).await;
    assert_eq!(order.try_iter().collect::<Vec<_>>(), ["a", "b", "c"]);
    eventful.shutdown(None).await;
    assert_eq!(eventful.pause().await, Err(PauseError::ShuttingDown));
}

#[tokio::test(start_paused = true)]
async fn paused_group_waits_while_others_run() {
    let eventful = start(narrow(), succeed);
    let group = GroupName::new("g").expect("a short name");
    eventful.pause_group(&group).await.expect("it runs");
    eventful.submit(event("a").with_group("g").expect("a short name")).await.expect("room");
    eventful.submit(event("b")).await.expect("room");
    until("the other has ended", || stats(&eventful).engine.gauges.records(Status::Completed) == 1).await;
    assert_eq!(stats(&eventful).paused_groups, std::slice::from_ref(&group));
    eventful.resume_group(&group).await.expect("it runs");
    until("both are completed", || stats(&eventful).engine.gauges.records(Status::Completed) == 2).await;
    eventful.shutdown(None).await;
    assert_eq!(eventful.pause_group(&group).await, Err(PauseError::ShuttingDown));
}

#[tokio::test(start_paused = true)]
async fn retries_due_while_paused_start_when_the_engine_resumes() {
    let clock = Arc::new(CountingClock::default());
    let ledger = Arc::new(AttemptLog::default());
    let builder = Eventful::builder().config(retrying()).seed(1).clock(clock.clone());
    let eventful = builder.start(retrying_first(&ledger)).expect("a valid configuration");
    for n in 0..3 {
        eventful.submit(event(&n.to_string())).await.expect("room");
    }
    until("all were tried", || stats(&eventful).engine.facts.finished_total() == 3).await;
    eventful.pause().await.expect("it runs");
    let (sweeps, sleeps) = (stats(&eventful).engine.tallies.sweeps, clock.sleeps());
    tokio::time::sleep(SECOND * 500).await;
    assert!(stats(&eventful).engine.tallies.sweeps - sweeps <= 3);
    assert!(clock.sleeps() - sleeps <= 6, "{} waits", clock.sleeps() - sleeps);
    eventful.resume().await.expect("it runs");
    until("all are completed", || stats(&eventful).engine.gauges.records(Status::Completed) == 3).await;
}

#[tokio::test(start_paused = true)]
async fn idle_engine_wakes_no_task() {
    let clock = Arc::new(CountingClock::default());
    let mut config = narrow();
    config.retention = SECOND * 100_000;
    let builder = Eventful::builder().config(config).seed(1).clock(clock.clone());
    let eventful = builder.start(succeed).expect("a valid configuration");
    tokio::time::sleep(SECOND * 1_000).await;
    assert_eq!(clock.sleeps(), 0);
    eventful.submit(event("a")).await.expect("room");
    until_status(&eventful, "a", Status::Completed).await;
    // The wait for the run's deadline is not taken back; when it ends, nothing is due.
    tokio::time::sleep(SECOND * 1_000).await;
    let waits = clock.sleeps();
    assert!(waits <= 2, "{waits} waits");
    tokio::time::sleep(SECOND * 90_000).await;
    assert_eq!(clock.sleeps(), waits);
    assert_eq!(stats(&eventful).engine.tallies.sweeps, 0);
}

#[tokio::test(start_paused = true)]
async fn an_idle_engine_starts_what_is_submitted_without_any_sweep() {
    let eventful = start(narrow(), succeed);
    settle_down().await;
    for n in 0..10 {
        eventful.try_submit(event(&n.to_string())).await.expect("room");
        until_status(&eventful, &n.to_string(), Status::Completed).await;
        until_at_rest(&eventful).await;
    }
    assert_eq!(stats(&eventful).engine.tallies.sweeps, 0);
}

#[tokio::test]
async fn retry_under_a_manual_clock_waits_for_the_clock_to_move() {
    let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1)));
    let ledger = Arc::new(AttemptLog::default());
    let builder = Eventful::builder().config(retrying()).seed(1).clock(clock.clone());
    let eventful = builder.start(retrying_first(&ledger)).expect("a valid configuration");
    eventful.submit(event("a")).await.expect("room");
    until_status(&eventful, "a", Status::FailedRetry).await;
    clock.advance(SECOND - std::time::Duration::from_micros(1));
    settle_down().await;
    assert_eq!(ledger.runs("a"), 1);
    clock.advance(std::time::Duration::from_micros(1));
    until_status(&eventful, "a", Status::Completed).await;
}

#[tokio::test(start_paused = true)]
async fn subscription_returns_the_facts_in_order() {
    let eventful = start(narrow(), succeed);
    let mut facts = eventful.subscribe(16).expect("not broken");
    eventful.submit(event("a")).await.expect("room");
    assert!(matches!(next(&mut facts).await, Change::Accepted(accepted) if accepted == event("a")));
    assert!(matches!(next(&mut facts).await, Change::Started { key: started, .. } if started == key("a")));
    assert!(matches!(next(&mut facts).await, Change::Finished { end: AttemptEnd::Done, .. }));
    eventful.shutdown(None).await;
    assert_eq!(facts.recv().await, None);
}

#[tokio::test(start_paused = true)]
async fn slow_subscription_loses_the_oldest_facts_and_learns_how_many() {
    let eventful = start(narrow(), hang);
    eventful.pause().await.expect("it runs");
    let mut slow = eventful.subscribe(2).expect("not broken");
    for id in ["a", "b", "c", "d", "e"] {
        eventful.submit(event(id)).await.expect("room");
    }
    assert_eq!(slow.recv().await, Some(Notice::Lagged(3)));
    assert!(matches!(next(&mut slow).await, Change::Accepted(accepted) if accepted == event("d")));
    assert!(matches!(next(&mut slow).await, Change::Accepted(accepted) if accepted == event("e")));
    assert_eq!(stats(&eventful).subscription_dropped, 3);
}

#[tokio::test(start_paused = true)]
async fn page_lists_one_status_and_explain_says_why_an_event_waits() {
    let eventful = start(narrow(), hang);
    for id in ["a", "b", "c"] {
        eventful.submit(event(id)).await.expect("room");
    }
    until_status(&eventful, "a", Status::Processing).await;
    let page = eventful.list(Some(Status::Received), Cursor::START, 10).await.expect("not broken");
    let mut ids: Vec<_> = page.records.iter().map(|record| record.key.to_string()).collect();
    ids.sort();
    assert_eq!(ids, ["b", "c"]);
    assert!(eventful.explain(&key("b")).await.expect("not broken").is_some());
    assert_eq!(eventful.explain(&key("none")).await, Ok(None));
}

#[tokio::test(start_paused = true)]
async fn clock_that_panics_while_the_engine_is_read_breaks_nothing() {
    let clock = Arc::new(BrittleClock::default());
    let builder = Eventful::builder().config(narrow()).seed(1).clock(clock.clone());
    let eventful = builder.start(succeed).expect("a valid configuration");
    eventful.submit(event("a")).await.expect("room");
    until_status(&eventful, "a", Status::Completed).await;
    clock.breaks.store(true, Ordering::SeqCst);
    assert!(catch_unwind(AssertUnwindSafe(|| eventful.stats())).is_err());
    clock.breaks.store(false, Ordering::SeqCst);

    assert!(eventful.stats().is_ok());
    eventful.submit(event("b")).await.expect("room");
    until_status(&eventful, "b", Status::Completed).await;
}

#[test]
fn without_a_runtime_it_does_not_start() {
    assert_eq!(Eventful::builder().start(succeed).err(), Some(StartError::NoRuntime));
}

#[tokio::test]
async fn a_configuration_that_contradicts_itself_is_refused() {
    let refused = Eventful::builder().configure(|config| config.max_attempts = 0).start(succeed).err();
    assert_eq!(refused, Some(StartError::InvalidConfig(InvalidConfig::Zero("max_attempts"))));
}

/// A clock that can panic.
#[derive(Debug, Default)]
struct BrittleClock {
    inner: CountingClock,
    breaks: AtomicBool,
}

impl Clock for BrittleClock {
    fn now(&self) -> Timestamp {
        assert!(!self.breaks.load(Ordering::SeqCst), "the clock broke");
        self.inner.now()
    }

    fn sleep_until(&self, at: Timestamp) -> Sleep<'_> {
        self.inner.sleep_until(at)
    }
}

/// Waits of a second between attempts.
fn retrying() -> Config {
    narrow()
}

/// A handler whose first attempt at each event fails permanently.
fn failing_first(ledger: &Arc<AttemptLog>) -> impl eventful::Handler + use<> {
    first(ledger, || Failure::permanent("the first one fails"))
}

/// A handler whose first attempt at each event fails.
fn retrying_first(ledger: &Arc<AttemptLog>) -> impl eventful::Handler + use<> {
    first(ledger, || Failure::retry("the first one fails"))
}

fn first(ledger: &Arc<AttemptLog>, failure: fn() -> Failure) -> impl eventful::Handler + use<> {
    let ledger = Arc::clone(ledger);
    move |event: Event, _: Attempt| {
        let run = ledger.count(&event);
        async move { if run == 1 { Err(failure()) } else { Ok(()) } }
    }
}

async fn next(facts: &mut Subscription) -> Change {
    match facts.recv().await {
        Some(Notice::Fact(fact)) => fact.change,
        other => panic!("no fact: {other:?}"),
    }
}

#[tokio::test]
async fn page_of_many_is_whole_though_the_lock_is_held_shortly() {
    let eventful = start(Config::default(), succeed);
    eventful.pause().await.expect("open");
    let events = (0..1000).map(|id| event(&format!("{id:04}")));
    assert!(eventful.submit_batch(events).await.iter().all(Result::is_ok));

    let page = eventful.list(Some(Status::Received), Cursor::START, 1000).await.expect("not broken");
    let keys: std::collections::BTreeSet<_> = page.records.iter().map(|record| record.key.clone()).collect();
    assert_eq!((page.records.len(), keys.len()), (1000, 1000));

    let first = eventful.list(None, Cursor::START, 999).await.expect("not broken");
    let rest = eventful.list(None, first.next.expect("one is left"), 999).await.expect("not broken");
    assert_eq!((first.records.len(), rest.records.len(), rest.next), (999, 1, None));
}

#[tokio::test]
async fn page_by_status_ends_where_no_such_record_can_be() {
    let eventful = start(Config::default(), succeed);
    let events = (0..10_000).map(|id| event(&id.to_string()));
    assert!(eventful.submit_batch(events).await.iter().all(Result::is_ok));
    until("all are completed", || stats(&eventful).engine.gauges.pending() == 0).await;

    let failed = eventful.list(Some(Status::Failed), Cursor::START, 10).await.expect("not broken");
    assert_eq!((failed.records.len(), failed.next), (0, None), "no tombstone has failed");
    let mut completed = 0;
    let mut next = Some(Cursor::START);
    while let Some(after) = next {
        let page = eventful.list(Some(Status::Completed), after, 4_000).await.expect("not broken");
        (completed, next) = (completed + page.records.len(), page.next);
    }
    assert_eq!(completed, 10_000);
}
