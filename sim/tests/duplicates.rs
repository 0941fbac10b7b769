//! One key, one payload: duplicates and conflicts in every status of an event.

use std::time::Duration;

use eventful::{
    Config, Event, Key, Status,
    engine::{Answer, Command, InvalidKey, Outcome},
};
use eventful_sim::driver::{EngineDriver, key};

const MICROSECOND: Duration = Duration::from_micros(1);

#[test]
fn received_event_is_deduplicated() {
    let mut driver = received();
    assert_known(&mut driver, Status::Received);
}

#[test]
fn processing_event_is_deduplicated() {
    let mut driver = received();
    driver.start().expect("a run");
    assert_known(&mut driver, Status::Processing);
}

#[test]
fn duplicate_shortens_no_backoff() {
    let mut driver = received();
    driver.run(retry());
    let due = driver.engine().next_deadline();
    assert_known(&mut driver, Status::FailedRetry);
    assert_eq!(driver.engine().next_deadline(), due);
    assert_eq!(driver.engine().gauges().delayed, 1);
}

#[test]
fn completed_event_is_deduplicated() {
    let mut driver = received();
    driver.run(Outcome::Done);
    assert_known(&mut driver, Status::Completed);
}

#[test]
fn duplicate_wakes_no_failed_event() {
    let mut driver = received();
    driver.run(permanent());
    assert_known(&mut driver, Status::Failed);
}

#[test]
fn discarded_event_is_deduplicated() {
    let mut driver = received();
    driver.execute(Command::Discard(key("a")));
    assert_known(&mut driver, Status::Discarded);
}

#[test]
fn duplicate_refreshes_no_retention_to_its_last_microsecond() {
    for end in [Outcome::Done, permanent()] {
        let mut driver = received_with(Some(Config::default().retention));
        driver.run(end);
        driver.advance(retention(&driver) - MICROSECOND);
        assert!(matches!(driver.submit("a"), Answer::Duplicate(_)));
        assert!(matches!(driver.submit_payload("a", "y"), Answer::Conflict(_)));

        driver.advance(MICROSECOND);

        assert_eq!(driver.record("a"), None);
        assert_eq!(driver.submit_payload("a", "y"), Answer::Accepted, "another event meanwhile");
        assert_eq!(driver.engine().metrics().facts.forgotten_total(), 1);
    }
}

#[test]
fn expired_event_is_absent_a_microsecond_after_its_retention() {
    let mut driver = received();
    driver.run(Outcome::Done);
    driver.advance(retention(&driver) + MICROSECOND);

    assert_eq!(driver.execute(Command::Discard(key("a"))), Answer::NotFound);
    assert_eq!(driver.execute(Command::Redrive(key("a"))), Answer::NotFound);
    assert_eq!(driver.submit("a"), Answer::Accepted);
}

#[test]
fn expired_failed_event_cannot_be_redriven() {
    let mut driver = received_with(Some(Duration::from_secs(60)));
    driver.run(permanent());
    driver.advance(Duration::from_secs(60));
    assert_eq!(driver.execute(Command::Redrive(key("a"))), Answer::NotFound);
}

#[test]
fn conflict_leaves_the_first_payload_to_be_run() {
    let mut driver = received();
    assert!(matches!(driver.submit_payload("a", "y"), Answer::Conflict(_)));
    assert_eq!(&driver.start().expect("a run").event.payload()[..], b"x");
}

#[test]
fn hostile_ids_make_no_key() {
    let long = "x".repeat(1 << 20);
    assert_eq!(Key::new("", ""), Err(InvalidKey::Empty));
    for id in [long.as_str(), "a\0b", "a\nb", "\r", "\u{7f}", "\u{85}"] {
        assert!(Key::new("", id).is_err(), "{:?}", id.chars().take(8).collect::<String>());
        assert!(Key::new(id, "a").is_err());
    }
}

#[test]
fn longest_and_oddest_ids_are_distinct() {
    let longest = "x".repeat(Key::MAX_ID_BYTES);
    let parts =
        [("ab", "c"), ("a", "bc"), ("", "abc"), ("", longest.as_str()), ("", "\u{202e}"), ("", "a/b"), ("a", "b")];
    let mut driver = EngineDriver::new(Config::default());
    for (source, id) in parts {
        let key = Key::new(source, id).expect("odd, but allowed");
        assert_eq!(driver.execute(Command::Submit(Event::new(key, "x"))), Answer::Accepted, "{source} {id}");
    }
}

/// Checks that the event is known with this status, whatever its payload, and that a submission changes nothing.
fn assert_known(driver: &mut EngineDriver, status: Status) {
    driver.advance(MICROSECOND);
    let before = driver.record("a").expect("a record");
    let Answer::Duplicate(duplicate) = driver.submit("a") else { panic!("no duplicate") };
    assert_eq!((duplicate.status, duplicate.attempt), (status, before.attempt));
    assert_eq!(duplicate.accepted_at, EngineDriver::OPENED_AT);
    let Answer::Conflict(conflict) = driver.submit_payload("a", "y") else { panic!("no conflict") };
    assert_eq!((conflict.stored, conflict.first_received_at), (before.digest, EngineDriver::OPENED_AT));
    assert_eq!(driver.record("a"), Some(before));
}

fn received() -> EngineDriver {
    received_with(None)
}

fn received_with(failed_retention: Option<Duration>) -> EngineDriver {
    let mut config = Config::default();
    config.failed_retention = failed_retention;
    let mut driver = EngineDriver::new(config);
    assert_eq!(driver.submit("a"), Answer::Accepted);
    driver
}

fn retention(driver: &EngineDriver) -> Duration {
    driver.engine().config().retention
}

fn retry() -> Outcome {
    Outcome::Retry { error: eventful::engine::ErrorText::new("try again"), after: None }
}

fn permanent() -> Outcome {
    Outcome::Permanent { error: eventful::engine::ErrorText::new("wrong") }
}
