//! An engine that is driven at random, and whose facts are kept.

use std::time::Duration;

use eventful::{
    Config, Event, Key, Timestamp,
    engine::{
        Answer, Command, Effect, Engine, Epoch, ErrorText, Outcome, Output, RunId,
        facts::{Change, Fact, Replay},
    },
};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

/// One move of a driver. Events are named by small numbers, so that they meet.
#[derive(Debug, Clone)]
pub(crate) enum ScriptMove {
    Submit { id: u8, payload: Vec<u8>, extras: bool },
    Start,
    Settle(ScriptEnding),
    Redrive(u8),
    Discard(u8),
    Pause(bool),
    Wait(Duration),
}

#[derive(Debug, Clone)]
pub(crate) enum ScriptEnding {
    Done,
    Retry,
    Permanent(String),
    Snooze,
}

pub(crate) fn moves() -> impl Strategy<Value = Vec<ScriptMove>> {
    let submit = (any::<u8>(), prop::collection::vec(any::<u8>(), 0..200), any::<bool>());
    let ending = prop_oneof![
        4 => Just(ScriptEnding::Done),
        2 => Just(ScriptEnding::Retry),
        2 => ".{0,40}".prop_map(ScriptEnding::Permanent),
        1 => Just(ScriptEnding::Snooze),
    ];
    let a_move = prop_oneof![
        6 => submit.prop_map(|(id, payload, extras)| ScriptMove::Submit { id, payload, extras }),
        6 => Just(ScriptMove::Start),
        5 => ending.prop_map(ScriptMove::Settle),
        1 => any::<u8>().prop_map(ScriptMove::Redrive),
        1 => any::<u8>().prop_map(ScriptMove::Discard),
        1 => any::<bool>().prop_map(ScriptMove::Pause),
        2 => (0u64..4000).prop_map(|seconds| ScriptMove::Wait(Duration::from_secs(seconds))),
    ];
    prop::collection::vec(a_move, 0..120)
}

/// A driver of one engine.
pub(crate) struct ScriptDriver {
    pub(crate) engine: Engine,
    pub(crate) now: Timestamp,
    out: Output,
    tickets: Vec<eventful::engine::Ticket>,
    runs: Vec<RunId>,
}

impl ScriptDriver {
    /// An engine that continues a replay, and the facts of its opening.
    pub(crate) fn open(replay: Replay, now: Timestamp) -> (Self, Vec<Fact>) {
        let mut out = Output::with_facts();
        let engine = replay.open(now, &mut out);
        let mut driver = Self { engine, now, out, tickets: Vec::new(), runs: Vec::new() };
        let facts = driver.collect();
        (driver, facts)
    }

    pub(crate) fn new(now: Timestamp) -> (Self, Vec<Fact>) {
        Self::open(Replay::new(config()).expect("a valid configuration"), now)
    }

    /// Makes a move, and returns the facts that follow from it.
    pub(crate) fn make(&mut self, a_move: &ScriptMove) -> Vec<Fact> {
        self.now = self.now + Duration::from_micros(1);
        match a_move {
            ScriptMove::Submit { id, payload, extras } => {
                drop(self.execute(Command::Submit(event(*id, payload, *extras))))
            }
            ScriptMove::Start => self.start(),
            ScriptMove::Settle(ending) => self.settle(ending),
            ScriptMove::Redrive(id) => drop(self.execute(Command::Redrive(key(*id)))),
            ScriptMove::Discard(id) => drop(self.execute(Command::Discard(key(*id)))),
            ScriptMove::Pause(true) => drop(self.execute(Command::Pause)),
            ScriptMove::Pause(false) => drop(self.execute(Command::Resume)),
            ScriptMove::Wait(duration) => {
                self.now = self.now + *duration;
                self.execute(Command::Sweep);
            }
        }
        self.collect()
    }

    fn start(&mut self) {
        if self.tickets.is_empty() {
            return;
        }
        let ticket = self.tickets.remove(0);
        if let Answer::Running(run) = self.execute(Command::Start(ticket)) {
            self.runs.push(run.id);
        }
    }

    fn settle(&mut self, ending: &ScriptEnding) {
        let Some(run) = self.runs.pop() else { return };
        let outcome = match ending {
            ScriptEnding::Done => Outcome::Done,
            ScriptEnding::Retry => Outcome::Retry { error: ErrorText::new("again"), after: None },
            ScriptEnding::Permanent(error) => Outcome::Permanent { error: ErrorText::new(error) },
            ScriptEnding::Snooze => Outcome::Snooze { delay: Duration::from_secs(5), reason: None },
        };
        self.execute(Command::Settle { run, outcome });
    }

    fn execute(&mut self, command: Command) -> Answer {
        self.engine.execute(self.now, command, &mut self.out)
    }

    fn collect(&mut self) -> Vec<Fact> {
        let tickets = self.out.drain_effects().filter_map(|effect| match effect {
            Effect::Enqueue(ticket) => Some(ticket),
            Effect::Abort(_) => None,
        });
        self.tickets.extend(tickets);
        self.out.drain_facts().collect()
    }
}

pub(crate) fn config() -> Config {
    let mut config = Config::default();
    config.max_attempts = 3;
    config.retention = Duration::from_secs(3000);
    config
}

pub(crate) fn start() -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000)
}

pub(crate) fn key(id: u8) -> Key {
    match id % 3 {
        0 => Key::new("", &format!("00000000-0000-4000-8000-0000000000{id:02x}")),
        1 => Key::new("shop", &format!("order-{id}")),
        _ => Key::new("", &format!("ä-{id}")),
    }
    .expect("a key")
}

fn event(id: u8, payload: &[u8], extras: bool) -> Event {
    let event = Event::new(key(id), payload.to_vec());
    if !extras {
        return event;
    }
    let typed = event.with_type("order.created").and_then(|event| event.with_content_type("text/plain"));
    typed.and_then(|event| event.with_attribute("tenant", "blue")).expect("short texts")
}

/// Properties keep the seeds of their failures where all others are.
pub(crate) fn cases(name: &str) -> ProptestConfig {
    let path: &'static str = Box::leak(format!("proptest-regressions/journal-{name}.txt").into_boxed_str());
    let failure_persistence = Some(Box::new(FileFailurePersistence::Direct(path)) as Box<_>);
    ProptestConfig { failure_persistence, ..ProptestConfig::default() }
}

/// A frame that opens a journal, and in which one event is accepted.
pub(crate) fn accepted(id: &str) -> [Fact; 2] {
    let event = Event::with_id(id, "payload").expect("an id");
    [Change::Epoch(Epoch::new(7)), Change::Accepted(event)].map(|change| Fact { at: start(), change })
}
