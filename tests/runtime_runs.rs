//! Runs: how they start, end, time out, and what becomes of their permits.

mod harness;

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use eventful::{
    Attempt, Event, Eventful, Failure, RecordView, Status, Submitted, Timestamp, clock::ManualClock,
    engine::facts::AttemptEnd, handler::Stale,
};
use harness::*;

#[tokio::test(start_paused = true)]
async fn an_accepted_event_is_completed() {
    let eventful = start(narrow(), succeed);
    assert_eq!(eventful.submit(event("a")).await, Ok(Submitted::Accepted));
    until_status(&eventful, "a", Status::Completed).await;
    until_at_rest(&eventful).await;
}

#[tokio::test(start_paused = true)]
async fn events_complete_in_order_with_one_ticket_and_one_run() {
    let (keys, order) = mpsc::channel();
    let eventful = start(narrow(), move |event: Event, _: Attempt| {
        let sent = keys.send(event.key().to_string());
        async move { sent.map_err(Failure::from) }
    });
    let ids: Vec<_> = (0..300).map(|n| n.to_string()).collect();
    for id in &ids {
        eventful.submit(event(id)).await.expect("room");
    }
    until("all are completed", || stats(&eventful).engine.gauges.records(Status::Completed) == 300).await;
    assert_eq!(order.try_iter().collect::<Vec<_>>(), ids);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_complete_and_permits_return_on_two_threads() {
    let eventful = start(eventful::Config::default(), succeed);
    for n in 0..5_000 {
        eventful.submit(event(&n.to_string())).await.expect("room");
    }
    until("all are completed", || stats(&eventful).engine.gauges.records(Status::Completed) == 5_000).await;
    until_at_rest(&eventful).await;
    assert_eq!(stats(&eventful).engine.facts.started, 5_000);
}

#[tokio::test(start_paused = true)]
async fn a_retry_starts_at_its_due_time_and_not_at_some_tick() {
    let eventful = start(narrow(), |_: Event, attempt: Attempt| async move {
        if attempt.number() == 1 { Err(Failure::retry("not yet")) } else { Ok(()) }
    });
    eventful.submit(event("a")).await.expect("room");
    until_status(&eventful, "a", Status::FailedRetry).await;
    let due = record(&eventful, "a").eligible_at.expect("it waits");
    tokio::time::sleep(SECOND).await;
    until_status(&eventful, "a", Status::Completed).await;
    let late = record(&eventful, "a").terminal_at.expect("it has ended").since(due);
    assert!(late <= Duration::from_millis(2), "{late:?}");
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_handler_is_the_recorded_error() {
    let eventful = start(narrow(), |event: Event, _: Attempt| async move {
        assert!(event.payload().is_empty(), "the {} is rotten", event.key());
        Ok(())
    });
    eventful.submit(event("apple")).await.expect("room");
    until_status(&eventful, "apple", Status::FailedRetry).await;
    let record = record(&eventful, "apple");
    assert_eq!(record.last_error.expect("an error").as_str(), "the apple is rotten");
    assert_eq!(record.history[0].end, AttemptEnd::Crashed);
    until_at_rest(&eventful).await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_before_the_first_await_is_a_crash_like_any_other() {
    let eventful = start(narrow(), |_: Event, _: Attempt| -> std::future::Pending<Result<(), Failure>> {
        panic!("no future at all")
    });
    eventful.submit(event("a")).await.expect("room");
    until_status(&eventful, "a", Status::FailedRetry).await;
    assert_eq!(record(&eventful, "a").last_error.expect("an error").as_str(), "no future at all");
    until_at_rest(&eventful).await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_while_it_is_dropped_costs_no_permit() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    let mut config = narrow();
    config.max_attempts = 1;
    let eventful = start(config, |_: Event, _: Attempt| async move {
        let _bomb = Bomb;
        std::future::pending().await
    });
    eventful.submit(event("a")).await.expect("room");
    until_status(&eventful, "a", Status::Processing).await;
    tokio::time::sleep(eventful.config().run_timeout).await;
    until_status(&eventful, "a", Status::Failed).await;
    until_at_rest(&eventful).await;
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_failure_becomes_its_outcome() {
    let eventful = start(narrow(), |event: Event, _: Attempt| async move {
        match &**event.payload() {
            b"permanent" => Err(Failure::permanent("never")),
            b"later" => Err(Failure::retry_after("busy", SECOND * 60)),
            b"snooze" => Err(Failure::snooze(SECOND * 90)),
            _ => Err(std::io::Error::other("disk on fire").into()),
        }
    });
    for id in ["permanent", "later", "snooze", "error"] {
        eventful.submit(event(id)).await.expect("room");
    }
    until("all were tried", || stats(&eventful).engine.facts.finished_total() == 4).await;
    let wait = |id| {
        let record = record(&eventful, id);
        record.eligible_at.expect("it waits").since(record.history[0].ended_at)
    };
    assert_eq!(status(&eventful, "permanent"), Some(Status::Failed));
    assert_eq!(wait("later"), SECOND * 60);
    assert_eq!(wait("snooze"), SECOND * 90);
    assert_eq!(record(&eventful, "snooze").charge.charged, 0);
    assert_eq!(record(&eventful, "error").last_error.expect("an error").as_str(), "disk on fire");
}

#[tokio::test(start_paused = true)]
async fn hung_handler_is_dropped_at_its_deadline() {
    let eventful = start(narrow(), |event: Event, _: Attempt| async move {
        if &**event.payload() == b"hung" { std::future::pending().await } else { Ok(()) }
    });
    eventful.submit(event("hung")).await.expect("room");
    eventful.submit(event("next")).await.expect("room");
    until_status(&eventful, "hung", Status::Processing).await;
    assert_eq!(status(&eventful, "next"), Some(Status::Received));
    tokio::time::sleep(eventful.config().run_timeout).await;
    until_status(&eventful, "next", Status::Completed).await;
    assert_eq!(record(&eventful, "hung").history[0].end, AttemptEnd::TimedOut);
    until_at_rest(&eventful).await;
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_keeps_a_long_run_alive() {
    let eventful = start(narrow(), |_: Event, attempt: Attempt| async move {
        for _ in 0..4 {
            tokio::time::sleep(attempt.remaining() / 2).await;
            attempt.heartbeat()?;
        }
        Ok(())
    });
    eventful.submit(event("a")).await.expect("room");
    tokio::time::sleep(eventful.config().run_timeout * 3).await;
    until_status(&eventful, "a", Status::Completed).await;
    assert_eq!(stats(&eventful).engine.facts.started, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handler_that_ignores_cancellation_is_stale_and_keeps_permit() {
    let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1_000_000)));
    let (let_go, hold) = mpsc::channel::<()>();
    let hold = std::sync::Mutex::new(hold);
    let (sender, beats) = mpsc::channel();
    let builder = Eventful::builder().config(narrow()).seed(1).clock(clock.clone());
    let eventful = builder
        .start(move |_: Event, attempt: Attempt| {
            if attempt.number() == 1 {
                sender.send(None).expect("the test listens");
                let _ = hold.lock().expect("no panic under the lock").recv();
                sender.send(Some(attempt.heartbeat())).expect("the test listens");
            }
            async { Ok(()) }
        })
        .expect("a valid configuration");
    eventful.submit(event("a")).await.expect("room");
    until("the handler blocks", || beats.try_recv() == Ok(None)).await;

    clock.advance(eventful.config().run_timeout);
    until_status(&eventful, "a", Status::FailedRetry).await;
    assert_eq!(stats(&eventful).workers_running, 1);
    assert_eq!(stats(&eventful).permits_free, 0);

    let_go.send(()).expect("the handler listens");
    until("the handler continues", || matches!(beats.try_recv(), Ok(Some(Err(Stale { .. }))))).await;
    until_at_rest(&eventful).await;
    assert_eq!(status(&eventful, "a"), Some(Status::FailedRetry));
    assert!(stats(&eventful).engine.tallies.outcomes_stale >= 1);
    clock.advance(SECOND);
    until_status(&eventful, "a", Status::Completed).await;
}

#[tokio::test(start_paused = true)]
async fn other_tasks_of_a_handler_learn_that_its_run_has_ended() {
    let (sender, receiver) = mpsc::channel();
    let eventful = start(narrow(), move |_: Event, attempt: Attempt| {
        let (sender, cancellation) = (sender.clone(), attempt.cancellation());
        async move {
            tokio::spawn(async move {
                let before = cancellation.is_cancelled();
                cancellation.cancelled().await;
                sender.send(!before && cancellation.is_cancelled()).expect("the test listens");
            });
            std::future::pending().await
        }
    });
    eventful.submit(event("a")).await.expect("room");
    until_status(&eventful, "a", Status::Processing).await;
    eventful.discard(&key("a")).await.expect("it is not completed");
    until("it has learned it", || receiver.try_recv() == Ok(true)).await;
    until_at_rest(&eventful).await;
}

#[tokio::test(start_paused = true)]
async fn handlers_that_never_wait_do_not_starve_other_tasks() {
    let eventful = start(narrow(), succeed);
    for n in 0..1_000 {
        eventful.try_submit(event(&n.to_string())).await.expect("room");
    }
    let mut looks = 0;
    until("all are completed", || {
        looks += 1;
        stats(&eventful).engine.gauges.records(Status::Completed) == 1_000
    })
    .await;
    assert!(looks > 5, "the events were done in {looks} turns");
}

fn record(eventful: &Eventful, id: &str) -> RecordView {
    at_once(eventful.get(&key(id))).expect("not broken").expect("it is remembered")
}
