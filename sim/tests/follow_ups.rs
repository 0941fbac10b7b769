//! A run ends with follow-ups: all of them are accepted together with its completion, or none.

use std::time::Duration;

use eventful::{
    Config, Event, GroupPolicy, Status, TypePolicy,
    engine::{
        Answer, Command, ErrorText, Gate, GroupPolicies, InvalidConfig, Outcome, Phase, Place, Run,
        facts::{AfterRun, Change},
    },
};
use eventful_sim::driver::{EngineDriver, key};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn follow_ups_are_accepted_with_the_completion() {
    let mut driver = EngineDriver::new(Config::default());
    let facts = end_with(&mut driver, "a", vec![event("b"), event("c")], Status::Completed);
    let changes: Vec<String> = facts.iter().map(name).collect();
    assert_eq!(changes, ["finished a", "accepted b", "accepted c"]);
    assert_eq!([next(&mut driver), next(&mut driver)], ["b", "c"], "in their order");
    driver.reopen();
    assert_eq!(["a", "b", "c"].map(|id| status(&driver, id)), [Some(Status::Completed); 3]);
}

#[test]
fn end_without_follow_ups_is_a_success() {
    let mut driver = EngineDriver::new(Config::default());
    assert_eq!(end_with(&mut driver, "a", Vec::new(), Status::Completed).len(), 1);
}

#[test]
fn known_follow_up_is_a_duplicate_whatever_its_status() {
    let mut driver = EngineDriver::new(Config::default());
    driver.submit_payload("done", "x");
    driver.run(Outcome::Done);
    driver.submit_payload("failed", "x");
    driver.run(Outcome::Permanent { error: ErrorText::new("no") });
    driver.submit_payload("a", "x");
    let run = driver.start().expect("it waits");
    driver.submit_payload("waits", "x");
    let then = ["done", "failed", "waits", "a", "new", "new"].map(event).to_vec();
    assert_eq!(driver.settle(run.id, Outcome::DoneWith { then }), Answer::Settled(Status::Completed));
    assert_eq!(driver.engine().fact_counters().accepted, 5);
    assert_eq!(driver.engine().tallies().deduplicated, 5);
    let kept = ["done", "failed", "waits", "a"].map(|id| status(&driver, id).expect("it is known"));
    assert_eq!(kept, [Status::Completed, Status::Failed, Status::Received, Status::Completed]);
}

#[test]
fn conflicting_follow_up_fails_its_event_and_names_the_key() {
    for known in ["done", "waits", "a", "twice"] {
        let mut driver = EngineDriver::new(Config::default());
        driver.submit_payload("done", "x");
        driver.run(Outcome::Done);
        driver.submit_payload("a", "x");
        let run = driver.start().expect("it waits");
        driver.submit_payload("waits", "x");
        let other = Event::new(key(known), "other");
        let then = vec![event("new"), event("twice"), other, event("newer")];
        assert_eq!(driver.settle(run.id, Outcome::DoneWith { then }), Answer::Settled(Status::Failed), "{known}");
        let error = last_error(&driver, "a");
        assert!(error.contains("another payload") && error.contains(known), "{error}");
        assert_eq!(["new", "twice", "newer"].map(|id| status(&driver, id)), [None; 3], "{known}");
        assert_eq!((driver.engine().tallies().conflicted, driver.engine().tallies().deduplicated), (1, 0));
    }
}

#[test]
fn follow_up_takes_the_place_of_an_expired_event() {
    let mut driver = EngineDriver::new(Config::default());
    driver.submit_payload("old", "another payload");
    driver.run(Outcome::Done);
    let retention = driver.engine().config().retention;
    driver.advance(retention);
    let facts = end_with(&mut driver, "a", vec![event("old")], Status::Completed);
    assert_eq!(facts.iter().map(name).collect::<Vec<_>>(), ["forgotten old", "finished a", "accepted old"]);
}

#[test]
fn other_outcomes_accept_no_follow_ups() {
    let mut driver = EngineDriver::new(Config::default());
    driver.submit_payload("a", "x");
    let stale = driver.start().expect("it waits");
    driver.execute(Command::Discard(key("a")));
    let then = vec![event("b")];
    assert_eq!(driver.settle(stale.id, Outcome::DoneWith { then }), Answer::Stale);
    assert_eq!(status(&driver, "b"), None);
}

#[test]
fn too_many_or_too_large_follow_ups_fail_their_event() {
    let mut config = Config::default();
    (config.max_follow_ups, config.max_event_bytes) = (2, 40);
    let ids = ["b", "c", "d"];
    let large = |id| Event::new(key(id), vec![b'x'; 20]);
    for (then, error) in [
        (ids.map(event).to_vec(), "max_follow_ups is 2"),
        (["b", "c"].map(large).to_vec(), "max_event_bytes is 40"),
        (vec![large("b"), large("b")], "max_event_bytes is 40"),
    ] {
        let mut driver = EngineDriver::new(config.clone());
        end_with(&mut driver, "a", then, Status::Failed);
        let said = last_error(&driver, "a");
        assert!(said.contains(error), "{said}");
        assert_eq!(ids.map(|id| status(&driver, id)), [None; 3]);
    }
    let mut driver = EngineDriver::new(config);
    end_with(&mut driver, "a", vec![large("b")], Status::Completed);
}

#[test]
fn follow_ups_pass_a_full_store_as_far_as_they_may() {
    let mut config = Config::default();
    (config.max_pending, config.max_records, config.max_follow_ups) = (3, 3, 3);
    config.concurrency = std::num::NonZeroUsize::MIN;
    let mut driver = EngineDriver::new(config);
    ["a", "b", "c"].iter().for_each(|id| drop(driver.submit_payload(id, "x")));
    assert!(matches!(driver.submit("d"), Answer::Refused(_)));
    end_next(&mut driver, ["a1", "a2", "a3"].map(event).to_vec(), Status::Completed);
    assert_eq!((driver.engine().gauges().pending(), driver.engine().gauges().records_total()), (5, 6));
    assert!(matches!(driver.submit("d"), Answer::Refused(_)), "new events are refused");

    // One more record would be too many, whatever is pending.
    end_next(&mut driver, vec![event("b1")], Status::FailedRetry);
    let error = last_error(&driver, "b");
    assert!(error.contains("its follow-ups have no room") && error.contains("max_records"), "{error}");
    let charged = driver.record("b").expect("it is known").charge.charged;
    assert_eq!(charged, 0, "it is not charged");
}

#[test]
fn follow_ups_wait_while_too_many_events_are_pending() {
    let mut config = Config::default();
    (config.max_pending, config.max_follow_ups, config.max_snoozes) = (2, 2, 1);
    config.concurrency = std::num::NonZeroUsize::MIN;
    let mut driver = EngineDriver::new(config);
    ["a", "b"].iter().for_each(|id| drop(driver.submit_payload(id, "x")));
    end_next(&mut driver, ["a1", "a2"].map(event).to_vec(), Status::Completed);
    end_next(&mut driver, ["b1", "b2"].map(event).to_vec(), Status::Completed);
    end_next(&mut driver, ["c1", "c2"].map(event).to_vec(), Status::FailedRetry);
    assert_eq!(driver.engine().gauges().pending(), 4, "two past the bound");
    end_next(&mut driver, vec![event("d1")], Status::Completed);
    let retry_after = driver.engine().config().overload_retry_after;
    assert_eq!([next(&mut driver), next(&mut driver), next(&mut driver)], ["b1", "b2", "d1"]);
    assert_eq!(driver.start(), None, "it waits for {retry_after:?}");
    driver.advance(retry_after);
    driver.sweep();
    end_next(&mut driver, ["c1", "c2"].map(event).to_vec(), Status::Completed);
}

#[test]
fn chain_continues_in_a_store_whose_bounds_were_lowered() {
    let mut config = Config::default();
    config.groups.add("g", GroupPolicy::free().with_max_pending(3)).expect("a policy");
    let grouped = |id| event(id).with_group("g").expect("a short name");
    let mut driver = EngineDriver::new(config.clone());
    ["a", "b", "c"].iter().for_each(|id| drop(driver.execute(Command::Submit(grouped(id)))));
    config.groups = GroupPolicies::default();
    config.groups.add("g", GroupPolicy::free().with_max_pending(1)).expect("a policy");
    (config.max_pending, config.max_follow_ups) = (1, 1);
    config.concurrency = std::num::NonZeroUsize::MIN;
    driver.reopen_with(config);
    for next in ["d", "e", "f"] {
        end_next(&mut driver, vec![grouped(next)], Status::Completed);
        assert_eq!(driver.engine().gauges().pending(), 3);
    }
}

#[test]
fn bytes_of_follow_ups_pass_their_bound_as_far_as_they_may() {
    let mut config = Config::default();
    (config.max_bytes, config.max_event_bytes) = (100, 100);
    config.concurrency = std::num::NonZeroUsize::MIN;
    let sized = |id, bytes| Event::new(key(id), vec![b'x'; bytes - Event::new(key(id), "").size_bytes()]);
    let mut driver = EngineDriver::new(config);
    driver.execute(Command::Submit(sized("a", 50)));
    driver.execute(Command::Submit(sized("b", 50)));
    end_next(&mut driver, vec![sized("c", 100)], Status::Completed);
    assert_eq!(driver.engine().gauges().bytes, 150);
    end_next(&mut driver, vec![sized("d", 100)], Status::Completed);
    assert_eq!(driver.engine().gauges().bytes, 200);
    end_next(&mut driver, vec![sized("e", 50), sized("f", 50)], Status::Completed);
    assert_eq!(driver.engine().gauges().bytes, 200, "what takes no more room than its event always fits");
    end_next(&mut driver, vec![sized("g", 100)], Status::Completed);
    end_next(&mut driver, vec![sized("h", 51)], Status::FailedRetry);
    let error = last_error(&driver, "e");
    assert!(error.contains("max_bytes"), "{error}");
}

#[test]
fn follow_ups_obey_the_bound_of_their_group_and_its_spare_room() {
    let mut config = Config::default();
    config.groups.add("g", GroupPolicy::fifo().with_max_pending(1)).expect("a policy");
    config.max_follow_ups = 2;
    config.concurrency = std::num::NonZeroUsize::MIN;
    let grouped = |id| event(id).with_group("g").expect("a short name");
    let mut driver = EngineDriver::new(config);
    driver.execute(Command::Submit(grouped("a")));
    end_next(&mut driver, vec![grouped("b"), grouped("c")], Status::Completed);
    end_next(&mut driver, vec![grouped("d"), grouped("e")], Status::Completed);
    assert_eq!(place(&driver, "d"), Some(Place::Gated(Gate::Group)), "behind c, in order");
    end_next(&mut driver, vec![grouped("f"), grouped("g")], Status::FailedRetry);
    let error = last_error(&driver, "c");
    assert!(error.contains("events of its group"), "{error}");
    // Others have room, and the group when an event of it leaves.
    driver.execute(Command::Discard(key("d")));
    driver.advance(SECOND);
    driver.sweep();
    end_next(&mut driver, vec![grouped("f"), grouped("g")], Status::Completed);
}

#[test]
fn failed_events_past_their_bound_hold_up_follow_ups() {
    let (mut driver, run) = beside_failures();
    let then = vec![event("c")];
    assert_eq!(driver.settle(run.id, Outcome::DoneWith { then }), Answer::Settled(Status::FailedRetry));
    let error = last_error(&driver, "a");
    assert!(error.contains("max_failed_bytes"), "{error}");
}

#[test]
fn known_follow_ups_need_no_room() {
    let (mut driver, run) = beside_failures();
    let then = vec![event("a")];
    assert_eq!(driver.settle(run.id, Outcome::DoneWith { then }), Answer::Settled(Status::Completed));
}

#[test]
fn event_without_room_fails_in_the_end() {
    let mut config = Config::default();
    (config.max_snoozes, config.max_attempts) = (1, 1);
    (config.max_failed_bytes, config.max_event_bytes) = (10, 10);
    let mut driver = EngineDriver::new(config);
    driver.submit_payload("b", "123456789");
    driver.run(Outcome::Permanent { error: ErrorText::new("no") });
    driver.execute(Command::Redrive(key("b")));
    driver.submit_payload("a", "x");
    driver.run(Outcome::Permanent { error: ErrorText::new("no") });
    let statuses = [Status::FailedRetry, Status::Failed].map(|status| {
        end_next(&mut driver, vec![event("c")], status);
        driver.advance(SECOND * 60);
        driver.sweep();
        status
    });
    assert_eq!(statuses.len(), 2);
    let error = last_error(&driver, "a");
    assert!(error.starts_with("snoozed more often than max_snoozes allows: its follow-ups"), "{error}");
}

#[test]
fn follow_ups_have_their_group_type_and_time() {
    let mut config = Config::default();
    config.types.add("t", TypePolicy::new().with_concurrency(1)).expect("a policy");
    config.groups.add("g", GroupPolicy::fifo()).expect("a policy");
    let mut driver = EngineDriver::new(config);
    let typed = |id| event(id).with_type("t").expect("a type");
    let grouped = |id| event(id).with_group("g").expect("a name");
    let then = vec![event("later").with_delay(SECOND), typed("t1"), typed("t2"), grouped("g1"), grouped("g2")];
    end_with(&mut driver, "a", then, Status::Completed);
    assert_eq!(place(&driver, "later"), Some(Place::Delayed));
    assert_eq!(place(&driver, "t2"), Some(Place::Gated(Gate::Type)));
    assert_eq!(place(&driver, "g2"), Some(Place::Gated(Gate::Group)));
    driver.reopen();
    assert_eq!(place(&driver, "later"), Some(Place::Delayed), "a delay is a time once it is accepted");
    driver.advance(SECOND);
    driver.sweep();
    assert!(matches!(place(&driver, "later"), Some(Place::Line | Place::Queued(_))));
}

#[test]
fn group_in_order_continues_before_its_follow_up() {
    let mut config = Config::default();
    config.groups.add("g", GroupPolicy::fifo()).expect("a policy");
    let grouped = |id| event(id).with_group("g").expect("a name");
    let mut driver = EngineDriver::new(config);
    driver.execute(Command::Submit(grouped("a")));
    driver.execute(Command::Submit(grouped("b")));
    end_next(&mut driver, vec![grouped("c")], Status::Completed);
    assert_eq!([next(&mut driver), next(&mut driver)], ["b", "c"]);
}

#[test]
fn follow_ups_are_accepted_during_a_shutdown_and_wait() {
    let mut driver = EngineDriver::new(Config::default());
    driver.submit_payload("a", "x");
    let run = driver.start().expect("it waits");
    driver.execute(Command::Shutdown);
    let then = vec![event("b")];
    assert_eq!(driver.settle(run.id, Outcome::DoneWith { then }), Answer::Settled(Status::Completed));
    assert_eq!((driver.engine().phase(), status(&driver, "b")), (Phase::Draining, Some(Status::Received)));
    assert_eq!(driver.present(), None, "it does not start");
    driver.reopen();
    assert_eq!(next(&mut driver), "b");
}

#[test]
fn follow_ups_of_a_stopped_engine_are_not_accepted() {
    let mut driver = EngineDriver::new(Config::default());
    driver.submit_payload("a", "x");
    let run = driver.start().expect("it waits");
    driver.execute(Command::AbortInflight);
    let then = vec![event("b")];
    assert_eq!(driver.settle(run.id, Outcome::DoneWith { then }), Answer::Stale);
    assert_eq!(status(&driver, "b"), None);
}

#[test]
fn number_of_follow_ups_is_bounded() {
    let mut config = Config::default();
    config.max_follow_ups = 1000;
    assert_eq!(config.validate(), Ok(()));
    config.max_follow_ups = 1001;
    assert_eq!(config.validate(), Err(InvalidConfig::Greater("max_follow_ups", 1000)));
    let error = config.validate().expect_err("too many").to_string();
    assert_eq!(error, "max_follow_ups is more than 1000, the most that is allowed: lower it");
}

fn event(id: &str) -> Event {
    Event::new(key(id), "x")
}

/// Submits an event, and ends it with these follow-ups. Returns the changes of its end.
fn end_with(driver: &mut EngineDriver, id: &str, then: Vec<Event>, status: Status) -> Vec<Change> {
    driver.submit_payload(id, "x");
    end_next(driver, then, status)
}

/// Starts `a` in an engine whose failed events have all the bytes that they may have.
fn beside_failures() -> (EngineDriver, Run) {
    let mut config = Config::default();
    (config.max_failed_bytes, config.max_event_bytes) = (10, 10);
    let mut driver = EngineDriver::new(config);
    driver.submit_payload("a", "x");
    driver.submit_payload("b", "123456789");
    let run = driver.start().expect("it waits");
    driver.run(Outcome::Permanent { error: ErrorText::new("no") });
    (driver, run)
}

/// Ends the next event with these follow-ups. Returns the changes of its end.
fn end_next(driver: &mut EngineDriver, then: Vec<Event>, status: Status) -> Vec<Change> {
    let run = driver.start().expect("one waits");
    let before = driver.sut().facts().len();
    assert_eq!(driver.settle(run.id, Outcome::DoneWith { then }), Answer::Settled(status));
    driver.sut().facts()[before..].iter().map(|fact| fact.change.clone()).collect()
}

/// Runs the next event to its end, and returns its id.
fn next(driver: &mut EngineDriver) -> String {
    let run = driver.start().expect("one waits");
    driver.settle(run.id, Outcome::Done);
    run.event.key().id().to_string()
}

fn status(driver: &EngineDriver, id: &str) -> Option<Status> {
    driver.record(id).map(|record| record.status)
}

fn place(driver: &EngineDriver, id: &str) -> Option<Place> {
    driver.record(id).and_then(|record| record.place)
}

fn last_error(driver: &EngineDriver, id: &str) -> String {
    driver.record(id).and_then(|record| record.last_error).expect("it has an error").to_string()
}

fn name(change: &Change) -> String {
    if let Change::Accepted(event) = change {
        format!("accepted {}", event.key().id())
    } else if let Change::Finished { key, next: AfterRun::Completed, .. } = change {
        format!("finished {}", key.id())
    } else if let Change::Forgotten(keys) = change {
        format!("forgotten {}", keys[0].id())
    } else {
        format!("{change:?}")
    }
}
