//! The engine under test, with all of its output, and the state of its facts.

use eventful::{
    Config, Cursor, RecordView, Timestamp,
    engine::{
        Answer, Command, DroppedFailure, Effect, Engine, InvalidConfig, Output,
        facts::{Change, Fact, Replay, ReplayError},
    },
};

use crate::spec::{ReferenceState, Register};

/// An engine, and every fact that it put out.
#[derive(Debug)]
pub struct Sut {
    engine: Engine,
    output: Output,
    facts: Vec<Fact>,
    dropped: Vec<DroppedFailure>,
    expected: ReferenceState,
    keys: Register,
}

impl Sut {
    /// Opens an empty engine at `now`.
    ///
    /// # Errors
    ///
    /// [`InvalidConfig`] if the engine refuses the configuration.
    pub fn open(config: Config, now: Timestamp) -> Result<Self, InvalidConfig> {
        let mut output = Output::with_facts();
        let expected = ReferenceState::new(config.clone());
        let engine = Engine::new(config, now, &mut output)?;
        let (facts, dropped, keys) = (Vec::new(), Vec::new(), Register::default());
        let mut sut = Self { engine, output, facts, dropped, expected, keys };
        sut.drain();
        Ok(sut)
    }

    /// Executes a command. Returns its result and its effects.
    ///
    /// # Panics
    ///
    /// If a fact cannot follow from the ones before.
    pub fn execute(&mut self, now: Timestamp, command: Command) -> (Answer, Vec<Effect>) {
        let answer = self.engine.execute(now, command, &mut self.output);
        (answer, self.drain())
    }

    /// Returns the engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Returns every fact since the opening.
    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// Returns the failed events that were forgotten since the opening.
    pub fn dropped(&self) -> &[DroppedFailure] {
        &self.dropped
    }

    /// Returns the state of the facts.
    pub fn expected(&self) -> &ReferenceState {
        &self.expected
    }

    /// Returns the numbers of the keys of all events that were ever accepted.
    pub fn keys(&self) -> &Register {
        &self.keys
    }

    /// Returns all records that are there at `now`, by pages of `page_size`, ordered by key.
    pub fn records(&self, now: Timestamp, page_size: usize) -> Vec<RecordView> {
        let mut records = Vec::new();
        let mut next = Some(Cursor::START);
        while let Some(cursor) = next {
            let page = self.engine.page(now, None, cursor, page_size);
            records.extend(page.records);
            next = page.next;
        }
        records.sort_by(|one, other| one.key.cmp(&other.key));
        records
    }

    /// Replays the facts alone.
    ///
    /// # Errors
    ///
    /// [`ReplayError`] if a fact does not follow from the ones before.
    ///
    /// # Panics
    ///
    /// If the engine refuses its own configuration.
    pub fn replay(&self) -> Result<Replay, ReplayError> {
        let mut replay = Replay::new(self.engine.config().clone()).expect("it was accepted before");
        self.facts.iter().try_for_each(|fact| replay.apply(fact))?;
        Ok(replay)
    }

    /// Drops the engine as a kill does, and opens another one from the facts.
    ///
    /// # Errors
    ///
    /// [`ReplayError`] if a fact does not follow from the ones before.
    pub fn reopen(&mut self, now: Timestamp) -> Result<Vec<Effect>, ReplayError> {
        self.engine = self.replay()?.open(now, &mut self.output);
        Ok(self.drain())
    }

    /// Does what [`Sut::reopen`] does, with another configuration.
    ///
    /// # Errors
    ///
    /// [`ReplayError`] when a fact does not follow from the ones before it.
    ///
    /// # Panics
    ///
    /// When the engine refuses the configuration.
    pub fn reopen_with(&mut self, config: Config, now: Timestamp) -> Result<Vec<Effect>, ReplayError> {
        let mut replay = Replay::new(config.clone()).expect("a valid configuration");
        self.facts.iter().try_for_each(|fact| replay.apply(fact))?;
        self.expected.config = config;
        self.engine = replay.open(now, &mut self.output);
        Ok(self.drain())
    }

    fn drain(&mut self) -> Vec<Effect> {
        for fact in self.output.drain_facts() {
            if let Change::Accepted(event) = &fact.change {
                self.keys.enter(event.key());
            }
            self.expected.apply(&fact, &self.keys).unwrap_or_else(|broken| panic!("{broken}"));
            self.facts.push(fact);
        }
        self.dropped.extend(self.output.drain_dropped());
        self.output.drain_effects().collect()
    }
}
