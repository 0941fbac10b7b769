//! An engine that is killed, and opened again from its facts.

use std::time::Duration;

use eventful::{
    Config, Event, Status, Timestamp,
    engine::{
        Answer, Command, Epoch, ErrorText, Outcome, Phase, RunId,
        facts::{AfterRun, AttemptEnd, Change, Charge, Fact, Replay},
    },
};
use eventful_sim::driver::{EngineDriver, key};

#[test]
fn after_a_replay_nothing_is_queued() {
    let driver = with_events(&["a", "b"]);
    assert_eq!(driver.engine().gauges().queued, 2);

    let state = driver.sut().replay().expect("facts that follow").state();

    assert_eq!(state, driver.engine().durable_state());
    assert!(state.records.iter().all(|record| record.place.is_none()));
}

#[test]
fn replay_is_empty_until_an_event_is_accepted() {
    let replay = Replay::new(Config::default()).expect("a configuration");
    assert_eq!((replay.len(), replay.is_empty()), (0, true));

    let replay = with_events(&["a", "b"]).sut().replay().expect("facts that follow");
    assert_eq!((replay.len(), replay.is_empty()), (2, false));
}

#[test]
fn durable_state_shares_no_payload_with_the_engine() {
    let state = with_events(&["a", "b"]).engine().durable_state();
    let payloads: Vec<_> = state.records.into_iter().map(|record| record.payload).collect();
    assert_eq!(payloads, [None, None]);
}

#[test]
fn events_that_waited_are_run_after_a_kill() {
    let mut driver = with_events(&["a", "b"]);
    driver.reopen();
    assert_eq!(driver.run_to_end(|_| Outcome::Done), Duration::ZERO);
    assert_eq!(driver.engine().gauges().records(Status::Completed), 2);
}

#[test]
fn run_in_flight_at_a_kill_is_charged_and_waits_for_its_backoff() {
    let mut driver = with_events(&["a"]);
    let run = driver.start().expect("a run");
    driver.reopen();

    assert_eq!(driver.settle(run.id, Outcome::Done), Answer::Stale, "it is of another epoch");
    let record = driver.record("a").expect("a record");
    assert_eq!((record.status, record.charge.charged), (Status::FailedRetry, 1));
    assert!(record.eligible_at > Some(driver.now));
    assert_eq!(driver.engine().metrics().facts.finished(AttemptEnd::Crashed), 1);
}

#[test]
fn handler_that_kills_the_process_is_bounded() {
    let mut config = Config::default();
    config.max_attempts = 3;
    let mut driver = EngineDriver::new(config);
    driver.submit("a");

    let mut kills = 0;
    while driver.status("a") != Some(Status::Failed) {
        driver.start_at_last();
        kills += 1;
        driver.reopen();
    }
    assert_eq!(kills, 3);
}

#[test]
fn interruptions_are_given_back_over_openings_to_their_limit() {
    let mut config = Config::default();
    (config.max_refunds, config.max_attempts) = (2, 1);
    let mut driver = EngineDriver::new(config);
    driver.submit("a");
    for (refunds, failed) in [(1, false), (2, false), (2, true)] {
        driver.start().expect("a run");
        driver.execute(Command::AbortInflight);
        driver.reopen();
        let record = driver.record("a").expect("a record");
        assert_eq!((record.charge.refunds, record.status == Status::Failed), (refunds, failed));
    }
}

#[test]
fn duplicates_and_conflicts_are_known_after_a_kill() {
    let mut driver = with_events(&["a", "b", "c"]);
    driver.run(Outcome::Done);
    driver.run(Outcome::Permanent { error: ErrorText::new("wrong") });
    driver.execute(Command::Discard(key("c")));
    driver.reopen();
    for (id, status) in [("a", Status::Completed), ("b", Status::Failed), ("c", Status::Discarded)] {
        assert!(matches!(driver.submit(id), Answer::Duplicate(known) if known.status == status));
        assert!(matches!(driver.submit_payload(id, "y"), Answer::Conflict(_)));
    }
}

#[test]
fn pause_outlasts_a_kill_and_a_shutdown_does_not() {
    let mut driver = with_events(&["a"]);
    driver.execute(Command::Pause);
    driver.execute(Command::Shutdown);
    driver.reopen();
    assert!(driver.engine().is_paused());
    assert_eq!(driver.engine().phase(), Phase::Running);
    assert!(driver.channel.is_empty());
}

#[test]
fn facts_that_cannot_follow_are_refused_and_change_nothing() {
    let (run, other) = (RunId::new(Epoch::new(7), 1), RunId::new(Epoch::new(7), 2));
    let (accepted, started) = (Change::Accepted(Event::new(key("a"), "x")), Change::Started { key: key("a"), run });
    let (failed, completed) = (finished(run, AfterRun::Failed), finished(run, AfterRun::Completed));

    assert_refused(&[&accepted], &accepted, "a was accepted, but it is known");
    assert_refused(&[], &started, "a was changed, but it is not known");
    assert_refused(&[&accepted, &started], &started, "a was started, but it does not wait");
    assert_refused(&[&accepted], &failed, "a was finished, but this run of it is not in flight");
    assert_refused(&[&accepted, &started], &finished(other, AfterRun::Failed), "but this run of it is not in flight");
    assert_refused(&[&accepted, &started, &failed], &failed, "but this run of it is not in flight");
    assert_refused(&[&accepted, &started], &Change::Redriven(key("a")), "a was redriven, but it has not failed");
    assert_refused(&[&accepted, &started, &completed], &Change::Discarded(key("a")), "a was changed, but it has ended");
    let forgotten = |ids: &[&str]| Change::Forgotten(ids.iter().map(|id| key(id)).collect());
    assert_refused(&[&accepted, &started], &forgotten(&["a"]), "a was forgotten, but it has not ended");
    assert_refused(&[&accepted, &started, &completed], &forgotten(&["a", "b"]), "b was changed, but it is not known");
    assert_refused(&[&accepted, &started, &completed], &forgotten(&["a", "a"]), "a was forgotten twice by one fact");
}

/// The time of every fact in a handwritten history.
const DECIDED_AT: Timestamp = Timestamp::from_micros(1_000_000);

fn finished(run: RunId, next: AfterRun) -> Change {
    let charge = Charge { charged: 1, ..Charge::default() };
    Change::Finished { key: key("a"), run, end: AttemptEnd::Done, error: None, next, charge }
}

fn assert_refused(before: &[&Change], change: &Change, why: &str) {
    let mut replay = Replay::new(Config::default()).expect("a valid configuration");
    let fact = |change: &Change| Fact { at: DECIDED_AT, change: change.clone() };
    for change in before {
        replay.apply(&fact(change)).expect("a fact that follows");
    }
    let state = replay.state();

    let refused = replay.apply(&fact(change)).expect_err("a fact that does not follow").to_string();

    assert!(refused.contains(why) && refused.contains("1.000000"), "{refused}");
    assert_eq!(replay.state(), state);
    assert_eq!(replay.check(), Ok(()));
}

fn with_events(ids: &[&str]) -> EngineDriver {
    let mut driver = EngineDriver::new(Config::default());
    for id in ids {
        assert_eq!(driver.submit(id), Answer::Accepted);
    }
    driver
}

#[test]
fn lower_limits_than_those_of_earlier_facts_contradict_nothing() {
    let mut driver = with_events(&["a"]);
    for _ in 0..3 {
        let run = driver.start_at_last();
        driver.settle(run.id, Outcome::Snooze { delay: Duration::ZERO, reason: None });
    }
    let mut config = Config::default();
    config.max_snoozes = 1;
    let mut replay = eventful::engine::facts::Replay::new(config).expect("a valid configuration");
    for fact in driver.sut().facts() {
        replay.apply(fact).expect("facts that follow");
    }
    let engine = replay.open(driver.now, &mut eventful::engine::Output::new());
    assert_eq!(engine.check(), Ok(()));
}
