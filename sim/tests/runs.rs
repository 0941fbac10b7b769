//! One run, one outcome; deadlines, heartbeats, and the effect of each end of a run on the event.

use std::time::Duration;

use eventful::{
    Config, Status,
    engine::{Answer, Command, Epoch, ErrorText, Outcome, Run, RunId, facts::AttemptEnd},
    metrics::SweptReason,
};
use eventful_sim::driver::{EngineDriver, key};

const MICROSECOND: Duration = Duration::from_micros(1);

#[test]
fn outcome_reported_twice_counts_once() {
    let (mut driver, run) = running(Config::default());
    assert_eq!(driver.settle(run.id, Outcome::Done), Answer::Settled(Status::Completed));

    assert_eq!(driver.settle(run.id, permanent()), Answer::Stale);

    assert_eq!(driver.status("a"), Some(Status::Completed));
    assert_eq!(driver.engine().metrics().tallies.outcomes_stale, 1);
    assert_eq!(driver.engine().metrics().facts.finished_total(), 1);
}

#[test]
fn run_of_another_epoch_ends_nothing() {
    let (mut driver, run) = running(Config::default());
    let foreign = RunId::new(Epoch::new(run.id.epoch().number() - 1), run.id.number());

    assert_eq!(driver.settle(foreign, Outcome::Done), Answer::Stale);
    assert_eq!(driver.execute(Command::Heartbeat(foreign)), Answer::Stale);

    assert_eq!(driver.status("a"), Some(Status::Processing));
}

#[test]
fn late_success_does_not_complete_a_newer_attempt() {
    let (mut driver, late) = running(Config::default());
    driver.now = late.deadline;
    driver.sweep();
    driver.wake();
    let newer = driver.start().expect("another attempt");

    assert_eq!(driver.settle(late.id, Outcome::Done), Answer::Stale);

    assert_eq!(driver.record("a").and_then(|record| record.run).map(|run| run.id), Some(newer.id));
    assert_eq!(driver.aborted, [late.id]);
}

#[test]
fn success_after_the_deadline_counts_until_a_sweep() {
    let (mut driver, run) = running(Config::default());
    driver.now = run.deadline + MICROSECOND;
    assert_eq!(driver.settle(run.id, Outcome::Done), Answer::Settled(Status::Completed));
}

#[test]
fn run_times_out_at_its_deadline_and_not_before() {
    let (mut driver, run) = running(Config::default());
    driver.now = run.deadline;
    driver.now = eventful::Timestamp::from_micros(driver.now.as_micros() - 1);
    driver.sweep();
    assert_eq!(driver.status("a"), Some(Status::Processing));

    driver.advance(MICROSECOND);
    driver.sweep();

    assert_eq!(driver.status("a"), Some(Status::FailedRetry));
    assert_eq!(driver.engine().metrics().tallies.swept(SweptReason::ExpiredRun), 1);
    assert_eq!(driver.engine().metrics().facts.finished(AttemptEnd::TimedOut), 1);
}

#[test]
fn heartbeats_never_move_the_deadline_past_the_lifetime() {
    let (mut driver, run) = running(Config::default());
    loop {
        driver.advance(driver.engine().config().run_timeout / 2);
        if driver.now >= run.lifetime_end {
            break;
        }
        let expected = run.lifetime_end.min(driver.now + driver.engine().config().run_timeout);
        assert_eq!(driver.execute(Command::Heartbeat(run.id)), Answer::Alive(expected));
    }
    assert_eq!(driver.execute(Command::Heartbeat(run.id)), Answer::Alive(run.lifetime_end));
    driver.sweep();
    assert_eq!(driver.execute(Command::Heartbeat(run.id)), Answer::Stale);
}

#[test]
fn snooze_is_given_back_until_its_limit_and_then_retries() {
    let mut config = Config::default();
    (config.max_snoozes, config.max_attempts) = (2, 1);
    let mut driver = EngineDriver::new(config);
    driver.submit("a");

    driver.run_to_end(|_| Outcome::Snooze { delay: Duration::from_secs(5), reason: None });

    let record = driver.record("a").expect("a record");
    assert_eq!((record.status, record.attempt), (Status::Failed, 3));
    assert_eq!((record.charge.charged, record.charge.snoozes), (1, 2));
    assert!(record.last_error.is_some(), "the reason is recorded");
}

#[test]
fn snooze_with_a_reason_shows_it_at_once_and_after_its_limit() {
    let mut config = Config::default();
    (config.max_snoozes, config.max_attempts) = (1, 1);
    let (mut driver, run) = running(config);
    let short = || Outcome::Snooze { delay: Duration::from_secs(5), reason: Some(ErrorText::new("no descriptor")) };

    driver.settle(run.id, short());
    let record = driver.record("a").expect("a record");
    assert_eq!((record.status, record.charge.charged), (Status::FailedRetry, 0));
    assert_eq!(record.last_error, Some(ErrorText::new("no descriptor")));

    driver.run_to_end(|_| short());
    let record = driver.record("a").expect("a record");
    let error = "snoozed more often than max_snoozes allows: no descriptor";
    assert_eq!((record.status, record.last_error), (Status::Failed, Some(ErrorText::new(error))));
}

#[test]
fn snooze_waits_as_asked_and_no_longer_than_allowed() {
    let limit = Config::default().max_snooze;
    let week = Duration::from_secs(7 * 86_400);
    for (asked, waited) in [(Duration::from_secs(9), Duration::from_secs(9)), (week, limit)] {
        let (mut driver, run) = running(Config::default());
        driver.settle(run.id, Outcome::Snooze { delay: asked, reason: None });
        assert_eq!(driver.record("a").and_then(|record| record.eligible_at), Some(driver.now + waited));
    }
}

#[test]
fn interruption_by_shutdown_is_given_back_until_its_limit() {
    for (max_refunds, max_attempts, status, charged) in
        [(1, 1, Status::FailedRetry, 0), (0, 1, Status::Failed, 1), (0, 2, Status::FailedRetry, 1)]
    {
        let mut config = Config::default();
        (config.max_refunds, config.max_attempts) = (max_refunds, max_attempts);
        let (mut driver, run) = running(config);

        driver.execute(Command::AbortInflight);

        let record = driver.record("a").expect("a record");
        assert_eq!((record.status, record.charge.charged), (status, charged));
        assert_eq!(driver.engine().metrics().facts.finished(AttemptEnd::Interrupted), 1);
        assert_eq!(driver.aborted, [run.id]);
    }
}

#[test]
fn crash_keeps_its_name_when_it_was_the_last_attempt() {
    let mut config = Config::default();
    config.max_attempts = 1;
    let (mut driver, run) = running(config);

    let crashed = Outcome::Crashed { error: ErrorText::new("panicked") };
    assert_eq!(driver.settle(run.id, crashed), Answer::Settled(Status::Failed));

    assert_eq!(driver.engine().metrics().facts.finished(AttemptEnd::Crashed), 1);
    assert_eq!(driver.engine().metrics().facts.finished(AttemptEnd::Failed), 0);
}

#[test]
fn discarded_run_is_fenced_and_aborted() {
    let (mut driver, run) = running(Config::default());

    assert_eq!(driver.execute(Command::Discard(key("a"))), Answer::Noted);

    assert_eq!(driver.settle(run.id, Outcome::Done), Answer::Stale);
    assert_eq!(driver.status("a"), Some(Status::Discarded));
    assert_eq!(driver.aborted, [run.id]);
    assert_eq!(driver.engine().metrics().facts.finished(AttemptEnd::Discarded), 1);
}

#[test]
fn redrive_clears_the_charges_and_keeps_the_attempts() {
    let (mut driver, run) = running(Config::default());
    driver.settle(run.id, permanent());

    assert_eq!(driver.execute(Command::Redrive(key("a"))), Answer::Noted);

    let record = driver.record("a").expect("a record");
    assert_eq!((record.status, record.attempt), (Status::Received, 1));
    assert_eq!(record.charge, eventful::engine::facts::Charge::default());
    assert_eq!(driver.start().map(|run| run.attempt), Some(2));
}

#[test]
fn past_of_an_event_is_bounded() {
    let mut config = Config::default();
    config.max_attempts = 20;
    let mut driver = EngineDriver::new(config);
    driver.submit("a");

    driver.run_to_end(|_| Outcome::Retry { error: ErrorText::new("ß".repeat(2000)), after: None });

    let record = driver.record("a").expect("a record");
    assert_eq!((record.attempt, record.history.len()), (20, 8));
    assert_eq!(record.history[7].end, AttemptEnd::Failed);
    assert!(record.last_error.is_some_and(|error| error.as_str().len() == ErrorText::MAX_BYTES));
}

#[test]
fn clock_that_steps_back_is_taken_as_standing_still() {
    let (mut driver, run) = running(Config::default());
    driver.advance(Duration::from_secs(10));
    driver.execute(Command::Heartbeat(run.id));
    let (latest, deadline) = (driver.now, driver.engine().next_deadline());

    driver.now = eventful::Timestamp::EPOCH;
    driver.sweep();
    driver.settle(run.id, Outcome::Done);

    assert_eq!(deadline.map(|deadline| deadline.at), Some(latest + driver.engine().config().run_timeout));
    assert_eq!(driver.record("a").and_then(|record| record.terminal_at), Some(latest));
    assert_eq!(driver.engine().metrics().histograms.processing_time.sum(), Duration::from_secs(10));
}

fn running(config: Config) -> (EngineDriver, Run) {
    let mut driver = EngineDriver::new(config);
    driver.submit("a");
    let run = driver.start().expect("a run");
    (driver, run)
}

fn permanent() -> Outcome {
    Outcome::Permanent { error: ErrorText::new("wrong") }
}
