//! Overload is refused, not absorbed, and a refusal changes nothing.

use std::num::NonZeroUsize;
use std::time::Duration;

use eventful::{
    Config, Event, Status,
    engine::{
        Answer, Bound, Command, ErrorText, Outcome, Output, Refusal, Rejection,
        facts::{Change, Replay},
    },
    metrics::RejectReason,
};
use eventful_sim::driver::{EngineDriver, key};

#[test]
fn too_many_pending_events_are_refused_until_one_ends() {
    let mut config = Config::default();
    config.max_pending = 1;
    let mut driver = EngineDriver::new(config);
    driver.submit("a");

    let retry_after = driver.engine().config().overload_retry_after;
    assert_refused(&mut driver, "b", Refusal::Overloaded { bound: Bound::Pending, retry_after }, RejectReason::Count);

    driver.run(Outcome::Done);
    assert_eq!(driver.submit("b"), Answer::Accepted);
}

#[test]
fn too_many_pending_bytes_are_refused_until_one_ends() {
    let mut config = Config::default();
    (config.max_bytes, config.max_event_bytes) = (3, 3);
    let mut driver = EngineDriver::new(config);
    driver.submit("a");

    let retry_after = driver.engine().config().overload_retry_after;
    assert_refused(&mut driver, "b", Refusal::Overloaded { bound: Bound::Bytes, retry_after }, RejectReason::Bytes);

    driver.run(permanent());
    assert_eq!(driver.submit("b"), Answer::Accepted, "bytes of failed events are counted apart");
}

#[test]
fn full_store_refuses_until_its_next_expiry() {
    let mut config = Config::default();
    (config.max_pending, config.max_records) = (1, 2);
    let mut driver = EngineDriver::new(config);
    let retention = driver.engine().config().retention;
    for id in ["a", "b"] {
        driver.submit(id);
        driver.run(Outcome::Done);
        driver.advance(Duration::from_secs(60));
    }

    let retry_after = retention - Duration::from_secs(120);
    assert_refused(&mut driver, "c", Refusal::Overloaded { bound: Bound::Records, retry_after }, RejectReason::Count);

    driver.advance(retry_after - Duration::from_micros(1));
    assert!(matches!(driver.submit("c"), Answer::Refused(_)));
    driver.advance(Duration::from_micros(1));
    assert_eq!(driver.submit("c"), Answer::Accepted, "the dropped event is unknown now");
    assert_eq!(driver.status("a"), None);
    assert_eq!(driver.status("b"), Some(Status::Completed));
}

#[test]
fn submit_to_an_overfull_store_forgets_a_batch_at_most() {
    let retention = Config::default().retention;
    let mut lower = Config::default();
    (lower.max_pending, lower.max_records, lower.sweep_batch) = (1, 2, NonZeroUsize::new(3).expect("three"));
    let mut driver = completed(&["a", "b", "c", "d", "e", "f"]);
    let replay = replayed(&driver, lower.clone());
    let mut out = Output::with_facts();
    let mut engine = replay.open(driver.now, &mut out);
    drop(out.drain_facts());
    driver.advance(retention);

    let submit = || Command::Submit(Event::new(key("g"), "x"));
    let refusal = Refusal::Overloaded { bound: Bound::Records, retry_after: lower.overload_retry_after };
    assert_eq!(engine.execute(driver.now, submit(), &mut out), Answer::Refused(refusal), "three are left, one may be");
    assert_eq!((engine.fact_counters().forgotten_total(), out.facts().len()), (3, 1), "a batch, in one fact");

    assert_eq!(engine.execute(driver.now, submit(), &mut out), Answer::Accepted);
    assert_eq!(engine.fact_counters().forgotten_total(), 5, "no more than the room that it takes");
}

#[test]
fn sweep_forgets_all_that_is_due_with_one_fact() {
    let mut driver = completed(&["a", "b", "c"]);
    driver.advance(driver.engine().config().retention);
    let before = driver.sut().facts().len();

    driver.sweep();

    let Change::Forgotten(keys) = &driver.sut().facts()[before].change else { panic!("it forgets") };
    assert_eq!((keys.len(), driver.sut().facts().len()), (3, before + 1));
    assert_eq!(driver.engine().gauges().records_total(), 0);
}

#[test]
fn event_of_the_greatest_size_is_accepted_and_no_larger_one() {
    let mut config = Config::default();
    config.max_event_bytes = 4;
    let mut driver = EngineDriver::new(config);

    assert_eq!(driver.submit_payload("a", "xyz"), Answer::Accepted);

    let large = driver.execute(Command::Submit(Event::new(key("b"), "wxyz")));
    assert_eq!(large, Answer::Refused(Refusal::TooLarge { limit_bytes: 4 }));
    assert_eq!(driver.record("b"), None);
}

#[test]
fn requests_that_make_no_event_are_counted() {
    let mut driver = EngineDriver::new(Config::default());
    driver.execute(Command::Reject(Rejection::Invalid));
    driver.execute(Command::Reject(Rejection::TooLarge));

    let tallies = driver.engine().metrics().tallies;
    assert_eq!(tallies.rejected(RejectReason::Invalid), 1);
    assert_eq!(tallies.rejected(RejectReason::TooLarge), 1);
    assert_eq!(driver.engine().gauges().records_total(), 0);
}

#[test]
fn full_engine_still_answers_known_keys() {
    let mut config = Config::default();
    config.max_pending = 1;
    let mut driver = EngineDriver::new(config);
    driver.submit("a");
    assert!(matches!(driver.submit("a"), Answer::Duplicate(_)));
    assert!(matches!(driver.submit_payload("a", "y"), Answer::Conflict(_)));
}

#[test]
fn redrive_obeys_the_bound_on_pending_events() {
    let mut config = Config::default();
    config.max_pending = 1;
    let mut driver = EngineDriver::new(config);
    driver.submit("a");
    driver.run(permanent());
    driver.submit("b");

    let answer = driver.execute(Command::Redrive(key("a")));

    assert!(matches!(answer, Answer::Refused(Refusal::Overloaded { bound: Bound::Pending, .. })));
    assert_eq!(driver.status("a"), Some(Status::Failed));
}

#[test]
fn retries_are_never_refused() {
    let mut config = Config::default();
    (config.max_pending, config.max_records) = (1, 1);
    let mut driver = EngineDriver::new(config);
    driver.submit("a");
    driver.run_to_end(|run| match run.attempt {
        1..5 => Outcome::Retry { error: ErrorText::new("try again"), after: None },
        _ => Outcome::Done,
    });
    assert_eq!(driver.status("a"), Some(Status::Completed));
}

/// Returns an engine in which these events were completed at one time.
fn completed(ids: &[&str]) -> EngineDriver {
    let mut driver = EngineDriver::new(Config::default());
    ids.iter().for_each(|id| drop(driver.submit(id)));
    for _ in ids {
        driver.run(Outcome::Done);
    }
    driver
}

/// Replays the facts under another configuration.
fn replayed(driver: &EngineDriver, config: Config) -> Replay {
    let mut replay = Replay::new(config).expect("a valid configuration");
    driver.sut().facts().iter().for_each(|fact| replay.apply(fact).expect("a fact that follows"));
    replay
}

/// Checks that the refusal is the expected one, is counted, and has changed nothing.
fn assert_refused(driver: &mut EngineDriver, id: &str, refusal: Refusal, reason: RejectReason) {
    let before = driver.engine().metrics();
    assert_eq!(driver.submit(id), Answer::Refused(refusal));
    let after = driver.engine().metrics();
    assert_eq!(after.tallies.rejected(reason), before.tallies.rejected(reason) + 1);
    assert_eq!((after.facts, after.gauges), (before.facts, before.gauges));
    assert_eq!(driver.record(id), None);
}

fn permanent() -> Outcome {
    Outcome::Permanent { error: ErrorText::new("wrong") }
}
