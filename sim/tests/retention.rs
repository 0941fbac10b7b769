//! Retention counts the time for which the engine is open: neither a stop nor a clock that steps between two starts
//! makes a record expire.

use std::time::Duration;

use eventful::{
    Config, Status,
    engine::{Answer, Command, ErrorText, Outcome},
};
use eventful_sim::driver::{EngineDriver, key};

const DAY: Duration = Duration::from_secs(24 * 3600);

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn downtime_does_not_count_toward_retention() {
    let mut driver = completed("a");
    driver.advance(30 * DAY);
    driver.reopen();
    driver.sweep();
    assert_eq!(driver.status("a"), Some(Status::Completed));
    assert!(matches!(driver.submit("a"), Answer::Duplicate(_)));

    driver.advance(driver.engine().config().retention - Duration::from_micros(1));
    assert_eq!(driver.status("a"), Some(Status::Completed), "it has been remembered while the engine was open");
    driver.advance(Duration::from_micros(1));
    assert_eq!(driver.status("a"), None);
    driver.sweep();
    assert_eq!(driver.engine().gauges().records_total(), 0);
}

#[test]
fn start_with_a_clock_a_month_ahead_forgets_nothing() {
    let mut driver = completed("a");
    let right = driver.now + MINUTE;
    driver.now = right + 30 * DAY;
    driver.reopen();
    driver.submit("b");
    driver.run(Outcome::Done);

    for corrected in 1..4 {
        driver.now = right + corrected * MINUTE;
        driver.reopen();
        driver.sweep();
        assert_eq!(driver.status("a"), Some(Status::Completed), "start {corrected}");
        assert_eq!(driver.status("b"), Some(Status::Completed), "start {corrected}");
    }
}

#[test]
fn time_that_the_engine_was_open_counts_over_restarts() {
    let mut driver = completed("a");
    let half = driver.engine().config().retention / 2;
    for _ in 0..2 {
        driver.advance(half);
        // A fact proves that the engine was open until now.
        driver.execute(Command::Pause);
        driver.execute(Command::Resume);
        driver.advance(DAY);
        driver.reopen();
    }
    assert_eq!(driver.status("a"), None, "two halves are a whole");
}

#[test]
fn event_that_ends_after_a_downtime_has_its_whole_retention() {
    let mut driver = completed("a");
    driver.advance(DAY);
    driver.reopen();
    driver.submit("b");
    driver.run(Outcome::Done);

    driver.advance(driver.engine().config().retention);
    assert_eq!((driver.status("a"), driver.status("b")), (None, None));
}

#[test]
fn full_store_says_when_a_record_expires_in_spite_of_a_downtime() {
    let mut config = Config::default();
    (config.max_pending, config.max_records) = (1, 1);
    let mut driver = EngineDriver::new(config);
    driver.submit("a");
    driver.run(Outcome::Done);
    driver.advance(DAY);
    driver.reopen();

    let Answer::Refused(eventful::engine::Refusal::Overloaded { retry_after, .. }) = driver.submit("b") else {
        panic!("the record of a is remembered")
    };
    assert_eq!(retry_after, driver.engine().config().retention);
    driver.advance(retry_after);
    assert_eq!(driver.submit("b"), Answer::Accepted);
}

#[test]
fn retry_waits_for_its_own_delay_when_the_clock_went_back() {
    let mut driver = EngineDriver::new(Config::default());
    driver.submit("a");
    let after = Some(5 * MINUTE);
    driver.run(Outcome::Retry { error: ErrorText::new("not now"), after });
    let eligible_at = driver.record("a").and_then(|record| record.eligible_at).expect("it waits");
    let last = driver.now;

    driver.now = EngineDriver::OPENED_AT;
    driver.reopen();

    // The driver of an engine starts its clock at the last time that the journal has.
    assert_eq!(eligible_at.since(last), 5 * MINUTE);
    driver.now = last + 5 * MINUTE;
    driver.sweep();
    assert!(driver.start().is_some());
}

/// Returns an engine in which this event was completed.
fn completed(id: &str) -> EngineDriver {
    let mut driver = EngineDriver::new(Config::default());
    driver.submit(id);
    driver.run(Outcome::Done);
    assert_eq!(driver.record(id).map(|record| record.key), Some(key(id)));
    driver
}
