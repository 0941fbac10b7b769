//! Handlers by type of event.

mod harness;

use std::sync::{Arc, Mutex};

use eventful::{
    Attempt, Config, Event, Eventful, Failure, StartError, Status, TypePolicy, Unmatched,
    engine::{InvalidConfig, TypePolicies},
};
use harness::*;

/// The names of the handlers that were called, each with the id of the event.
type Calls = Arc<Mutex<Vec<String>>>;

#[tokio::test(start_paused = true)]
async fn run_goes_to_the_handler_of_its_type() {
    let calls = Calls::default();
    let builder = Eventful::builder().on("order.*", noting(&calls, "order"), TypePolicy::new());
    let builder = builder.on("mail", noting(&calls, "mail"), TypePolicy::new());
    let eventful = builder.config(narrow()).start(noting(&calls, "default")).expect("patterns that do not overlap");
    for (id, event_type) in [("a", "order.created"), ("b", "mail"), ("c", "mails"), ("d", "order")] {
        eventful.submit(typed(id, event_type)).await.expect("room");
    }
    eventful.submit(event("e")).await.expect("room");
    eventful.wait_idle().await.expect("all end");
    assert_eq!(*calls.lock().unwrap(), ["order a", "mail b", "default c", "default d", "default e"]);
}

#[tokio::test(start_paused = true)]
async fn policy_without_handler_goes_to_the_default_one() {
    let calls = Calls::default();
    let limited = |config: &mut Config| drop(config.types.add("mail", TypePolicy::new().with_concurrency(1)));
    let builder = Eventful::builder().on("order", noting(&calls, "order"), TypePolicy::new()).configure(limited);
    let eventful = builder.start(noting(&calls, "default")).expect("it starts");
    eventful.submit(typed("a", "mail")).await.expect("room");
    eventful.submit(typed("b", "order")).await.expect("room");
    eventful.wait_idle().await.expect("all end");
    let mut calls = calls.lock().unwrap().clone();
    calls.sort();
    assert_eq!(calls, ["default a", "order b"]);
}

#[tokio::test(start_paused = true)]
async fn policy_of_a_handler_bounds_its_runs() {
    let gate = HandlerGate::closed();
    let policy = TypePolicy::new().with_concurrency(2);
    let eventful = Eventful::builder().on("slow", gate.handler(), policy).start(succeed).expect("it starts");
    for id in ["a", "b", "c"] {
        eventful.submit(typed(id, "slow")).await.expect("room");
    }
    eventful.submit(event("other")).await.expect("room");
    eventful.wait(&key("other")).await.expect("it holds up nothing");
    let gauges = eventful.stats().expect("it works").engine.gauges;
    assert_eq!((gauges.inflight, gauges.gated), (2, 1));
    assert_eq!(gate.came(), 2);
    gate.let_through(3);
    eventful.wait_idle().await.expect("all end");
}

#[tokio::test(start_paused = true)]
async fn last_attempt_is_that_of_the_policy() {
    let lasts = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&lasts);
    let handler = move |_: Event, attempt: Attempt| {
        seen.lock().unwrap().push(attempt.is_last());
        async { Err::<(), _>(Failure::retry("busy")) }
    };
    let eventful = Eventful::builder()
        .on("mail", handler, TypePolicy::new().with_max_attempts(2))
        .start_typed()
        .expect("it starts");
    eventful.submit(typed("a", "mail")).await.expect("room");
    assert_eq!(eventful.wait(&key("a")).await.expect("it ends").status, Status::Failed);
    assert_eq!(*lasts.lock().unwrap(), [false, true]);
}

#[tokio::test(start_paused = true)]
async fn unmatched_event_fails_without_a_default_handler() {
    let eventful = Eventful::builder().on("mail", succeed, TypePolicy::new()).start_typed().expect("it starts");
    eventful.submit(typed("a", "fax")).await.expect("room");
    eventful.submit(event("b")).await.expect("room");
    for (id, words) in [("a", "no handler is for type fax"), ("b", "the event has no type")] {
        let record = eventful.wait(&key(id)).await.expect("it ends");
        let error = record.last_error.expect("a reason");
        assert_eq!((record.status, record.attempt), (Status::Failed, 1));
        assert!(error.as_str().contains(words), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn unmatched_event_waits_where_that_is_configured() {
    let builder = Eventful::builder().on("mail", succeed, TypePolicy::new());
    let builder = builder.configure(|config| config.unmatched = Unmatched::Wait);
    let eventful = builder.open_typed().await.expect("it starts");
    eventful.submit(typed("a", "fax")).await.expect("room");
    eventful.submit(typed("b", "mail")).await.expect("room");
    eventful.wait(&key("b")).await.expect("it holds up nothing");
    assert_eq!(status(&eventful, "a"), Some(Status::Received));
    assert_eq!(eventful.stats().expect("it works").engine.gauges.gated, 1);
}

#[tokio::test]
async fn start_is_refused_with_types_that_do_not_fit() {
    let builder = || Eventful::builder().on("a.*", succeed, TypePolicy::new());
    let overlapping = builder().on("a.b", succeed, TypePolicy::new()).start(succeed).expect_err("they overlap");
    assert!(overlapping.to_string().contains("`a.b` overlaps with that of `a.*`"), "{overlapping}");

    let limited = |config: &mut Config| drop(config.types.add("b", TypePolicy::new()));
    let refused = builder().configure(limited).start_typed().err();
    assert_eq!(refused, Some(StartError::NoHandler("b".into())));
    assert_eq!(Eventful::builder().start_typed().err(), Some(StartError::NoHandler("*".into())));

    let waits = |config: &mut Config| config.unmatched = Unmatched::Wait;
    let refused = Eventful::builder().configure(waits).start(succeed).err();
    assert_eq!(refused, Some(StartError::InvalidConfig(InvalidConfig::NoPolicy)));

    let longer = TypePolicy::new().with_run_timeout(SECOND * 100_000);
    let refused = Eventful::builder().on("a", succeed, longer).start(succeed).err();
    let wrong = InvalidConfig::Less("the run_lifetime of a type policy", "its run_timeout");
    assert_eq!(refused, Some(StartError::InvalidConfig(wrong)));
}

#[tokio::test]
async fn configuration_shows_the_policies_of_handlers() {
    let policy = TypePolicy::new().with_concurrency(3);
    let eventful = Eventful::builder().on("a", succeed, policy.clone()).start(succeed).expect("it starts");
    let mut types = TypePolicies::default();
    types.add("a", policy).expect("a policy");
    assert_eq!(eventful.config().types, types);
}

fn typed(id: &str, event_type: &str) -> Event {
    event(id).with_type(event_type).expect("a short type")
}

fn noting(calls: &Calls, name: &'static str) -> impl eventful::Handler {
    let calls = Arc::clone(calls);
    move |event: Event, _: Attempt| {
        calls.lock().expect("no panic").push(format!("{name} {}", event.key().id()));
        async { Ok::<(), Failure>(()) }
    }
}
