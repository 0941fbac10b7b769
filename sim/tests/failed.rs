//! Failed events are kept until an operator decides, within a bound of their own.

use std::time::Duration;

use eventful::{
    Config, Status,
    engine::{Answer, Bound, Command, ErrorText, FailedOverflow, Outcome, Output, PastAttempt, Refusal, facts::Replay},
    metrics::RejectReason,
};
use eventful_sim::driver::{EngineDriver, key};

const DAY: Duration = Duration::from_secs(86_400);

#[test]
fn failed_event_is_kept_for_ever_by_default() {
    let mut driver = failed(Config::default(), &["a"]);
    assert_eq!(driver.engine().next_deadline(), None, "nothing ends by itself");

    driver.advance(1000 * DAY);
    driver.sweep();

    assert_eq!(driver.status("a"), Some(Status::Failed));
    assert_eq!(driver.execute(Command::Redrive(key("a"))), Answer::Noted);
    assert_eq!(&driver.start().expect("a run").event.payload()[..], b"x");
}

#[test]
fn failed_event_ends_with_failed_retention_and_is_reported() {
    let mut config = Config::default();
    config.failed_retention = Some(30 * DAY);
    let mut driver = failed(config, &["a"]);
    driver.advance(30 * DAY - Duration::from_micros(1));
    driver.sweep();
    assert_eq!(driver.status("a"), Some(Status::Failed));

    driver.advance(Duration::from_micros(1));
    assert_eq!(driver.status("a"), None, "absent before any sweep");
    driver.sweep();

    assert_eq!(dropped(&driver), ["a Expired"]);
    assert_eq!(driver.engine().metrics().facts.forgotten(Status::Failed), 1);
}

#[test]
fn failed_bytes_close_the_intake_with_their_own_reason() {
    let mut driver = failed(bounded(FailedOverflow::Refuse), &["a", "b"]);
    assert!(driver.engine().is_full_of_failures());

    let retry_after = Duration::from_secs(60);
    let refusal = Refusal::Overloaded { bound: Bound::Failed, retry_after };
    assert_eq!(driver.submit("c"), Answer::Refused(refusal), "an operator is waited for, not a second");
    assert_eq!(driver.engine().metrics().tallies.rejected(RejectReason::Failed), 1);
    assert!(matches!(driver.submit("a"), Answer::Duplicate(_)), "known keys are duplicates");

    driver.execute(Command::Discard(key("a")));
    assert!(!driver.engine().is_full_of_failures());
    assert_eq!(driver.submit("c"), Answer::Accepted);
}

#[test]
fn redrive_opens_the_intake_that_failed_events_closed() {
    let mut driver = failed(bounded(FailedOverflow::Refuse), &["a", "b"]);
    assert!(matches!(driver.submit("c"), Answer::Refused(_)));

    assert_eq!(driver.execute(Command::Redrive(key("a"))), Answer::Noted);

    assert_eq!(driver.submit("c"), Answer::Accepted);
}

#[test]
fn refusal_names_the_next_end_of_a_failed_event() {
    let mut config = bounded(FailedOverflow::Refuse);
    config.failed_retention = Some(Duration::from_secs(30));
    let mut driver = failed(config, &["a", "b"]);
    driver.advance(Duration::from_secs(10));

    let retry_after = Duration::from_secs(20);
    assert_eq!(driver.submit("c"), Answer::Refused(Refusal::Overloaded { bound: Bound::Failed, retry_after }));
    driver.advance(retry_after);
    driver.sweep();
    assert_eq!(driver.submit("c"), Answer::Accepted);
}

#[test]
fn oldest_failed_event_is_dropped_first() {
    let mut driver = failed(bounded(FailedOverflow::DropOldest), &["a", "b", "c"]);
    let due = driver.engine().next_deadline().expect("a sweep is wanted");
    assert!(due.at <= driver.now, "at once");

    driver.sweep();

    assert_eq!(dropped(&driver), ["a Overflow", "b Overflow"]);
    assert_eq!((driver.status("b"), driver.status("c")), (None, Some(Status::Failed)));
    assert_eq!(driver.engine().next_deadline(), None, "the rest fits");
    assert_eq!(driver.submit("d"), Answer::Accepted);
}

#[test]
fn late_sweep_of_failed_events_costs_no_memory_without_bound() {
    let mut config = bounded(FailedOverflow::DropOldest);
    config.max_bytes = config.max_event_bytes;
    let mut driver = failed(config, &["a", "b", "c", "d"]);

    let refused = driver.submit("e");

    assert!(matches!(refused, Answer::Refused(Refusal::Overloaded { bound: Bound::Failed, .. })), "{refused:?}");
    driver.sweep();
    assert_eq!(driver.submit("e"), Answer::Accepted);
}

#[test]
fn late_sweep_of_failed_events_leaves_room_up_to_both_bounds() {
    let mut config = bounded(FailedOverflow::DropOldest);
    // Four failed events have 48 bytes, and each of the next two has 2.
    config.max_bytes = 30;
    let mut driver = failed(config, &["a", "b", "c", "d"]);

    assert_eq!(driver.submit("e"), Answer::Accepted, "50 bytes fit");
    let refused = driver.submit("f");
    assert!(matches!(refused, Answer::Refused(Refusal::Overloaded { bound: Bound::Failed, .. })), "{refused:?}");
}

#[test]
fn redrive_obeys_the_bound_on_pending_bytes() {
    let mut config = Config::default();
    (config.max_bytes, config.max_event_bytes) = (10, 10);
    let mut driver = failed(config, &["a"]);
    driver.submit_payload("b", "123456789");

    let refused = driver.execute(Command::Redrive(key("a")));
    assert!(matches!(refused, Answer::Refused(Refusal::Overloaded { bound: Bound::Bytes, .. })), "{refused:?}");

    driver.run(Outcome::Done);
    assert_eq!(driver.execute(Command::Redrive(key("a"))), Answer::Noted);
}

#[test]
fn event_larger_than_a_bound_that_was_lowered_is_redriven_alone() {
    let driver = failed(Config::default(), &["a"]);
    let mut config = Config::default();
    (config.max_bytes, config.max_event_bytes) = (1, 1);
    let mut replay = Replay::new(config).expect("a valid configuration");
    driver.sut().facts().iter().try_for_each(|fact| replay.apply(fact)).expect("facts that follow");
    let mut out = Output::new();
    let mut engine = replay.open(driver.now, &mut out);

    assert_eq!(engine.execute(driver.now, Command::Redrive(key("a")), &mut out), Answer::Noted);
    assert!(engine.gauges().bytes > 1);
}

#[test]
fn failed_events_at_the_cap_of_records_refuse_with_a_delay() {
    let mut config = Config::default();
    (config.max_pending, config.max_records) = (1, 1);
    let mut driver = failed(config, &["a"]);
    let retry_after = driver.engine().config().overload_retry_after;

    let refusal = Refusal::Overloaded { bound: Bound::Records, retry_after };
    assert_eq!(driver.submit("b"), Answer::Refused(refusal), "no record ends by itself");
}

#[test]
fn forgotten_records_are_counted_by_status() {
    let mut config = Config::default();
    config.failed_retention = Some(config.retention);
    let mut driver = failed(config, &["failed 1", "failed 2"]);
    driver.submit("completed");
    driver.run(Outcome::Done);
    for id in ["discarded 1", "discarded 2", "discarded 3"] {
        driver.submit(id);
        driver.execute(Command::Discard(key(id)));
    }
    driver.advance(driver.engine().config().retention);
    driver.sweep();

    let facts = driver.engine().metrics().facts;
    let forgotten = [Status::Completed, Status::Failed, Status::Discarded].map(|status| facts.forgotten(status));
    assert_eq!((forgotten, facts.forgotten_total()), ([1, 2, 3], 6));
    driver.reopen();
    assert_eq!(driver.engine().metrics().facts, facts);
}

#[test]
fn past_attempt_keeps_the_beginning_of_its_error() {
    let mut driver = EngineDriver::new(Config::default());
    driver.submit("a");
    let long = "x".repeat(ErrorText::MAX_BYTES);
    let errors = ["first", "second", long.as_str()];
    let mut next = errors.iter();
    driver.run_to_end(|_| match next.next() {
        Some(error) => Outcome::Retry { error: ErrorText::new(error), after: None },
        None => permanent(),
    });

    let record = driver.record("a").expect("it has failed");
    let kept: Vec<_> = record.history.iter().map(|past| past.error.as_ref().map_or("", ErrorText::as_str)).collect();
    assert_eq!(kept, ["first", "second", &long[..PastAttempt::MAX_ERROR_BYTES], "wrong"]);
    assert_eq!(record.last_error, Some(ErrorText::new("wrong")), "the last one is kept whole");
    let errors = "first".len() + "second".len() + PastAttempt::MAX_ERROR_BYTES + 2 * "wrong".len();
    assert_eq!(driver.engine().gauges().failed_bytes, (record.size_bytes + errors) as u64, "errors count");
}

/// Returns bounds that one failed event fits, and two do not. Each has 2 bytes, and twice its error.
fn bounded(overflow: FailedOverflow) -> Config {
    let mut config = Config::default();
    (config.max_event_bytes, config.max_failed_bytes) = (20, 20);
    config.failed_overflow = overflow;
    config
}

/// Returns an engine in which these events have failed, one after the other, and no others exist.
fn failed(config: Config, ids: &[&str]) -> EngineDriver {
    let mut driver = EngineDriver::new(config);
    ids.iter().for_each(|id| assert_eq!(driver.submit(id), Answer::Accepted));
    for _ in ids {
        driver.run(permanent());
    }
    driver
}

fn dropped(driver: &EngineDriver) -> Vec<String> {
    driver.sut().dropped().iter().map(|dropped| format!("{} {:?}", dropped.key.id(), dropped.why)).collect()
}

fn permanent() -> Outcome {
    Outcome::Permanent { error: ErrorText::new("wrong") }
}
