//! Retries are bounded and spread.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use eventful::{
    Backoff, Config, Status, Timestamp,
    engine::{Command, ErrorText, Outcome, Wake},
    metrics::SweptReason,
};
use eventful_sim::driver::{EngineDriver, key};

#[test]
fn ten_thousand_events_that_fail_at_once_come_back_apart() {
    const EVENTS: usize = 10_000;
    let mut config = Config::default();
    config.channel_capacity = NonZeroUsize::new(EVENTS).expect("above zero");
    config.backoff = Backoff { base: Duration::from_secs(100), ..Backoff::default() };
    let mut driver = EngineDriver::new(config);
    for n in 0..EVENTS {
        driver.submit(&format!("event-{n}"));
    }
    while let Some(run) = driver.start() {
        driver.settle(run.id, retry(None));
    }

    let mut due_in_second = BTreeMap::<u64, usize>::new();
    for record in driver.sut().records(driver.now, 1000) {
        let due = record.eligible_at.expect("it waits").since(driver.now);
        *due_in_second.entry(due.as_secs()).or_default() += 1;
    }

    // Half of 100 s is random: 200 events a second on average. The bound is six standard deviations above it.
    assert!(due_in_second.values().all(|count| *count <= 200 + 6 * 15), "{due_in_second:?}");
    assert!(due_in_second.keys().all(|second| (50..=100).contains(second)), "{due_in_second:?}");
}

#[test]
fn retry_after_is_a_floor_with_a_ceiling() {
    let config = Config::default();
    let hour = config.max_retry_after;
    for (after, least, most) in [
        (Duration::ZERO, config.backoff.base / 2, config.backoff.base),
        (Duration::from_secs(60), Duration::from_secs(60), Duration::from_secs(60)),
        (Duration::MAX, hour, hour),
    ] {
        let mut driver = one_event(config.clone());
        driver.run(retry(Some(after)));
        let wait = eligible_at(&driver).since(driver.now);
        assert!((least..=most).contains(&wait), "{after:?} became {wait:?}");
    }
}

#[test]
fn longest_backoff_ends_at_the_end_of_time() {
    let mut config = Config::default();
    config.backoff = Backoff { base: Duration::MAX, cap: Duration::MAX, jitter_percent: 0 };
    let mut driver = one_event(config.clone());
    driver.run(retry(None));

    assert_eq!(eligible_at(&driver), Timestamp::MAX);
    assert_eq!(config.backoff.delay(0, &key("a"), u32::MAX, u32::MAX), Duration::from_micros(u64::MAX));
}

#[test]
fn attempts_are_charged_when_they_start() {
    let mut config = Config::default();
    config.max_attempts = 3;
    let mut driver = one_event(config);

    let mut attempts = Vec::new();
    driver.run_to_end(|run| {
        attempts.push(run.attempt);
        Outcome::Crashed { error: ErrorText::new("killed") }
    });

    assert_eq!(attempts, [1, 2, 3]);
    assert_eq!(driver.status("a"), Some(Status::Failed));
}

#[test]
fn run_without_a_call_gives_its_start_back_up_to_a_limit() {
    let mut config = Config::default();
    (config.max_attempts, config.max_refunds) = (1, 2);
    let mut driver = one_event(config);

    let mut starts = Vec::new();
    driver.run_to_end(|run| {
        starts.push((run.attempt, run.charged));
        Outcome::NotCalled
    });

    assert_eq!(starts, [(1, 1), (2, 1), (3, 1)]);
    assert_eq!(driver.status("a"), Some(Status::Failed));
}

#[test]
fn retry_starts_at_its_due_time() {
    let mut driver = one_event(Config::default());
    driver.run(retry(None));
    let due = eligible_at(&driver);

    assert_eq!(driver.wake().map(|deadline| (deadline.at, deadline.why)), Some((due, Wake::RetryDue)));

    assert!(driver.start().is_some());
    assert_eq!(driver.now, due);
    assert_eq!(driver.engine().metrics().histograms.queue_time.sum(), Duration::ZERO);
}

#[test]
fn retries_due_during_a_pause_wait_in_the_line_without_a_spin() {
    let mut driver = one_event(Config::default());
    driver.run(retry(None));
    driver.execute(Command::Pause);

    assert_eq!(driver.wake().map(|deadline| deadline.why), Some(Wake::RetryDue));

    assert_eq!(driver.engine().gauges().line, 1);
    assert_eq!(driver.engine().next_deadline(), None);
    driver.execute(Command::Resume);
    assert!(driver.start().is_some());
}

#[test]
fn retries_due_while_draining_stay_where_they_are() {
    let mut driver = one_event(Config::default());
    driver.run(retry(None));
    driver.execute(Command::Shutdown);

    assert_eq!(driver.engine().next_deadline(), None);
    driver.advance(Duration::from_secs(3600));
    driver.sweep();
    assert_eq!(driver.engine().gauges().delayed, 1);
}

#[test]
fn cut_sweep_is_the_only_reason_for_a_deadline_in_the_past() {
    let mut config = Config::default();
    config.sweep_batch = NonZeroUsize::new(2).expect("above zero");
    let mut driver = EngineDriver::new(config);
    for n in 0..5 {
        driver.submit(&format!("event-{n}"));
        driver.run(retry(None));
    }
    driver.advance(Duration::from_secs(2));

    for (left, due) in [(3, true), (1, true), (0, false)] {
        driver.sweep();
        assert_eq!(driver.engine().gauges().delayed, left);
        let deadline = driver.engine().next_deadline().expect("something waits");
        assert_eq!(deadline.at <= driver.now, due);
    }
    assert_eq!(driver.engine().metrics().tallies.swept(SweptReason::RetryDue), 5);
}

#[test]
fn every_pending_event_ends_within_the_liveness_bound() {
    const EVENTS: usize = 12;
    let config = small();
    let bound = config.liveness_bound(EVENTS);
    let lifetime = config.run_lifetime;
    let mut driver = EngineDriver::new(config);
    for n in 0..EVENTS {
        driver.submit(&format!("event-{n}"));
    }
    driver.channel.clear();

    let (started_at, mut calls) = (driver.now, 0);
    while driver.engine().gauges().pending() > 0 {
        let run = driver.start_at_last();
        calls += 1;
        driver.advance(lifetime);
        driver.settle(run.id, worst(calls));
    }
    let took = driver.now.since(started_at);

    assert!(took <= bound, "took {took:?} of {bound:?}");
    assert!(took >= bound / 20, "took {took:?} of {bound:?}: the bound says nothing");
    assert_eq!(driver.engine().gauges().records(Status::Failed), EVENTS as u64);
}

/// Returns the longest wait that a handler can ask for, each time.
fn worst(call: usize) -> Outcome {
    match call % 3 {
        0 => Outcome::Snooze { delay: Duration::MAX, reason: None },
        1 => retry(Some(Duration::MAX)),
        _ => retry(None),
    }
}

/// Returns a configuration with one run at a time, and limits that are soon reached.
fn small() -> Config {
    let mut config = Config::default();
    config.concurrency = NonZeroUsize::MIN;
    config.channel_capacity = NonZeroUsize::MIN;
    (config.max_attempts, config.max_snoozes, config.max_refunds) = (3, 2, 1);
    config.max_retry_after = Duration::from_secs(20);
    config.max_snooze = Duration::from_secs(30);
    config.backoff = Backoff { base: Duration::from_secs(1), cap: Duration::from_secs(10), jitter_percent: 50 };
    (config.run_timeout, config.run_lifetime) = (Duration::from_secs(2), Duration::from_secs(2));
    config
}

fn one_event(config: Config) -> EngineDriver {
    let mut driver = EngineDriver::new(config);
    driver.submit("a");
    driver
}

fn eligible_at(driver: &EngineDriver) -> Timestamp {
    driver.record("a").and_then(|record| record.eligible_at).expect("it waits")
}

fn retry(after: Option<Duration>) -> Outcome {
    Outcome::Retry { error: ErrorText::new("try again"), after }
}
