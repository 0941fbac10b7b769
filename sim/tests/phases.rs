//! Paused, draining, stopped: the commands that each phase allows and refuses.

use std::time::Duration;

use eventful::{
    Config, Status,
    engine::{Answer, Command, ErrorText, Outcome, Phase, Refusal, Wake, facts::Change},
};
use eventful_sim::driver::{EngineDriver, key};

const SHUTTING_DOWN: Answer = Answer::Refused(Refusal::ShuttingDown);

#[test]
fn ticket_presented_while_paused_is_held_at_the_head_of_line() {
    let mut driver = with_events(&["a", "b"]);
    driver.execute(Command::Pause);

    assert_eq!(driver.present(), Some(Answer::Held));
    assert_eq!(driver.present(), Some(Answer::Held));
    assert_eq!(driver.engine().gauges().line, 2);
    assert_eq!(driver.engine().next_deadline(), None, "nothing to wake up for");

    driver.execute(Command::Resume);
    assert_eq!(driver.engine().gauges().queued, 2);
}

#[test]
fn pause_and_resume_are_facts_only_if_they_change_something() {
    let mut driver = EngineDriver::new(Config::default());
    for command in [Command::Resume, Command::Pause, Command::Pause, Command::Resume, Command::Resume] {
        assert_eq!(driver.execute(command), Answer::Noted);
    }
    let changes: Vec<_> = driver.sut().facts().iter().skip(1).map(|fact| fact.change.clone()).collect();
    assert_eq!(changes, [Change::Paused, Change::Resumed]);
}

#[test]
fn paused_engine_accepts_and_feeds_nothing() {
    let mut driver = EngineDriver::new(Config::default());
    driver.execute(Command::Pause);
    assert_eq!(driver.submit("a"), Answer::Accepted);
    assert!(driver.channel.is_empty());
}

#[test]
fn draining_engine_refuses_new_keys_and_answers_known_ones() {
    let mut driver = with_events(&["a"]);
    driver.execute(Command::Shutdown);

    assert_eq!(driver.submit("b"), SHUTTING_DOWN);
    assert!(matches!(driver.submit("a"), Answer::Duplicate(_)));
    assert!(matches!(driver.submit_payload("a", "y"), Answer::Conflict(_)));
}

#[test]
fn draining_engine_starts_nothing_and_lets_runs_end() {
    let mut driver = with_events(&["a", "b"]);
    let run = driver.start().expect("a run");
    driver.execute(Command::Shutdown);

    assert_eq!(driver.present(), Some(Answer::Held));
    assert_eq!(driver.settle(run.id, Outcome::Done), Answer::Settled(Status::Completed));
    assert_eq!(driver.engine().gauges().line, 1);
}

#[test]
fn draining_engine_sweeps_only_run_deadlines_and_expiries() {
    let mut driver = with_events(&["done", "running", "waiting"]);
    driver.run(Outcome::Done);
    driver.start().expect("a run");
    driver.execute(Command::Shutdown);

    assert_eq!(driver.wake().map(|deadline| deadline.why), Some(Wake::RunDeadline));
    assert_eq!(driver.wake().map(|deadline| deadline.why), Some(Wake::Expiry));
    assert_eq!(driver.wake(), None);
    assert_eq!(driver.status("running"), Some(Status::FailedRetry));
    assert_eq!(driver.channel.len(), 1, "no marker was sent");
}

#[test]
fn operators_can_discard_while_draining_but_not_redrive() {
    let mut driver = with_events(&["failed", "waiting"]);
    driver.run(Outcome::Permanent { error: ErrorText::new("wrong") });
    driver.execute(Command::Shutdown);

    assert_eq!(driver.execute(Command::Redrive(key("failed"))), SHUTTING_DOWN);
    assert_eq!(driver.execute(Command::Discard(key("waiting"))), Answer::Noted);
    assert_eq!(driver.execute(Command::Pause), Answer::Noted);
    assert_eq!(driver.execute(Command::Resume), Answer::Noted);
}

#[test]
fn stopped_engine_changes_no_more() {
    let mut driver = with_events(&["failed", "running", "waiting"]);
    driver.run(Outcome::Permanent { error: ErrorText::new("wrong") });
    let run = driver.start().expect("a run").id;
    driver.execute(Command::Shutdown);
    driver.execute(Command::AbortInflight);
    let facts = driver.sut().facts().len();

    driver.advance(Duration::from_secs(86_400));
    assert_eq!(driver.settle(run, Outcome::Done), Answer::Stale);
    assert_eq!(driver.execute(Command::Heartbeat(run)), Answer::Stale);
    assert_eq!(driver.execute(Command::Discard(key("waiting"))), SHUTTING_DOWN);
    assert_eq!(driver.execute(Command::Pause), SHUTTING_DOWN);
    assert_eq!(driver.execute(Command::Resume), SHUTTING_DOWN);
    assert_eq!(driver.submit("new"), SHUTTING_DOWN);
    assert_eq!(driver.present(), Some(Answer::Held));
    assert_eq!(driver.sweep(), Answer::Swept(eventful::engine::Swept::default()));

    assert_eq!(driver.sut().facts().len(), facts);
    assert_eq!(driver.engine().next_deadline(), None);
}

#[test]
fn stopped_engine_redrives_nothing() {
    let mut driver = with_events(&["failed"]);
    driver.run(Outcome::Permanent { error: ErrorText::new("wrong") });
    driver.execute(Command::AbortInflight);
    assert_eq!(driver.execute(Command::Redrive(key("failed"))), SHUTTING_DOWN);
}

#[test]
fn shutdown_moves_on_only_from_running() {
    let mut driver = EngineDriver::new(Config::default());
    for (command, phase) in [
        (Command::Shutdown, Phase::Draining),
        (Command::Shutdown, Phase::Draining),
        (Command::AbortInflight, Phase::Stopped),
        (Command::Shutdown, Phase::Stopped),
        (Command::AbortInflight, Phase::Stopped),
    ] {
        assert_eq!(driver.execute(command), Answer::Noted);
        assert_eq!(driver.engine().phase(), phase);
    }
}

#[test]
fn paused_engine_shuts_down_as_any_other() {
    let mut driver = with_events(&["a"]);
    driver.execute(Command::Pause);
    driver.execute(Command::Shutdown);
    assert_eq!(driver.execute(Command::Resume), Answer::Noted);
    assert_eq!(driver.present(), Some(Answer::Held), "draining outlasts the pause");
    driver.execute(Command::AbortInflight);
    assert_eq!(driver.engine().phase(), Phase::Stopped);
}

#[test]
fn abort_without_shutdown_interrupts_every_run() {
    let mut driver = with_events(&["a", "b", "c"]);
    let runs = [driver.start(), driver.start()].map(|run| run.expect("a run").id);

    driver.execute(Command::AbortInflight);

    driver.aborted.sort();
    assert_eq!(driver.aborted, runs);
    assert_eq!(driver.engine().gauges().records(Status::FailedRetry), 2);
    assert_eq!(driver.engine().gauges().inflight, 0);
}

#[test]
fn idle_engine_just_after_a_submit_has_not_lost_its_ticket() {
    let mut driver = EngineDriver::new(Config::default());
    driver.advance(Duration::from_secs(86_400));
    driver.sweep();
    driver.submit("a");
    driver.sweep();
    assert_eq!(driver.channel.len(), 1, "one ticket, and no marker");
    assert!(driver.start().is_some());
}

fn with_events(ids: &[&str]) -> EngineDriver {
    let mut driver = EngineDriver::new(Config::default());
    for id in ids {
        assert_eq!(driver.submit(id), Answer::Accepted);
    }
    driver
}
