//! The engine under test, with all that it ever put out.

use eventful::{
    Answer, Command, Config, Cursor, DroppedFailure, Effect, Engine, Fact, InvalidConfig, Output, RecordView, Replay,
    ReplayError, Timestamp,
};

/// An engine, and every fact that it put out.
#[derive(Debug)]
pub struct Sut {
    engine: Engine,
    output: Output,
    facts: Vec<Fact>,
    dropped: Vec<DroppedFailure>,
}

impl Sut {
    /// Opens an empty engine at `now`.
    ///
    /// # Errors
    ///
    /// [`InvalidConfig`] when the engine refuses the configuration.
    pub fn open(config: Config, now: Timestamp) -> Result<Self, InvalidConfig> {
        let mut output = Output::with_facts();
        let engine = Engine::new(config, now, &mut output)?;
        let mut sut = Self { engine, output, facts: Vec::new(), dropped: Vec::new() };
        sut.drain();
        Ok(sut)
    }

    /// What the engine answers, and what it wants done.
    pub fn execute(&mut self, now: Timestamp, command: Command) -> (Answer, Vec<Effect>) {
        let answer = self.engine.execute(now, command, &mut self.output);
        (answer, self.drain())
    }

    /// The engine itself.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Every fact since the opening.
    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// Failed events that were forgotten since the opening.
    pub fn dropped(&self) -> &[DroppedFailure] {
        &self.dropped
    }

    /// All records that are there at `now`, by pages of `page_size`, ordered by key.
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

    /// An engine's past, rebuilt from the facts alone.
    ///
    /// # Errors
    ///
    /// [`ReplayError`] when a fact does not follow from the ones before it.
    ///
    /// # Panics
    ///
    /// When the engine refuses its own configuration.
    pub fn replay(&self) -> Result<Replay, ReplayError> {
        let mut replay = Replay::new(self.engine.config().clone()).expect("it was accepted before");
        self.facts.iter().try_for_each(|fact| replay.apply(fact))?;
        Ok(replay)
    }

    /// Throws the engine away as a kill does, and opens another one from the facts.
    ///
    /// # Errors
    ///
    /// [`ReplayError`] when a fact does not follow from the ones before it.
    pub fn reopen(&mut self, now: Timestamp) -> Result<Vec<Effect>, ReplayError> {
        self.engine = self.replay()?.open(now, &mut self.output);
        Ok(self.drain())
    }

    fn drain(&mut self) -> Vec<Effect> {
        self.facts.extend(self.output.drain_facts());
        self.dropped.extend(self.output.drain_dropped());
        self.output.drain_effects().collect()
    }
}
