//! Groups: members take turns with other groups, run in order or not, and hold up no others.

use std::time::Duration;

use eventful::{
    Config, Event, GroupPolicy, Status, TypePolicy,
    engine::{
        Answer, Bound, Command, EnqueueFailure, ErrorText, Gate, GroupName, GroupPolicies, OnFailure, Outcome, Place,
        Refusal,
    },
    metrics::RejectReason,
};
use eventful_sim::driver::{EngineDriver, key};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn tenant_that_floods_holds_up_another_by_one_event() {
    let mut driver = EngineDriver::new(Config::default());
    for number in 0..50 {
        submit(&mut driver, &format!("flood-{number}"), "loud");
    }
    submit(&mut driver, "a", "quiet");
    submit(&mut driver, "b", "quiet");
    let order: Vec<_> = (0..5).map(|_| next(&mut driver)).collect();
    assert_eq!(order, ["flood-0", "a", "flood-1", "b", "flood-2"]);
}

#[test]
fn free_group_runs_at_once_up_to_its_limit() {
    let mut driver = driver(GroupPolicy::free().with_concurrency(2));
    submit_all(&mut driver, &["a", "b", "c"]);
    let first = driver.start().expect("it starts");
    driver.start().expect("another one starts");
    assert_eq!(driver.start(), None);
    assert_eq!(place(&driver, "c"), Some(Place::Gated(Gate::Group)));
    driver.settle(first.id, Outcome::Done);
    assert_eq!(next(&mut driver), "c");
}

#[test]
fn group_in_order_waits_over_retries_of_its_head() {
    let mut driver = driver(GroupPolicy::fifo());
    submit_all(&mut driver, &["a", "b"]);
    let run = driver.start().expect("it starts");
    assert_eq!(driver.start(), None, "one at a time");
    driver.settle(run.id, retry());
    assert_eq!(driver.start(), None, "the head keeps its turn");
    let said = driver.engine().explain(driver.now, &key("b")).expect("a record");
    assert!(said.starts_with("It is one of 1 that wait in group g behind a, which is retried in "), "{said}");

    driver.wake();
    assert_eq!(next(&mut driver), "a");
    assert_eq!(next(&mut driver), "b");
}

#[test]
fn each_end_of_the_head_lets_the_next_one_run() {
    for outcome in [Outcome::Done, Outcome::Permanent { error: ErrorText::new("no") }] {
        let mut driver = driver(GroupPolicy::fifo());
        submit_all(&mut driver, &["a", "b"]);
        driver.run(outcome);
        assert_eq!(next(&mut driver), "b");
    }
    for (runs, retried) in [(false, false), (true, false), (true, true)] {
        let mut driver = driver(GroupPolicy::fifo());
        submit_all(&mut driver, &["a", "b"]);
        let run = runs.then(|| driver.start().expect("it starts"));
        if let Some(run) = run.filter(|_| retried) {
            driver.settle(run.id, retry());
        }
        driver.execute(Command::Discard(key("a")));
        assert_eq!(next(&mut driver), "b", "{runs} {retried}");
    }
}

#[test]
fn redriven_event_of_a_group_in_order_is_a_new_arrival() {
    let mut driver = driver(GroupPolicy::fifo());
    submit_all(&mut driver, &["a", "b", "c"]);
    fail(&mut driver);
    assert_eq!(driver.execute(Command::Redrive(key("a"))), Answer::Noted);
    assert_eq!([next(&mut driver), next(&mut driver), next(&mut driver)], ["b", "c", "a"]);
}

#[test]
fn group_in_order_keeps_its_order_over_a_restart() {
    let mut driver = driver(GroupPolicy::fifo());
    submit_all(&mut driver, &["a", "b", "c"]);
    driver.start().expect("it starts");
    driver.reopen();
    assert_eq!(driver.start(), None, "the crashed head is retried first");
    driver.wake();
    assert_eq!([next(&mut driver), next(&mut driver), next(&mut driver)], ["a", "b", "c"]);
}

#[test]
fn event_does_not_overtake_one_that_is_due_and_was_not_swept() {
    let mut driver = driver(GroupPolicy::fifo());
    let delayed = grouped("delayed", "g").with_delay(SECOND);
    driver.execute(Command::Submit(delayed));
    driver.advance(SECOND * 2);
    submit(&mut driver, "later", "g");
    assert_eq!(place(&driver, "later"), Some(Place::Delayed));
    driver.sweep();
    assert_eq!([next(&mut driver), next(&mut driver)], ["delayed", "later"]);
}

#[test]
fn event_that_is_not_due_holds_up_no_other_of_its_group() {
    let mut driver = driver(GroupPolicy::fifo());
    driver.execute(Command::Submit(grouped("tomorrow", "g").with_delay(SECOND * 86_400)));
    submit(&mut driver, "now", "g");
    assert_eq!(next(&mut driver), "now");
}

#[test]
fn limits_of_group_and_type_are_kept_apart() {
    let mut config = Config::default();
    config.groups.add("g", GroupPolicy::fifo()).expect("a policy");
    config.types.add("t", TypePolicy::new().with_concurrency(1)).expect("a policy");
    let mut driver = EngineDriver::new(config);
    let typed = |id, group| grouped(id, group).with_type("t").expect("a type");
    for event in [typed("a", "g"), typed("b", "g"), typed("c", "h"), grouped("d", "g")] {
        driver.execute(Command::Submit(event));
    }
    let places = ["b", "c", "d"].map(|id| place(&driver, id));
    let [group, of_type] = [Gate::Group, Gate::Type].map(|gate| Some(Place::Gated(gate)));
    assert_eq!(places, [group, of_type, group]);
    assert_eq!([next(&mut driver), next(&mut driver), next(&mut driver), next(&mut driver)], ["a", "c", "b", "d"]);
}

#[test]
fn lost_channel_and_failed_tickets_change_no_turn() {
    let mut driver = driver(GroupPolicy::fifo());
    driver.broken = Some(EnqueueFailure::Closed);
    submit_all(&mut driver, &["a", "b"]);
    driver.broken = None;
    driver.execute(Command::ChannelLost);
    assert_eq!(place(&driver, "b"), Some(Place::Gated(Gate::Group)));
    assert_eq!([next(&mut driver), next(&mut driver)], ["a", "b"]);
}

#[test]
fn changed_policies_hold_after_a_restart() {
    let mut driver = driver(GroupPolicy::free());
    submit_all(&mut driver, &["a", "b", "c"]);
    driver.start().expect("it starts");
    driver.start().expect("it starts");
    driver.advance(SECOND);
    driver.reopen_with(config(GroupPolicy::fifo()));
    assert_eq!(driver.engine().check(), Ok(()));
    driver.run_to_end(|_| Outcome::Done);
    assert_eq!(driver.status("c"), Some(Status::Completed));
}

#[test]
fn group_is_no_part_of_the_identity() {
    let mut driver = EngineDriver::new(Config::default());
    submit(&mut driver, "a", "first");
    assert!(matches!(driver.execute(Command::Submit(grouped("a", "second"))), Answer::Duplicate(_)));
    assert_eq!(driver.record("a").and_then(|record| record.group).as_deref(), Some("first"));
}

#[test]
fn event_without_policy_holds_up_no_other_of_its_group() {
    for policy in [GroupPolicy::free(), GroupPolicy::fifo()] {
        let mut config = config(policy);
        config.types.add("known", TypePolicy::new()).expect("a policy");
        config.unmatched = eventful::Unmatched::Wait;
        let mut driver = EngineDriver::new(config);
        submit(&mut driver, "unknown", "g");
        driver.execute(Command::Submit(grouped("a", "g").with_type("known").expect("a type")));
        assert_eq!(next(&mut driver), "a");
        assert_eq!(place(&driver, "unknown"), Some(Place::Gated(Gate::Type)));
        driver.execute(Command::Discard(key("unknown")));
        assert_eq!(driver.engine().check(), Ok(()));
    }
}

#[test]
fn failed_head_halts_its_group_until_it_is_redriven() {
    let mut driver = driver(halting());
    submit_all(&mut driver, &["a", "b", "c"]);
    fail(&mut driver);
    assert_eq!(driver.start(), None, "the group is halted");
    let said = driver.engine().explain(driver.now, &key("b")).expect("a record");
    assert_eq!(
        said,
        "It is one of 2 that wait in group g, which is halted because a has failed: redrive or discard that."
    );
    let said = driver.engine().explain(driver.now, &key("a")).expect("a record");
    assert!(said.ends_with("Its group g is halted until then, or until it is discarded."), "{said}");

    assert_eq!(driver.execute(Command::Redrive(key("a"))), Answer::Noted);
    assert_eq!([next(&mut driver), next(&mut driver), next(&mut driver)], ["a", "b", "c"]);
}

#[test]
fn discarded_or_forgotten_head_halts_its_group_no_more() {
    let mut config = config(halting());
    config.failed_retention = Some(SECOND);
    for is_discarded in [true, false] {
        let mut driver = EngineDriver::new(config.clone());
        submit_all(&mut driver, &["a", "b"]);
        fail(&mut driver);
        match is_discarded {
            true => drop(driver.execute(Command::Discard(key("a")))),
            false => {
                driver.advance(SECOND);
                assert_eq!(driver.start(), None, "it was not swept");
                driver.sweep();
            }
        }
        assert_eq!(next(&mut driver), "b");
        assert_eq!(driver.engine().check(), Ok(()));
    }
}

#[test]
fn halted_group_is_halted_after_a_restart() {
    let mut driver = driver(halting());
    submit_all(&mut driver, &["a", "b"]);
    fail(&mut driver);
    driver.reopen();
    submit(&mut driver, "c", "g");
    assert_eq!(driver.start(), None, "the group is halted");
    driver.execute(Command::Redrive(key("a")));
    driver.reopen();
    assert_eq!([next(&mut driver), next(&mut driver), next(&mut driver)], ["a", "b", "c"]);
}

#[test]
fn halted_group_without_waiting_events_halts_the_next_one() {
    let mut driver = driver(halting());
    submit(&mut driver, "a", "g");
    fail(&mut driver);
    submit(&mut driver, "b", "g");
    submit(&mut driver, "c", "h");
    assert_eq!(next(&mut driver), "c");
    assert_eq!(driver.start(), None);
    driver.execute(Command::Discard(key("a")));
    assert_eq!(next(&mut driver), "b");
}

#[test]
fn events_that_failed_before_halt_their_group_after_a_restart() {
    let mut driver = two_failed();
    assert_eq!(driver.start(), None, "two have failed");
    redrive(&mut driver, "b");
    redrive(&mut driver, "a");
    driver.reopen();
    assert_eq!([next(&mut driver), next(&mut driver), next(&mut driver)], ["b", "a", "c"]);
}

#[test]
fn event_that_runs_at_a_kill_comes_before_redriven_ones() {
    for (is_retried, reopened) in [(false, 1), (false, 3), (true, 1), (true, 3)] {
        let mut driver = two_failed();
        redrive(&mut driver, "b");
        let run = driver.start().expect("it has the turn");
        redrive(&mut driver, "a");
        if is_retried {
            driver.settle(run.id, retry());
        }
        (0..reopened).for_each(|_| driver.reopen());
        let said = driver.engine().explain(driver.now, &key("a")).expect("a record");
        assert!(said.contains("behind b, which is retried"), "{said}");
        assert_eq!([next(&mut driver), next(&mut driver), next(&mut driver)], ["b", "a", "c"]);
    }
}

#[test]
fn redriven_events_wait_in_the_order_of_their_redrives() {
    for reopened in [false, true] {
        let mut driver = driver(GroupPolicy::fifo());
        submit_all(&mut driver, &["a", "b", "c", "d"]);
        (0..3).for_each(|_| fail(&mut driver));
        driver.reopen_with(config(halting()));
        ["c", "a", "b"].iter().for_each(|id| redrive(&mut driver, id));
        pause(&mut driver, "g", true);
        if reopened {
            driver.reopen();
        }
        pause(&mut driver, "g", false);
        let order = ["c", "a", "b", "d"].map(|_| next(&mut driver));
        assert_eq!(order, ["c", "a", "b", "d"], "reopened: {reopened}");
    }
}

#[test]
fn last_one_to_start_has_the_turn_after_a_change_of_policy() {
    let mut driver = driver(GroupPolicy::free());
    submit_all(&mut driver, &["a", "b", "c"]);
    let runs = ["a", "b"].map(|_| driver.start().expect("all may run"));
    runs.iter().for_each(|run| drop(driver.settle(run.id, retry())));
    driver.reopen_with(config(GroupPolicy::fifo()));
    for _ in 0..2 {
        let said = driver.engine().explain(driver.now, &key("c")).expect("a record");
        assert!(said.contains("behind b, which is retried"), "{said}");
        driver.reopen();
    }
    assert_eq!(next(&mut driver), "b");
}

#[test]
fn full_group_refuses_and_leaves_room_to_others() {
    let mut driver = driver(GroupPolicy::free().with_max_pending(2));
    submit_all(&mut driver, &["a", "b"]);
    let retry_after = driver.engine().config().overload_retry_after;
    let refused = Answer::Refused(Refusal::Overloaded { bound: Bound::Group, retry_after });
    assert_eq!(driver.execute(Command::Submit(grouped("c", "g"))), refused);
    assert!(matches!(driver.execute(Command::Submit(grouped("a", "g"))), Answer::Duplicate(_)));
    submit(&mut driver, "c", "h");
    next(&mut driver);
    submit(&mut driver, "d", "g");
    assert_eq!(driver.engine().tallies().rejected(RejectReason::Group), 1);
}

#[test]
fn redrive_obeys_the_bound_of_its_group() {
    let mut driver = driver(GroupPolicy::fifo().with_max_pending(1));
    submit(&mut driver, "a", "g");
    fail(&mut driver);
    submit(&mut driver, "b", "g");
    assert!(matches!(driver.execute(Command::Redrive(key("a"))), Answer::Refused(_)));
    next(&mut driver);
    assert_eq!(driver.execute(Command::Redrive(key("a"))), Answer::Noted);
}

#[test]
fn redrive_that_ends_a_halt_passes_every_bound() {
    let full: [fn(&mut Config); 3] = [
        |config| {
            config.groups = GroupPolicies::default();
            config.groups.add("g", halting().with_max_pending(1)).expect("a policy");
        },
        |config| config.max_pending = 1,
        |config| (config.max_bytes, config.max_event_bytes) = [grouped("a", "g").size_bytes(); 2].into(),
    ];
    for (number, fill) in full.into_iter().enumerate() {
        let mut config = config(halting());
        fill(&mut config);
        let mut driver = EngineDriver::new(config);
        submit(&mut driver, "a", "g");
        fail(&mut driver);
        submit(&mut driver, "b", "g");
        assert!(matches!(driver.execute(Command::Submit(grouped("c", "g"))), Answer::Refused(_)), "{number}");
        redrive(&mut driver, "a");
        assert!(matches!(driver.execute(Command::Submit(grouped("c", "g"))), Answer::Refused(_)), "{number}");
        assert_eq!([next(&mut driver), next(&mut driver)], ["a", "b"], "{number}");
        submit(&mut driver, "c", "g");
    }
}

#[test]
fn redrive_that_ends_no_halt_obeys_every_bound() {
    let mut config = config(GroupPolicy::fifo());
    config.max_pending = 1;
    let mut driver = EngineDriver::new(config);
    submit(&mut driver, "a", "g");
    fail(&mut driver);
    submit(&mut driver, "b", "g");
    assert!(matches!(driver.execute(Command::Redrive(key("a"))), Answer::Refused(_)));
}

#[test]
fn paused_group_starts_nothing_and_holds_up_no_other() {
    for policy in [GroupPolicy::free(), GroupPolicy::fifo()] {
        let mut driver = driver(policy);
        submit_all(&mut driver, &["a", "b"]);
        assert!(matches!(place(&driver, "a"), Some(Place::Queued(_))));
        pause(&mut driver, "g", true);
        assert_eq!(place(&driver, "a"), Some(Place::Gated(Gate::Group)), "it has not started");
        assert!(matches!(driver.execute(Command::Submit(grouped("c", "g"))), Answer::Accepted));
        submit(&mut driver, "other", "h");
        assert_eq!(next(&mut driver), "other");
        assert_eq!(driver.start(), None);
        let said = driver.engine().explain(driver.now, &key("a")).expect("a record");
        assert_eq!(said, "It waits because its group g is paused; resume it.");

        pause(&mut driver, "g", false);
        assert_eq!([next(&mut driver), next(&mut driver), next(&mut driver)], ["a", "b", "c"]);
        assert_eq!(driver.engine().check(), Ok(()));
    }
}

#[test]
fn run_of_a_paused_group_continues_and_its_retry_waits() {
    let mut driver = driver(GroupPolicy::fifo());
    submit_all(&mut driver, &["a", "b"]);
    let run = driver.start().expect("it starts");
    pause(&mut driver, "g", true);
    driver.settle(run.id, retry());
    driver.advance(SECOND * 3600);
    driver.sweep();
    assert_eq!(place(&driver, "a"), Some(Place::Gated(Gate::Group)));
    assert_eq!(driver.start(), None);
    pause(&mut driver, "g", false);
    assert_eq!([next(&mut driver), next(&mut driver)], ["a", "b"], "the head has kept its turn");
}

#[test]
fn pause_of_a_group_outlives_its_events_and_a_restart() {
    let mut driver = EngineDriver::new(Config::default());
    pause(&mut driver, "g", true);
    submit(&mut driver, "a", "g");
    driver.execute(Command::Discard(key("a")));
    driver.reopen();
    let paused: Vec<_> = driver.engine().paused_groups().map(GroupName::as_str).collect();
    assert_eq!(paused, ["g"]);
    submit(&mut driver, "b", "g");
    assert_eq!(driver.start(), None);
    pause(&mut driver, "g", false);
    assert_eq!(next(&mut driver), "b");
}

#[test]
fn repeated_pause_of_a_group_is_no_fact() {
    let mut driver = EngineDriver::new(Config::default());
    let before = driver.sut().facts().len();
    for paused in [false, true, true, false, false] {
        pause(&mut driver, "g", paused);
    }
    assert_eq!(driver.sut().facts().len() - before, 2);
}

#[test]
fn groups_that_are_paused_are_bounded() {
    let mut driver = EngineDriver::new(Config::default());
    for number in 0..10_000 {
        pause(&mut driver, &number.to_string(), true);
    }
    let group = GroupName::new("more").expect("a short name");
    let refused = driver.execute(Command::PauseGroup { group, paused: true });
    assert!(matches!(refused, Answer::Refused(Refusal::Overloaded { bound: Bound::PausedGroups, .. })), "{refused:?}");
    driver.execute(Command::AbortInflight);
    let group = GroupName::new("1").expect("a short name");
    let refused = driver.execute(Command::PauseGroup { group, paused: false });
    assert_eq!(refused, Answer::Refused(Refusal::ShuttingDown));
}

#[test]
fn pass_of_a_type_is_free_again_when_a_group_is_paused() {
    let mut config = config(GroupPolicy::free());
    config.types.add("t", TypePolicy::new().with_concurrency(1)).expect("a policy");
    let mut driver = EngineDriver::new(config);
    for (id, group) in [("a", "g"), ("b", "h")] {
        driver.execute(Command::Submit(grouped(id, group).with_type("t").expect("a type")));
    }
    assert_eq!(place(&driver, "b"), Some(Place::Gated(Gate::Type)));
    pause(&mut driver, "g", true);
    assert_eq!(next(&mut driver), "b");
    pause(&mut driver, "g", false);
    assert_eq!(next(&mut driver), "a");
}

#[test]
fn name_of_a_group_is_checked() {
    for name in ["", "a\n", &"x".repeat(256)] {
        assert!(GroupName::new(name).is_err(), "{name}");
        assert!(Event::new(key("a"), "x").with_group(name).is_err(), "{name}");
    }
}

fn config(policy: GroupPolicy) -> Config {
    let mut config = Config::default();
    config.groups.add("g", policy).expect("a policy");
    config
}

fn driver(policy: GroupPolicy) -> EngineDriver {
    EngineDriver::new(config(policy))
}

/// Returns an engine with a group that halts, in which a and b have failed under another policy, and c waits.
fn two_failed() -> EngineDriver {
    let mut driver = driver(GroupPolicy::fifo());
    submit_all(&mut driver, &["a", "b", "c"]);
    fail(&mut driver);
    fail(&mut driver);
    driver.reopen_with(config(halting()));
    driver
}

/// Redrives a failed event, later than those before: an opening has the order of redrives from their times.
fn redrive(driver: &mut EngineDriver, id: &str) {
    driver.advance(Duration::from_micros(1));
    assert_eq!(driver.execute(Command::Redrive(key(id))), Answer::Noted);
}

fn pause(driver: &mut EngineDriver, group: &str, paused: bool) {
    let group = GroupName::new(group).expect("a short name");
    assert_eq!(driver.execute(Command::PauseGroup { group, paused }), Answer::Noted);
}

fn grouped(id: &str, group: &str) -> Event {
    Event::new(key(id), "x").with_group(group).expect("a short name")
}

fn submit(driver: &mut EngineDriver, id: &str, group: &str) {
    assert_eq!(driver.execute(Command::Submit(grouped(id, group))), Answer::Accepted);
}

fn submit_all(driver: &mut EngineDriver, ids: &[&str]) {
    ids.iter().for_each(|id| submit(driver, id, "g"));
}

/// Runs the next event to its end, and returns its id.
fn next(driver: &mut EngineDriver) -> String {
    let run = driver.start_at_last();
    driver.settle(run.id, Outcome::Done);
    run.event.key().id().to_string()
}

fn place(driver: &EngineDriver, id: &str) -> Option<Place> {
    driver.record(id).and_then(|record| record.place)
}

/// Runs the next event, and lets it fail.
fn fail(driver: &mut EngineDriver) {
    driver.run(Outcome::Permanent { error: ErrorText::new("no") });
}

fn halting() -> GroupPolicy {
    GroupPolicy::fifo().with_on_failure(OnFailure::Halt)
}

fn retry() -> Outcome {
    Outcome::Retry { error: ErrorText::new("busy"), after: None }
}
