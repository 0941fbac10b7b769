//! Schedules: no instant is taken twice, none is lost within the rule for missed ones, whatever restarts there are.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::time::Duration;

use eventful::engine::{
    Answer, Bound, Command, Engine, Outcome, Output, Refusal, ScheduleCursor, ScheduleName, ScheduleTick,
    facts::{Change, Fact, Replay},
};
use eventful::node::{CommitLimits, Job, Node, OpenedEngine, RunBatch, Start, Tick};
use eventful::schedules::{Calendar, InvalidSchedules, Missed, Overlap, Schedule};
use eventful::{Config, Event, Key, Status, Timestamp};
use eventful_sim::driver::EngineDriver;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn new_schedule_begins_now_and_makes_up_for_nothing() {
    let mut driver = driver(&["a"]);
    let begin = ScheduleCursor { decided: EngineDriver::OPENED_AT, accepted: None };
    assert_eq!(driver.engine().schedule(&name("a")), Some(begin));
    driver.now = EngineDriver::OPENED_AT + MINUTE;
    assert_eq!(tick(&mut driver, EngineDriver::OPENED_AT, Overlap::Skip), Answer::Stale);
    assert_eq!(driver.execute(Command::SetSchedules(vec![name("a")])), Answer::Noted);
    assert_eq!(driver.engine().schedule(&name("a")), Some(begin), "a known one stays as it is");
}

#[test]
fn instant_is_accepted_once_under_the_key_of_its_time() {
    let mut driver = driver(&["a"]);
    driver.now = driver.now + MINUTE;
    let at = driver.now;
    assert_eq!(tick(&mut driver, at, Overlap::Skip), Answer::Accepted);
    assert_eq!(tick(&mut driver, at, Overlap::Skip), Answer::Stale);
    let key = Key::new("schedule:a", "1970-01-01T00:17:40Z").expect("a key");
    assert_eq!(driver.engine().get(driver.now, &key).map(|record| record.status), Some(Status::Received));
    driver.reopen_with(Config::default());
    assert_eq!(driver.engine().schedule(&name("a")), Some(ScheduleCursor { decided: at, accepted: Some(at) }));
    assert_eq!(tick(&mut driver, at, Overlap::Skip), Answer::Stale);
}

#[test]
fn instant_that_another_scheduler_submitted_moves_the_cursor() {
    let mut driver = driver(&["a"]);
    driver.now = driver.now + MINUTE;
    let at = driver.now;
    let event = |payload: &'static str| Event::new(name("a").key(at), payload);
    assert_eq!(driver.execute(Command::Submit(event("x"))), Answer::Accepted);
    assert!(matches!(tick(&mut driver, at, Overlap::Skip), Answer::Duplicate(_)));
    assert_eq!(tick(&mut driver, at, Overlap::Skip), Answer::Stale);

    driver.now = driver.now + MINUTE;
    let at = driver.now;
    assert_eq!(driver.execute(Command::Submit(Event::new(name("a").key(at), "other"))), Answer::Accepted);
    assert!(matches!(tick(&mut driver, at, Overlap::Allow), Answer::Conflict(_)));
    assert_eq!(driver.engine().schedule(&name("a")), Some(ScheduleCursor { decided: at, accepted: Some(at) }));
}

#[test]
fn instant_before_its_time_changes_nothing() {
    let mut driver = driver(&["a"]);
    let later = driver.now + SECOND;
    assert_eq!(tick(&mut driver, later, Overlap::Skip), Answer::Stale);
    driver.execute(Command::SetSchedules(Vec::new()));
    driver.now = later;
    assert_eq!(tick(&mut driver, later, Overlap::Skip), Answer::NotFound);
    assert_eq!(driver.engine().gauges().records_total(), 0);
}

#[test]
fn instant_is_passed_over_while_the_last_event_is_pending() {
    let mut driver = driver(&["a"]);
    driver.now = driver.now + MINUTE;
    let first = driver.now;
    assert_eq!(tick(&mut driver, first, Overlap::Skip), Answer::Accepted);
    driver.now = driver.now + MINUTE;
    let second = driver.now;
    assert_eq!(tick(&mut driver, second, Overlap::Skip), Answer::Noted);
    assert_eq!(driver.engine().schedule(&name("a")), Some(ScheduleCursor { decided: second, accepted: Some(first) }));
    driver.reopen_with(Config::default());
    driver.now = driver.now + MINUTE;
    let third = driver.now;
    assert_eq!(tick(&mut driver, third, Overlap::Allow), Answer::Accepted, "where that is allowed");
    driver.now = driver.now + MINUTE;
    while driver.engine().gauges().pending() > 0 {
        driver.run(Outcome::Done);
    }
    let fourth = driver.now;
    assert_eq!(tick(&mut driver, fourth, Overlap::Skip), Answer::Accepted, "all have ended");
}

#[test]
fn full_engine_leaves_the_cursor_where_it_is() {
    let mut config = Config::default();
    config.max_pending = 1;
    let mut driver = EngineDriver::new(config);
    driver.execute(Command::SetSchedules(vec![name("a")]));
    driver.submit("fills");
    driver.now = driver.now + MINUTE;
    let at = driver.now;
    let refused = tick(&mut driver, at, Overlap::Skip);
    assert!(matches!(refused, Answer::Refused(Refusal::Overloaded { bound: Bound::Pending, .. })), "{refused:?}");
    driver.run(Outcome::Done);
    assert_eq!(tick(&mut driver, at, Overlap::Skip), Answer::Accepted);
}

#[test]
fn engine_that_drains_leaves_instants_to_its_successor() {
    let mut driver = driver(&["a"]);
    driver.now = driver.now + MINUTE;
    driver.execute(Command::Shutdown);
    let at = driver.now;
    assert_eq!(tick(&mut driver, at, Overlap::Skip), Answer::Refused(Refusal::ShuttingDown));
    assert_eq!(driver.execute(Command::SetSchedules(Vec::new())), Answer::Refused(Refusal::ShuttingDown));
    driver.reopen_with(Config::default());
    assert_eq!(tick(&mut driver, at, Overlap::Skip), Answer::Accepted);
}

#[test]
fn schedules_that_contradict_each_other_are_refused() {
    let schedule =
        |name: &str| Schedule::new(name, Every(MINUTE), Event::with_id("a", "x").expect("an event")).expect("a name");
    let refused = |schedules: &[Schedule]| Schedule::validate_all(schedules, &Config::default()).err();
    assert_eq!(refused(&[schedule("a"), schedule("b")]), None);
    assert_eq!(refused(&[schedule("a"), schedule("b"), schedule("a")]), Some(InvalidSchedules::Twice(name("a"))));
    let all = |most| schedule("a").with_missed(Missed::All(NonZeroUsize::new(most).expect("not zero")));
    assert_eq!(refused(&[all(2)]), Some(InvalidSchedules::MissedOverlap(name("a"))));
    assert_eq!(refused(&[all(100).with_overlap(Overlap::Allow)]), None);
    assert_eq!(refused(&[all(101).with_overlap(Overlap::Allow)]), Some(InvalidSchedules::MissedTooMany(name("a"))));
    let many: Vec<_> = (0..1001).map(|number| schedule(&format!("s{number}"))).collect();
    assert_eq!(refused(&many), Some(InvalidSchedules::TooMany(1001)));
    let large = Event::with_id("a", vec![0; 1 << 20]).expect("an event");
    let large = Schedule::new("a", Every(MINUTE), large).expect("a name");
    let words = refused(&[large]).expect("it is too large").to_string();
    assert!(words.starts_with("the event of schedule a is too large: "), "{words}");
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn node_takes_the_instants_that_the_rule_names(
        rules in proptest::collection::vec(rules(), 1..4),
        steps in proptest::collection::vec(steps(), 1..40),
    ) {
        let mut world = World::open(rules);
        for step in steps {
            world.step(step);
        }
        world.settle();
    }
}

fn config() -> ProptestConfig {
    let persistence = FileFailurePersistence::Direct("../proptest-regressions/schedules.txt");
    ProptestConfig { cases: 400, failure_persistence: Some(Box::new(persistence)), ..ProptestConfig::default() }
}

/// The settings of a schedule.
#[derive(Debug, Clone, Copy)]
struct Rule {
    every: Duration,
    missed: Missed,
    catch_up: Duration,
    overlap: Overlap,
}

/// The next thing to happen.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// So many seconds pass, and the sweeper comes.
    Wait(u64),
    /// So many seconds pass in which the process is down; what was not appended is lost.
    Crash(u64),
    /// The journal appends what there is.
    Append,
    /// All events that wait are handled.
    Handle,
    /// The first schedules, so many, are kept; others are removed.
    Keep(usize),
}

fn rules() -> impl Strategy<Value = Rule> {
    let missed = prop_oneof![
        3 => Just((Missed::Latest, Overlap::Skip)),
        1 => Just((Missed::Latest, Overlap::Allow)),
        2 => (1..5_usize).prop_map(|most| (Missed::All(NonZeroUsize::new(most).expect("not zero")), Overlap::Allow)),
        2 => Just((Missed::None, Overlap::Skip)),
    ];
    (20..200_u64, missed, 0..900_u64).prop_map(|(every, (missed, overlap), catch_up)| Rule {
        every: Duration::from_secs(every),
        missed,
        catch_up: Duration::from_secs(catch_up),
        overlap,
    })
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..150_u64).prop_map(Step::Wait),
        1 => (150..2000_u64).prop_map(Step::Wait),
        2 => (0..2000_u64).prop_map(Step::Crash),
        6 => Just(Step::Append),
        3 => Just(Step::Handle),
        1 => (0..4_usize).prop_map(Step::Keep),
    ]
}

/// Instants at each multiple of a time.
#[derive(Debug, Clone, Copy)]
struct Every(Duration);

impl Every {
    fn micros(self) -> u64 {
        u64::try_from(self.0.as_micros()).expect("a short time")
    }

    /// Returns all instants behind one time, up to another.
    fn between(self, after: Timestamp, until: Timestamp) -> Vec<Timestamp> {
        let first = after.as_micros() / self.micros() + 1;
        let instants = (first..).map(|number| Timestamp::from_micros(number * self.micros()));
        instants.take_while(|at| *at <= until).collect()
    }
}

impl Calendar for Every {
    fn after(&self, at: Timestamp) -> Option<Timestamp> {
        Some(Timestamp::from_micros((at.as_micros() / self.micros() + 1) * self.micros()))
    }

    fn before(&self, at: Timestamp) -> Option<Timestamp> {
        let number = at.as_micros().checked_sub(1)? / self.micros();
        Some(Timestamp::from_micros(number * self.micros()))
    }
}

/// A node with a journal that keeps what was appended, and what is expected of it.
struct World {
    now: Timestamp,
    node: Node,
    rules: Vec<Rule>,
    /// The facts that were appended.
    kept: Vec<Fact>,
    /// The cursor of each schedule, and the instant of its last event, as a naive reading of the rules has them.
    expected: BTreeMap<ScheduleName, ScheduleCursor>,
    frames: u64,
    /// Schedules that are there.
    count: usize,
}

impl World {
    fn open(rules: Vec<Rule>) -> Self {
        let now = Timestamp::from_micros(1_000_000_000_000);
        let (node, count) = (node(now, &[], 0), rules.len());
        let (kept, expected) = Default::default();
        let mut world = Self { now, node, rules, kept, expected, frames: 0, count };
        world.set();
        world
    }

    fn set(&mut self) {
        let schedules = self.rules[..self.count].iter().enumerate().map(|(number, rule)| {
            let event = Event::with_id("any", "x").expect("an event");
            let schedule = Schedule::new(&format!("s{number}"), Every(rule.every), event).expect("a name");
            schedule.with_missed(rule.missed).with_catch_up(rule.catch_up).with_overlap(rule.overlap)
        });
        let schedules: Vec<_> = schedules.collect();
        assert_eq!(Schedule::validate_all(&schedules, self.node.config()), Ok(()));
        let names: BTreeSet<_> = schedules.iter().map(|schedule| schedule.name.clone()).collect();
        self.node.set_schedules(self.now, schedules).expect("it is available");
        let begin = ScheduleCursor { decided: self.now, accepted: None };
        self.expected.retain(|name, _| names.contains(name));
        for name in names {
            self.expected.entry(name).or_insert(begin);
        }
        self.judge();
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Wait(seconds) => self.now = self.now + Duration::from_secs(seconds),
            Step::Append => self.append(),
            Step::Handle => self.handle(),
            Step::Keep(count) => {
                self.count = count.min(self.rules.len());
                self.set();
            }
            Step::Crash(seconds) => {
                self.now = self.now + Duration::from_secs(seconds);
                self.node = node(self.now, &self.kept, self.frames);
                // Only what was appended has come about.
                self.expected = self.node.engine().schedules().map(|(name, cursor)| (name.clone(), cursor)).collect();
                self.set();
            }
        }
        self.tick();
    }

    /// Passes the time to the node, and expects of each schedule what its rule says.
    fn tick(&mut self) {
        let mut fates = Vec::new();
        for number in 0..self.count {
            let (name, rule) = (name(&format!("s{number}")), self.rules[number]);
            let cursor = self.expected[&name];
            let is_pending = cursor.accepted.is_some_and(|last| self.is_pending(&name.key(last)));
            let taken = rule.taken(cursor, self.now, is_pending);
            for at in Every(rule.every).between(cursor.decided, self.now) {
                fates.push((name.key(at), taken.contains(&at)));
            }
            self.expected.insert(name, rule.expected(cursor, self.now, &taken));
        }
        let _ = self.node.actions(self.now);
        while !matches!(self.node.tick(self.now), Tick::Until(_)) {}
        for (key, is_taken) in fates {
            let is_there = self.node.engine().get(self.now, &key).is_some();
            assert_eq!(is_there, is_taken, "whether {key} was taken at {}", self.now);
        }
        self.judge();
    }

    /// Compares the cursors, and the events of every schedule with the instants that were taken.
    fn judge(&mut self) {
        let cursors: BTreeMap<_, _> = self.node.engine().schedules().map(|(name, at)| (name.clone(), at)).collect();
        assert_eq!(cursors, self.expected);
        let next = |number: usize| Every(self.rules[number].every).after(self.now);
        let wake = (0..self.count).filter_map(next).min();
        let _ = self.node.actions(self.now);
        if let (Tick::Until(at), Some(wake)) = (self.node.tick(self.now), wake) {
            assert!(at.is_some_and(|at| at <= wake), "the sweeper sleeps until {at:?}, an instant comes at {wake}");
        }
    }

    fn is_pending(&self, key: &Key) -> bool {
        let record = self.node.engine().get(self.now, key);
        record.is_some_and(|record| !record.status.is_terminal())
    }

    fn append(&mut self) {
        let mut facts = Vec::new();
        while self.node.next_job(self.now, &mut facts) == Job::Append {
            self.kept.append(&mut facts);
            self.frames += 1;
            self.node.appended(self.now, u64::MAX, self.frames);
            let _ = self.node.actions(self.now);
        }
        let mut taken = BTreeMap::<_, u32>::new();
        for fact in &self.kept {
            if let Change::Accepted(event) = &fact.change {
                *taken.entry(event.key().clone()).or_default() += 1;
            }
        }
        assert!(taken.values().all(|times| *times == 1), "an instant was accepted twice: {taken:?}");
        self.judge_frames();
    }

    /// Checks that the facts that are kept are whole: each accepted event has its cursor.
    fn judge_frames(&self) {
        let replay = replay(&self.kept);
        for (schedule, cursor) in replay.state().schedules {
            let records = replay.state().records;
            let source = schedule.key(Timestamp::EPOCH).source().to_owned();
            let newest =
                records.iter().filter(|record| record.key.source() == source).map(|record| record.key.clone()).max();
            if let (Some(newest), Some(last)) = (newest, cursor.accepted) {
                assert_eq!(newest, schedule.key(last), "the cursor of {schedule} and its last event");
            }
        }
    }

    fn handle(&mut self) {
        self.append();
        let mut batch = RunBatch::default();
        while self.node.start(self.now, &mut batch) == Start::Runs {
            let runs: Vec<_> = batch.launches().collect();
            for launch in runs {
                self.node.settle(self.now, launch.worker, launch.run.id, Some(Outcome::Done));
            }
            self.append();
        }
    }

    /// Continues without disturbance: every schedule takes its next instants.
    fn settle(&mut self) {
        for _ in 0..3 {
            self.now = self.now + Duration::from_secs(200);
            self.handle();
            self.tick();
        }
        for (schedule, cursor) in self.node.engine().schedules() {
            assert!(self.now.since(cursor.decided) < Duration::from_secs(200), "{schedule} is at {cursor:?}");
        }
        self.handle();
    }
}

impl Rule {
    /// Returns the instants that are taken of all that have come.
    fn taken(self, before: ScheduleCursor, now: Timestamp, is_pending: bool) -> Vec<Timestamp> {
        if self.overlap == Overlap::Skip && is_pending {
            return Vec::new();
        }
        let horizon = if self.missed == Missed::None { MINUTE } else { self.catch_up.max(MINUTE) };
        let come = Every(self.every).between(before.decided, now);
        let counted: Vec<_> = come.into_iter().filter(|at| now.since(*at) <= horizon).collect();
        let most = if let Missed::All(most) = self.missed { most.get() } else { 1 };
        counted[counted.len().saturating_sub(most)..].to_vec()
    }

    /// Returns the cursor once these instants are taken.
    fn expected(self, before: ScheduleCursor, now: Timestamp, taken: &[Timestamp]) -> ScheduleCursor {
        let come = Every(self.every).between(before.decided, now);
        let decided = come.last().copied().unwrap_or(before.decided);
        ScheduleCursor { decided, accepted: taken.last().copied().or(before.accepted) }
    }
}

fn node(now: Timestamp, facts: &[Fact], frames: u64) -> Node {
    let mut out = Output::with_facts();
    let engine: Engine = replay(facts).open(now, &mut out);
    let limits = CommitLimits {
        max_unsynced_bytes: 1 << 20,
        reserve_bytes: 0,
        answer_timeout: Duration::from_secs(100_000),
        group_bytes: CommitLimits::GROUP_BYTES,
        failures: CommitLimits::FAILURES,
    };
    Node::with_journal(now, OpenedEngine { engine, out, room_bytes: u64::MAX, frames }, limits)
}

fn replay(facts: &[Fact]) -> Replay {
    let mut replay = Replay::new(Config::default()).expect("the default is valid");
    facts.iter().for_each(|fact| replay.apply(fact).expect("facts of one engine"));
    replay
}

fn driver(names: &[&str]) -> EngineDriver {
    let mut driver = EngineDriver::new(Config::default());
    let names = names.iter().map(|text| name(text)).collect();
    assert_eq!(driver.execute(Command::SetSchedules(names)), Answer::Noted);
    driver
}

fn name(text: &str) -> ScheduleName {
    ScheduleName::new(text).expect("a short name")
}

fn tick(driver: &mut EngineDriver, nominal: Timestamp, overlap: Overlap) -> Answer {
    let event = Some(Event::with_id("any", "x").expect("an event"));
    driver.execute(Command::Tick(Box::new(ScheduleTick { schedule: name("a"), nominal, event, overlap })))
}
