//! Histories: an engine that runs random commands, for its facts.

use std::num::NonZeroUsize;
use std::time::Duration;

use eventful::{
    Backoff, Config, Timestamp,
    engine::{
        Answer, Command, Effect, Engine, ErrorText, Outcome, Output, RunId, Ticket,
        facts::{Fact, Replay},
    },
};
use serde::{Deserialize, Serialize};

use crate::key_table::KeyTable;
use crate::seeded_rng::Stream;

/// The time at which the first engine of each history is opened. Any time after 1970 would do.
const OPENED_AT: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

/// The number of events of one history: few, so that commands often meet an event that exists.
const EVENTS: usize = 12;

/// The length of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Length {
    /// The greatest number of openings.
    pub openings: u32,
    /// The greatest number of groups after each opening.
    pub groups: u32,
}

impl Length {
    /// The length for random faults: enough openings and groups for several snapshots.
    pub const TRIAL: Self = Self { openings: 8, groups: 10 };
}

/// An engine with the state that is needed to give it commands.
#[derive(Debug)]
pub struct BusyEngine {
    engine: Engine,
    now: Timestamp,
    out: Output,
    key_table: KeyTable,
    tickets: Vec<Ticket>,
    runs: Vec<RunId>,
}

impl BusyEngine {
    /// Returns the configuration of every history: small, so that each kind of fact soon occurs.
    pub fn config() -> Config {
        let small = |number| NonZeroUsize::new(number).unwrap_or(NonZeroUsize::MIN);
        let mut config = Config::default();
        config.max_attempts = 2;
        config.channel_capacity = small(4);
        config.concurrency = small(4);
        config.retention = Duration::from_secs(60);
        config.backoff = Backoff::default();
        config
    }

    /// Returns the keys of every history.
    pub fn key_table() -> KeyTable {
        KeyTable::of(EVENTS)
    }

    /// Opens an engine after a replay. Returns it with the facts of the opening.
    pub fn open(replay: Replay) -> (Self, Vec<Fact>) {
        let mut out = Output::with_facts();
        let engine = replay.open(OPENED_AT, &mut out);
        let (tickets, runs) = Default::default();
        let mut history = Self { engine, now: OPENED_AT, out, key_table: Self::key_table(), tickets, runs };
        let facts = history.collect();
        history.now = facts.last().map_or(OPENED_AT, |fact| fact.at);
        (history, facts)
    }

    /// Returns the engine.
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Executes some commands. Returns their facts.
    pub fn advance(&mut self, stream: &mut Stream) -> Vec<Fact> {
        for _ in 0..stream.between(1, 4) {
            self.step(stream);
        }
        self.collect()
    }

    fn step(&mut self, stream: &mut Stream) {
        self.now = self.now + Duration::from_micros(stream.between(1, 1000));
        let event = stream.index(EVENTS) as u16;
        let command = match stream.below(20) {
            0..=6 => Command::Submit(self.key_table.event(event, stream.below(12) as u8)),
            7..=11 => match self.tickets.is_empty() {
                true => return,
                false => Command::Start(self.tickets.remove(0)),
            },
            12..=15 => match self.runs.pop() {
                Some(run) => Command::Settle { run, outcome: outcome(stream) },
                None => return,
            },
            16 => Command::Redrive(self.key_table.key(event).clone()),
            17 => Command::Discard(self.key_table.key(event).clone()),
            18 => [Command::Pause, Command::Resume, Command::Resume][stream.index(3)].clone(),
            _ => {
                self.now = self.now + Duration::from_secs(stream.below(90));
                Command::Sweep
            }
        };
        if let Answer::Running(run) = self.engine.execute(self.now, command, &mut self.out) {
            self.runs.push(run.id);
        }
    }

    fn collect(&mut self) -> Vec<Fact> {
        for effect in self.out.drain_effects() {
            match effect {
                Effect::Enqueue(ticket) => self.tickets.push(ticket),
                Effect::Abort(_) => {}
            }
        }
        self.out.drain_facts().collect()
    }
}

fn outcome(stream: &mut Stream) -> Outcome {
    match stream.below(6) {
        0..=2 => Outcome::Done,
        3 => Outcome::Retry { error: ErrorText::new("not now"), after: None },
        4 => Outcome::Permanent { error: ErrorText::new("never") },
        _ => Outcome::Snooze { delay: Duration::from_secs(5), reason: None },
    }
}
