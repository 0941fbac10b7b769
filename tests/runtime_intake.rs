//! Intake: one key has one payload, and room is waited for in order.

mod harness;

use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use eventful::{
    Config, Event, Eventful, GroupPolicy, Status, SubmitError, Submitted,
    engine::{Bound, Rejection},
    metrics::RejectReason,
};
use harness::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_submits_of_one_event_accept_one() {
    let eventful = start(Config::default(), succeed);
    let results = submit_at_once(&eventful, |_| event("a")).await;
    assert_eq!(results.iter().filter(|result| **result == Ok(Submitted::Accepted)).count(), 1);
    assert_eq!(results.iter().filter(|result| matches!(result, Ok(Submitted::Duplicate(_)))).count(), 31);
    until_status(&eventful, "a", Status::Completed).await;
    assert_eq!(stats(&eventful).engine.facts.started, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_submits_of_two_payloads_accept_one_payload() {
    let eventful = start(Config::default(), succeed);
    let results = submit_at_once(&eventful, |n| Event::new(key("a"), if n % 2 == 0 { "even" } else { "odd" })).await;
    assert_eq!(results.iter().filter(|result| **result == Ok(Submitted::Accepted)).count(), 1);
    assert_eq!(results.iter().filter(|result| matches!(result, Err(SubmitError::Conflict(_)))).count(), 16);
    assert_eq!(stats(&eventful).engine.tallies.conflicted, 16);
}

#[tokio::test(start_paused = true)]
async fn batch_returns_a_result_for_each_event_in_its_place() {
    let eventful = start(narrow(), hang);
    let mut batch: Vec<_> = (0..200).map(|n| event(&n.to_string())).collect();
    batch[150] = event("7");
    batch[160] = Event::new(key("8"), "other");
    let results = eventful.submit_batch(batch).await;
    assert_eq!(results.len(), 200);
    for (at, result) in results.iter().enumerate() {
        match at {
            150 => assert!(matches!(result, Ok(Submitted::Duplicate(_))), "{result:?}"),
            160 => assert!(matches!(result, Err(SubmitError::Conflict(_))), "{result:?}"),
            _ => assert_eq!(*result, Ok(Submitted::Accepted)),
        }
    }
    assert!(eventful.submit_batch([]).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn try_submit_is_refused_at_the_bound_and_submit_waits_for_room() {
    let gate = HandlerGate::closed();
    let eventful = start(full_after(1), gate.handler());
    eventful.submit(event("a")).await.expect("room");
    let refused = eventful.try_submit(event("b")).await;
    assert!(matches!(refused, Err(SubmitError::Overloaded { bound: Bound::Pending, .. })), "{refused:?}");
    let waiting = spawn_submit(&eventful, "c");
    until("it waits", || stats(&eventful).submitters_waiting == 1).await;
    gate.let_through(1);
    assert_eq!(waiting.await.expect("no panic"), Ok(Submitted::Accepted));
    assert_eq!(stats(&eventful).submitters_waiting, 0);
    assert_eq!(stats(&eventful).engine.tallies.rejected(RejectReason::Count), 1);
}

#[tokio::test(start_paused = true)]
async fn room_is_given_in_the_order_in_which_it_was_asked_for() {
    let gate = HandlerGate::closed();
    let eventful = start(full_after(1), gate.handler());
    eventful.submit(event("first")).await.expect("room");
    let mut waiting = Vec::new();
    for n in 0..5 {
        waiting.push(spawn_submit(&eventful, &n.to_string()));
        until("it waits", || stats(&eventful).submitters_waiting == n + 1).await;
    }
    for n in 0..5 {
        gate.let_through(1);
        until("one has room", || stats(&eventful).submitters_waiting == 4 - n).await;
        assert!(status(&eventful, &n.to_string()).is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_known_event_does_not_wait_for_room() {
    let eventful = start(full_after(1), hang);
    eventful.submit(event("a")).await.expect("room");
    assert!(matches!(eventful.submit(event("a")).await, Ok(Submitted::Duplicate(_))));
    let conflict = eventful.submit(Event::new(key("a"), "other")).await;
    assert!(matches!(conflict, Err(SubmitError::Conflict(_))), "{conflict:?}");
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_too_large_does_not_wait_for_room() {
    let mut config = full_after(1);
    config.max_event_bytes = 10;
    let eventful = start(config, hang);
    eventful.submit(event("a")).await.expect("room");
    let refused = eventful.submit(Event::new(key("b"), "more than ten bytes")).await;
    assert_eq!(refused, Err(SubmitError::TooLarge { limit_bytes: 10 }));
}

#[tokio::test(start_paused = true)]
async fn full_group_is_refused_at_once_and_holds_up_no_submitter() {
    let mut config = full_after(2);
    config.groups.add("g", GroupPolicy::free().with_max_pending(1)).expect("a policy");
    let gate = HandlerGate::closed();
    let eventful = start(config, gate.handler());
    let grouped = |id| event(id).with_group("g").expect("a short name");
    eventful.submit(grouped("a")).await.expect("room");
    let refused = eventful.submit(grouped("b")).await;
    assert!(matches!(refused, Err(SubmitError::Overloaded { bound: Bound::Group, .. })), "{refused:?}");
    let words = refused.expect_err("the group is full").to_string();
    assert!(words.contains("max_pending of the group's policy"), "{words}");
    eventful.submit(event("c")).await.expect("room outside the group");
    gate.let_through(1);
    until("it has ended", || stats(&eventful).engine.gauges.pending() == 1).await;
    eventful.submit(grouped("b")).await.expect("room again");
}

#[tokio::test(start_paused = true)]
async fn submit_without_room_in_time_is_refused_and_counted_once() {
    let builder = Eventful::builder().config(full_after(1)).seed(1).submit_timeout(SECOND);
    let eventful = builder.start(hang).expect("a valid configuration");
    eventful.submit(event("a")).await.expect("room");
    let before = eventful.now();
    let refused = eventful.submit(event("b")).await;
    assert!(matches!(refused, Err(SubmitError::Overloaded { bound: Bound::Pending, .. })), "{refused:?}");
    let waited = eventful.now().since(before);
    assert!(waited >= SECOND && waited < SECOND * 2, "{waited:?}");
    assert_eq!(stats(&eventful).engine.tallies.rejected(RejectReason::Count), 1);
    assert_eq!(stats(&eventful).submitters_waiting, 0);
}

#[tokio::test(start_paused = true)]
async fn byte_waiter_does_not_spin_when_only_count_has_room() {
    let mut config = narrow();
    config.max_bytes = 100;
    config.max_event_bytes = 100;
    let gate = HandlerGate::closed();
    let eventful = start(config, gate.handler());
    eventful.submit(Event::new(key("a"), vec![0; 60])).await.expect("room");
    let mut big = pin!(eventful.submit(Event::new(key("b"), vec![0; 60])));
    let mut polls = 0;
    let mut counted = pin!(poll_fn(|cx| {
        polls += 1;
        big.as_mut().poll(cx)
    }));
    let released = async {
        settle_down().await;
        gate.let_through(1);
        std::future::pending().await
    };
    let result = tokio::select! {
        biased;
        result = &mut counted => result,
        () = released => Err(SubmitError::ShuttingDown),
    };
    assert_eq!(result, Ok(Submitted::Accepted));
    // Every turn of the other half polls this half too, so it is the notification that must not ring.
    assert!(polls < 300, "polled {polls} times");
}

#[tokio::test(start_paused = true)]
async fn submit_dropped_while_it_waits_lets_the_next_one_in() {
    let gate = HandlerGate::closed();
    let eventful = start(full_after(1), gate.handler());
    eventful.submit(event("a")).await.expect("room");
    let (head, behind, last) =
        (spawn_submit(&eventful, "b"), spawn_submit(&eventful, "c"), spawn_submit(&eventful, "d"));
    until("all wait", || stats(&eventful).submitters_waiting == 3).await;
    behind.abort();
    until("one has gone", || stats(&eventful).submitters_waiting == 2).await;
    // The notification rings for the head, which is dropped before it hears it.
    gate.let_through(1);
    until("there is room", || status(&eventful, "a") == Some(Status::Completed)).await;
    head.abort();
    gate.let_through(1);
    let results = (head.await, last.await.expect("no panic"));
    assert_eq!(results.1, Ok(Submitted::Accepted));
    assert_eq!(status(&eventful, "c"), None);
    assert_eq!(status(&eventful, "b").is_some(), results.0.is_ok());
}

#[tokio::test(start_paused = true)]
async fn submit_dropped_at_any_poll_accepts_or_leaves_no_trace() {
    for polls in 0..6 {
        let gate = HandlerGate::closed();
        let eventful = start(full_after(1), gate.handler());
        eventful.submit(event("a")).await.expect("room");
        {
            let mut submitting = std::pin::pin!(eventful.submit(event("b")));
            for poll in 0..polls {
                if tokio::time::timeout(Duration::ZERO, submitting.as_mut()).await.is_ok() {
                    break;
                }
                if poll == 2 {
                    gate.let_through(1);
                    settle_down().await;
                }
            }
        }
        assert_eq!(stats(&eventful).submitters_waiting, 0);
        gate.let_through(2);
        let accepted = status(&eventful, "b").is_some();
        until("what was accepted is completed", || !accepted || status(&eventful, "b") == Some(Status::Completed))
            .await;
        assert!(eventful.submit(event("c")).await.is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn requests_that_make_no_event_are_counted() {
    let eventful = start(narrow(), succeed);
    eventful.reject(Rejection::Invalid);
    eventful.reject(Rejection::TooLarge);
    let tallies = stats(&eventful).engine.tallies;
    assert_eq!((tallies.rejected(RejectReason::Invalid), tallies.rejected(RejectReason::TooLarge)), (1, 1));
}

fn full_after(max_pending: usize) -> Config {
    let mut config = narrow();
    config.max_pending = max_pending;
    config
}

type Submitting = tokio::task::JoinHandle<Result<Submitted, SubmitError>>;

fn spawn_submit(eventful: &Eventful, id: &str) -> Submitting {
    let (eventful, event) = (eventful.clone(), event(id));
    tokio::spawn(async move { eventful.submit(event).await })
}

async fn submit_at_once(eventful: &Eventful, make: impl Fn(usize) -> Event) -> Vec<Result<Submitted, SubmitError>> {
    let tasks: Vec<Submitting> = (0..32)
        .map(|n| {
            let (eventful, event) = (eventful.clone(), make(n));
            tokio::spawn(async move { eventful.submit(event).await })
        })
        .collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.expect("no panic"));
    }
    results
}
