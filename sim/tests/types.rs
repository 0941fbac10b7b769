//! Policies by type of event: concurrency, attempts, timeouts, and the place of events that wait.

use std::time::Duration;

use eventful::{
    Backoff, Config, Event, Status, TypePolicy, Unmatched,
    engine::{Answer, Command, EnqueueFailure, ErrorText, Gate, Outcome, Place, Run},
};
use eventful_sim::driver::{EngineDriver, key};

const SECOND: Duration = Duration::from_secs(1);

/// Ends a run.
type EndOfRun = fn(&mut EngineDriver, &Run);

#[test]
fn no_more_events_of_a_type_run_than_its_policy_allows() {
    let mut driver = driver(&[("mail", TypePolicy::new().with_concurrency(2))]);
    submit(&mut driver, &["a", "b", "c", "d"], "mail");
    assert_eq!(places(&driver, ["c", "d"]), [Some(Place::Gated(Gate::Type)); 2]);

    let first = driver.start().expect("the first starts");
    driver.start().expect("the second starts");
    assert_eq!(driver.start(), None, "two run");

    driver.settle(first.id, Outcome::Done);
    assert_eq!(driver.start().expect("one has ended").event.key(), &key("c"));
    assert_eq!(places(&driver, ["d"]), [Some(Place::Gated(Gate::Type))]);
}

#[test]
fn events_at_a_gate_hold_up_no_others() {
    let mut driver = driver(&[("mail", TypePolicy::new().with_concurrency(1))]);
    submit(&mut driver, &["a", "b", "c"], "mail");
    driver.submit("other");
    driver.start().expect("the first of its type");
    assert_eq!(driver.start().expect("no policy is for it").event.key(), &key("other"));
}

#[test]
fn retry_waits_behind_those_at_its_gate() {
    let mut driver = driver(&[("mail", TypePolicy::new().with_concurrency(1))]);
    submit(&mut driver, &["a", "b"], "mail");
    let run = driver.start().expect("it starts");
    driver.settle(run.id, Outcome::Retry { error: ErrorText::new("busy"), after: None });
    assert_eq!(places(&driver, ["a"]), [Some(Place::Delayed)]);
    driver.wake();
    assert_eq!(places(&driver, ["a"]), [Some(Place::Gated(Gate::Type))]);
    driver.run(Outcome::Done);
    assert_eq!(driver.status("b"), Some(Status::Completed));
    assert_eq!(driver.start().expect("its turn").event.key(), &key("a"));
}

#[test]
fn each_way_out_returns_the_pass() {
    let ways: [(&str, EndOfRun); 6] = [
        ("done", |driver, run| drop(driver.settle(run.id, Outcome::Done))),
        ("permanent", |driver, run| drop(driver.settle(run.id, Outcome::Permanent { error: ErrorText::new("no") }))),
        ("crash", |driver, run| drop(driver.settle(run.id, Outcome::Crashed { error: ErrorText::new("no") }))),
        ("snooze", |driver, run| drop(driver.settle(run.id, Outcome::Snooze { delay: SECOND, reason: None }))),
        ("timeout", |driver, run| {
            driver.now = run.deadline;
            driver.sweep();
        }),
        ("discard", |driver, run| drop(driver.execute(Command::Discard(run.event.key().clone())))),
    ];
    for (way, end) in ways {
        let mut driver = driver(&[("mail", TypePolicy::new().with_concurrency(1))]);
        submit(&mut driver, &["a", "b"], "mail");
        let run = driver.start().expect("it starts");
        end(&mut driver, &run);
        assert!(matches!(driver.record("b").and_then(|record| record.place), Some(Place::Queued(_))), "{way}");
    }
}

#[test]
fn discard_of_what_is_past_the_gate_lets_the_next_one_through() {
    let mut driver = driver(&[("mail", TypePolicy::new().with_concurrency(1))]);
    submit(&mut driver, &["a", "b", "c"], "mail");
    driver.execute(Command::Discard(key("b")));
    driver.execute(Command::Discard(key("a")));
    assert!(matches!(driver.record("c").and_then(|record| record.place), Some(Place::Queued(_))));
}

#[test]
fn tickets_that_fail_and_channels_that_are_lost_keep_the_pass() {
    let mut driver = driver(&[("mail", TypePolicy::new().with_concurrency(1))]);
    driver.broken = Some(EnqueueFailure::Full);
    submit(&mut driver, &["a", "b"], "mail");
    assert_eq!(places(&driver, ["a", "b"]), [Some(Place::Line), Some(Place::Gated(Gate::Type))]);
    driver.broken = None;
    driver.sweep();
    driver.channel.clear();
    driver.execute(Command::ChannelLost);
    assert_eq!(driver.start().expect("it has another ticket").event.key(), &key("a"));
    assert_eq!(places(&driver, ["b"]), [Some(Place::Gated(Gate::Type))]);
}

#[test]
fn policy_sets_attempts_backoff_timeout_and_lifetime() {
    let backoff = Backoff { base: SECOND * 7, cap: SECOND * 7, jitter_percent: 0 };
    let policy = TypePolicy::new().with_max_attempts(2).with_backoff(backoff);
    let policy = policy.with_run_timeout(SECOND * 2).with_run_lifetime(SECOND * 3);
    let mut driver = driver(&[("mail", policy)]);
    submit(&mut driver, &["a"], "mail");
    driver.submit("other");

    let run = driver.start().expect("it starts");
    assert_eq!((run.deadline, run.lifetime_end), (driver.now + SECOND * 2, driver.now + SECOND * 3));
    assert_eq!((run.max_attempts, run.policy.map(|policy| policy.index())), (2, Some(0)));
    let other = driver.start().expect("it starts");
    let config = driver.engine().config();
    assert_eq!((other.max_attempts, other.policy), (config.max_attempts, None));
    assert_eq!(other.deadline, driver.now + config.run_timeout);

    driver.advance(SECOND * 3 / 2);
    assert_eq!(driver.execute(Command::Heartbeat(run.id)), Answer::Alive(run.lifetime_end));
    driver.settle(run.id, Outcome::Retry { error: ErrorText::new("busy"), after: None });
    assert_eq!(driver.record("a").and_then(|record| record.eligible_at), Some(driver.now + SECOND * 7));
    driver.advance(SECOND * 7);
    driver.sweep();
    driver.run(Outcome::Retry { error: ErrorText::new("busy"), after: None });
    assert_eq!(driver.status("a"), Some(Status::Failed));
}

#[test]
fn lowered_limit_holds_after_a_restart() {
    let limit = |concurrency| [("mail", TypePolicy::new().with_concurrency(concurrency))];
    let mut driver = driver(&limit(3));
    submit(&mut driver, &["a", "b", "c", "d"], "mail");
    driver.start().expect("it starts");
    driver.advance(SECOND);
    let lowered = config(&limit(1));
    driver.reopen_with(lowered);
    assert_eq!(driver.engine().gauges().gated, 2, "the crashed run waits for its time");
    let raised = config(&limit(10));
    driver.reopen_with(raised);
    assert_eq!(driver.engine().gauges().gated, 0);
    let none = Config::default();
    driver.reopen_with(none);
    assert_eq!(driver.engine().check(), Ok(()));
    driver.run_to_end(|_| Outcome::Done);
}

#[test]
fn unmatched_events_wait_and_hold_up_nothing() {
    let mut config = config(&[("mail", TypePolicy::new())]);
    config.unmatched = Unmatched::Wait;
    let mut driver = EngineDriver::new(config);
    submit(&mut driver, &["unknown"], "fax");
    driver.submit("untyped");
    submit(&mut driver, &["mail"], "mail");
    driver.run(Outcome::Done);
    assert_eq!(driver.start(), None);
    assert_eq!(driver.status("mail"), Some(Status::Completed));

    let explain = |driver: &EngineDriver, id| driver.engine().explain(driver.now, &key(id)).expect("a record");
    assert!(explain(&driver, "unknown").contains("no policy fits its type fax"), "{}", explain(&driver, "unknown"));
    assert!(explain(&driver, "untyped").contains("it has no type"), "{}", explain(&driver, "untyped"));
    driver.execute(Command::Discard(key("untyped")));

    driver.reopen_with(self::config(&[("mail", TypePolicy::new()), ("fax", TypePolicy::new())]));
    driver.run(Outcome::Done);
    assert_eq!(driver.status("unknown"), Some(Status::Completed));
}

#[test]
fn explanation_of_a_gated_event_names_the_limit() {
    let mut driver = driver(&[("mail.*", TypePolicy::new().with_concurrency(2))]);
    submit(&mut driver, &["a", "b", "c"], "mail.sent");
    driver.start().expect("it starts");
    let said = driver.engine().explain(driver.now, &key("c"));
    let due = "It is one of 1 that wait for type mail.*, of which 1 run and 1 are next, of at most 2.";
    assert_eq!(said.as_deref(), Some(due));

    let stats = driver.engine().type_stats();
    let [stats] = &stats[..] else { panic!("there is one policy") };
    assert_eq!((&*stats.pattern, stats.concurrency), ("mail.*", Some(2)));
    assert_eq!((stats.gated, stats.unstarted, stats.running), (1, 1, 1));
}

#[test]
fn shutdown_returns_passes_of_what_it_interrupts() {
    let mut driver = driver(&[("mail", TypePolicy::new().with_concurrency(1))]);
    submit(&mut driver, &["a", "b"], "mail");
    driver.start().expect("it starts");
    driver.execute(Command::Shutdown);
    driver.execute(Command::AbortInflight);
    assert_eq!(driver.engine().check(), Ok(()));
}

#[test]
fn liveness_bound_assumes_the_strictest_and_longest_policy() {
    let plain = Config::default();
    let bound = |policy| config(&[("mail", policy)]).liveness_bound(1000);
    assert_eq!(bound(TypePolicy::new()), plain.liveness_bound(1000));
    assert!(bound(TypePolicy::new().with_concurrency(1)) > plain.liveness_bound(1000));
    assert!(bound(TypePolicy::new().with_max_attempts(100)) > plain.liveness_bound(1000));
    assert!(bound(TypePolicy::new().with_run_lifetime(SECOND * 6000)) > plain.liveness_bound(1000));
}

fn config(policies: &[(&str, TypePolicy)]) -> Config {
    let mut config = Config::default();
    for (pattern, policy) in policies {
        config.types.add(pattern, policy.clone()).expect("policies that do not overlap");
    }
    config
}

fn driver(policies: &[(&str, TypePolicy)]) -> EngineDriver {
    EngineDriver::new(config(policies))
}

fn submit(driver: &mut EngineDriver, ids: &[&str], event_type: &str) {
    for id in ids {
        let event = Event::new(key(id), "x").with_type(event_type).expect("a short type");
        assert_eq!(driver.execute(Command::Submit(event)), Answer::Accepted);
    }
}

fn places<const N: usize>(driver: &EngineDriver, ids: [&str; N]) -> [Option<Place>; N] {
    ids.map(|id| driver.record(id).and_then(|record| record.place))
}
