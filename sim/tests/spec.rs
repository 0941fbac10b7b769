//! The specification rejects each fact that cannot follow, and compares each field of a record.

use std::time::Duration;

use eventful::{
    Config, Event, Key, RecordView, Status, Timestamp,
    engine::{
        Attributes, Command, Epoch, ErrorText, Outcome, RunId,
        facts::{AfterRun, AttemptEnd, Change, Charge, Fact},
    },
};
use eventful_sim::driver::EngineDriver;
use eventful_sim::failure::{Broken, Promise};
use eventful_sim::spec::{ReferenceState, Register};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn fact_follows_only_on_the_stages_of_the_diagram() {
    type Make = fn(&EventHistory) -> Change;
    let changes: [(&str, Make, &[&str]); 7] = [
        ("accepted", |_| Change::Accepted(event()), &["absent"]),
        ("started", |history| Change::Started { key: key(), run: history.next_run() }, &["received", "failed_retry"]),
        ("finished", |history| history.finished(AttemptEnd::Done, AfterRun::Completed), &["processing"]),
        ("redriven", |_| Change::Redriven(key()), &["failed"]),
        ("discarded", |_| Change::Discarded(key()), &["received", "processing", "failed_retry", "failed"]),
        ("forgotten", |_| Change::Forgotten(vec![key()]), &["completed", "failed", "discarded"]),
        ("forgotten twice", |_| Change::Forgotten(vec![key(), key()]), &[]),
    ];
    for (name, change, allowed) in changes {
        for stage in ["absent", "received", "processing", "failed_retry", "completed", "failed", "discarded"] {
            let mut history = EventHistory::at(stage);
            history.wait(Duration::from_secs(1_000_000));
            let change = change(&history);
            assert_eq!(history.apply(change).is_ok(), allowed.contains(&stage), "{name} after {stage}");
        }
    }
}

#[test]
fn fact_of_a_stranger_is_rejected() {
    let mut history = EventHistory::at("absent");
    let strange = Event::with_id("b", "x").expect("an id");
    assert_eq!(history.rejected(Change::Accepted(strange)), 1);
}

#[test]
fn fact_does_not_come_before_the_one_before_it() {
    let mut history = EventHistory::at("received");
    history.now = Timestamp::from_micros(history.now.as_micros() - 1);
    assert_eq!(history.rejected(Change::Paused), 7);
}

#[test]
fn epoch_rises() {
    let mut history = EventHistory::at("received");
    let epoch = history.expected.epoch.expect("it was opened");
    assert_eq!(history.clone().rejected(Change::Epoch(epoch)), 4);
    assert!(history.apply(Change::Epoch(Epoch::new(epoch.number() + 1))).is_ok());
}

#[test]
fn pause_changes_something() {
    let mut history = EventHistory::at("received");
    assert_eq!(history.clone().rejected(Change::Resumed), 4);
    history.must(Change::Paused);
    assert_eq!(history.clone().rejected(Change::Paused), 4);
    assert_eq!(history.rejected(Change::Started { key: key(), run: history.next_run() }), 3);
}

#[test]
fn run_is_new_and_of_this_epoch() {
    let mut history = EventHistory::at("failed_retry");
    history.wait(Duration::from_secs(1_000_000));
    let last = history.run;
    assert_eq!(history.clone().rejected(Change::Started { key: key(), run: last }), 4);
    let foreign = RunId::new(Epoch::new(last.epoch().number() + 1), last.number() + 1);
    assert_eq!(history.rejected(Change::Started { key: key(), run: foreign }), 4);
}

#[test]
fn run_does_not_start_before_its_time() {
    let mut history = EventHistory::at("failed_retry");
    assert_eq!(history.rejected(Change::Started { key: key(), run: history.next_run() }), 8);
}

#[test]
fn only_the_current_run_ends() {
    let mut history = EventHistory::at("processing");
    history.run = history.next_run();
    assert_eq!(history.rejected(history.finished(AttemptEnd::Done, AfterRun::Completed)), 4);
}

#[test]
fn success_completes_and_nothing_else_does() {
    let history = EventHistory::at("processing");
    assert_eq!(history.clone().rejected(history.finished(AttemptEnd::Done, AfterRun::Failed)), 4);
    assert_eq!(history.clone().rejected(history.finished(AttemptEnd::Crashed, AfterRun::Completed)), 4);
}

#[test]
fn wait_for_the_next_attempt_lies_within_its_limits() {
    let history = EventHistory::at("processing");
    let ends = |end, after: Duration| {
        let next = AfterRun::Retry { eligible_at: history.now + after };
        history.clone().apply(history.finished(end, next)).is_ok()
    };
    let (micro, backoff) = (Duration::from_micros(1), SECOND);
    for end in [AttemptEnd::Retry, AttemptEnd::Crashed, AttemptEnd::TimedOut] {
        assert!(ends(end, backoff / 2) && ends(end, backoff) && !ends(end, backoff / 2 - micro), "{end}");
    }
    assert!(!ends(AttemptEnd::Crashed, backoff + micro) && !ends(AttemptEnd::TimedOut, backoff + micro));
    let config = config();
    assert!(ends(AttemptEnd::Retry, config.max_retry_after));
    assert!(!ends(AttemptEnd::Retry, config.max_retry_after + micro));
    assert!(ends(AttemptEnd::Snoozed, config.max_snooze) && !ends(AttemptEnd::Snoozed, config.max_snooze + micro));
    assert!(ends(AttemptEnd::Interrupted, Duration::ZERO) && !ends(AttemptEnd::Interrupted, micro));
    assert!(!ends(AttemptEnd::Failed, backoff), "no attempt follows");
    assert!(!ends(AttemptEnd::Discarded, backoff), "a discard has a fact of its own");
}

#[test]
fn attempt_is_charged_unless_it_is_given_back() {
    let history = EventHistory::at("processing");
    let wrong = Charge { charged: 0, ..Charge::default() };
    for end in [AttemptEnd::Retry, AttemptEnd::Crashed, AttemptEnd::TimedOut] {
        let Change::Finished { key, run, end, error, next, .. } = history.finished(end, history.retry()) else {
            unreachable!("it is the end of a run")
        };
        let uncharged = Change::Finished { key, run, end, error, next, charge: wrong };
        assert_eq!(history.clone().rejected(uncharged), 8, "{end}");
    }
}

#[test]
fn nothing_is_given_back_past_its_limit() {
    for (end, limit) in [(AttemptEnd::Snoozed, config().max_snoozes), (AttemptEnd::Interrupted, config().max_refunds)] {
        let mut history = EventHistory::at("processing");
        for _ in 0..limit {
            history.must(history.finished(end, AfterRun::Retry { eligible_at: history.now }));
            history.start();
        }
        let given_back = history.finished(end, AfterRun::Retry { eligible_at: history.now });
        assert_eq!(history.rejected(given_back), 8, "{end}");
    }
}

#[test]
fn last_attempt_fails_and_an_earlier_one_does_not() {
    let mut history = EventHistory::at("processing");
    assert_eq!(history.clone().rejected(history.finished(AttemptEnd::Crashed, AfterRun::Failed)), 8);
    history.must(history.finished(AttemptEnd::Crashed, history.retry()));
    history.wait(SECOND);
    history.start();
    assert_eq!(history.clone().rejected(history.finished(AttemptEnd::Crashed, history.retry())), 8);
    history.must(history.finished(AttemptEnd::Crashed, AfterRun::Failed));
}

#[test]
fn attempt_that_fails_has_a_reason() {
    let mut history = EventHistory::at("processing");
    let Change::Finished { key, run, end, next, charge, .. } = history.finished(AttemptEnd::Failed, AfterRun::Failed)
    else {
        unreachable!("it is the end of a run")
    };
    assert_eq!(history.rejected(Change::Finished { key, run, end, error: None, next, charge }), 1);
}

#[test]
fn record_is_forgotten_when_its_retention_has_ended() {
    let mut history = EventHistory::at("completed");
    history.wait(config().retention - Duration::from_micros(1));
    assert_eq!(history.clone().rejected(Change::Forgotten(vec![key()])), 2);
    history.wait(Duration::from_micros(1));
    history.must(Change::Forgotten(vec![key()]));
}

#[test]
fn downtime_does_not_count_toward_retention() {
    let mut history = EventHistory::at("completed");
    history.wait(config().retention);
    let epoch = Epoch::new(history.now.as_micros());
    history.must(Change::Epoch(epoch));
    assert_eq!(history.clone().rejected(Change::Forgotten(vec![key()])), 2);
    history.wait(config().retention);
    history.must(Change::Forgotten(vec![key()]));
}

#[test]
fn failed_record_is_dropped_only_when_failed_bytes_overflow() {
    let mut history = EventHistory::at("failed");
    assert_eq!(history.clone().rejected(Change::Forgotten(vec![key()])), 2);
    history.expected.config.failed_overflow = eventful::engine::FailedOverflow::DropOldest;
    assert_eq!(history.clone().rejected(Change::Forgotten(vec![key()])), 2);
    history.expected.config.max_failed_bytes = 0;
    history.must(Change::Forgotten(vec![key()]));
}

#[test]
fn runs_do_not_exceed_the_permits() {
    let mut history = EventHistory::at("processing");
    history.expected.config.concurrency = std::num::NonZeroUsize::MIN;
    assert!(history.expected.judge_permits().is_ok());
    history.expected.inflight.push((history.next_run(), 1));
    assert_eq!(history.expected.judge_permits().map_err(|broken| broken.promise), Err(Promise(5)));
    assert_eq!(history.expected.judge_opened().map_err(|broken| broken.promise), Err(Promise(4)));
}

/// Checks that every field is compared with a fold of the facts, or is one of those that facts do not determine.
#[test]
fn each_field_of_a_view_is_compared() {
    let (mut driver, keys) = (EngineDriver::new(config()), &mut Register::default());
    let event = event().with_type("t").and_then(|event| event.with_content_type("c")).expect("short texts");
    let event = event.with_content_encoding("e").and_then(|event| event.with_group("g")).expect("short texts");
    keys.enter(event.key());
    driver.execute(Command::Submit(event));
    let run = driver.start().expect("it is there");
    driver.settle(run.id, Outcome::Retry { error: ErrorText::new("not now"), after: None });
    let mut expected = ReferenceState::new(driver.engine().config().clone());
    assert!(expected.apply_all(driver.sut().facts(), keys).is_ok());
    let (record, view) = (expected.record(0).expect("it is there"), driver.record("a").expect("it is there"));
    assert_eq!(record.difference(&view), None);

    let other = driver.engine().get(driver.now, &key()).expect("it is there");
    type Alter = fn(&mut RecordView);
    let fields: [(&str, Alter); 19] = [
        ("key", |view| view.key = Key::new("", "b").expect("an id")),
        ("digest", |view| view.digest = eventful::Digest::of(b"y")),
        ("status", |view| view.status = Status::Failed),
        ("attempt", |view| view.attempt += 1),
        ("charge", |view| view.charge.refunds += 1),
        ("accepted_at", |view| view.accepted_at = view.accepted_at + SECOND),
        ("seq", |view| view.seq = None),
        ("not_before", |view| view.not_before = Some(at(0))),
        ("eligible_at", |view| view.eligible_at = None),
        ("run", |view| {
            view.run = Some(eventful::engine::RunView { id: run_id(9), started_at: at(0), deadline: at(0) })
        }),
        ("terminal_at", |view| view.terminal_at = Some(view.accepted_at)),
        ("group", |view| view.group = None),
        ("event_type", |view| view.event_type = None),
        ("content_type", |view| view.content_type = None),
        ("attributes", |view| view.attributes = Attributes::default()),
        ("size_bytes", |view| view.size_bytes += 1),
        ("last_error", |view| view.last_error = None),
        ("history", |view| view.history.clear()),
        ("durable", |view| view.durable = false),
    ];
    for (name, change) in fields {
        let mut wrong = other.clone();
        change(&mut wrong);
        assert!(record.difference(&wrong).is_some(), "{name} is not compared");
    }
    let compared = fields.iter().map(|(name, _)| *name).chain(["place", "payload"]);
    assert_eq!(
        sorted(compared),
        sorted(names(&format!("{view:#?}"))),
        "a new field has to be compared, and listed here"
    );
}

/// An event with the facts about it so far.
#[derive(Debug, Clone)]
struct EventHistory {
    expected: ReferenceState,
    keys: Register,
    now: Timestamp,
    run: RunId,
}

impl EventHistory {
    /// Returns the event in the stage with this name.
    fn at(stage: &str) -> Self {
        let mut keys = Register::default();
        keys.enter(&key());
        let mut history = Self { expected: ReferenceState::new(config()), keys, now: at(1_000_000), run: run_id(0) };
        history.must(Change::Epoch(run_id(0).epoch()));
        match stage {
            "absent" => return history,
            "received" => history.must(Change::Accepted(event())),
            "processing" => {
                history.must(Change::Accepted(event()));
                history.start();
            }
            "discarded" => {
                history.must(Change::Accepted(event()));
                history.must(Change::Discarded(key()));
            }
            _ => {
                history.must(Change::Accepted(event()));
                history.start();
                let (end, next) = match stage {
                    "completed" => (AttemptEnd::Done, AfterRun::Completed),
                    "failed" => (AttemptEnd::Failed, AfterRun::Failed),
                    _ => (AttemptEnd::Crashed, history.retry()),
                };
                history.must(history.finished(end, next));
            }
        }
        assert_eq!(history.expected.record(0).map(|record| record.status().as_str()), Some(stage));
        history
    }

    fn wait(&mut self, time: Duration) {
        self.now = self.now + time;
    }

    fn next_run(&self) -> RunId {
        RunId::new(self.run.epoch(), self.run.number() + 1)
    }

    fn start(&mut self) {
        self.run = self.next_run();
        self.must(Change::Started { key: key(), run: self.run });
    }

    fn retry(&self) -> AfterRun {
        AfterRun::Retry { eligible_at: self.now + SECOND }
    }

    /// Returns the end of the current run, charged as it should be.
    fn finished(&self, end: AttemptEnd, next: AfterRun) -> Change {
        let mut charge = self.expected.record(0).map(|record| record.charge).unwrap_or_default();
        match end {
            AttemptEnd::Snoozed => (charge.charged, charge.snoozes) = (charge.charged - 1, charge.snoozes + 1),
            AttemptEnd::Interrupted => (charge.charged, charge.refunds) = (charge.charged - 1, charge.refunds + 1),
            AttemptEnd::Done
            | AttemptEnd::Retry
            | AttemptEnd::Failed
            | AttemptEnd::Crashed
            | AttemptEnd::TimedOut
            | AttemptEnd::Discarded => {}
        }
        let error = (end != AttemptEnd::Done).then(|| ErrorText::new("why"));
        Change::Finished { key: key(), run: self.run, end, error, next, charge }
    }

    fn apply(&mut self, change: Change) -> Result<(), Broken> {
        self.expected.apply(&Fact { at: self.now, change }, &self.keys).map(drop)
    }

    fn must(&mut self, change: Change) {
        self.apply(change).unwrap_or_else(|broken| panic!("{broken}"));
    }

    /// Returns the promise that this fact would break.
    fn rejected(&mut self, change: Change) -> u8 {
        self.apply(change).expect_err("it cannot follow").promise.0
    }
}

fn config() -> Config {
    let mut config = Config::default();
    (config.max_attempts, config.max_snoozes, config.max_refunds) = (2, 1, 1);
    config.backoff = eventful::Backoff { base: SECOND, cap: SECOND, jitter_percent: 50 };
    config.failed_retention = Some(config.retention);
    config
}

fn key() -> Key {
    Key::new("", "a").expect("an id")
}

fn event() -> Event {
    Event::new(key(), "x")
}

fn run_id(number: u64) -> RunId {
    RunId::new(Epoch::new(1), number)
}

const fn at(micros: u64) -> Timestamp {
    Timestamp::from_micros(micros)
}

/// Returns the names of the fields of a record that is formatted like this.
fn names(record: &str) -> Vec<&str> {
    let fields = record.lines().filter_map(|line| line.strip_prefix("    ")?.split_once(": "));
    fields.map(|(name, _)| name).filter(|name| !name.starts_with(' ')).collect()
}

fn sorted<'n>(names: impl IntoIterator<Item = &'n str>) -> Vec<&'n str> {
    let mut names: Vec<_> = names.into_iter().collect();
    names.sort_unstable();
    names
}
