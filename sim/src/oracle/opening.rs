//! Checks of openings, and of the recovered state.

use eventful::{
    Config, Timestamp,
    engine::{
        Engine,
        facts::{Change, DurableState, Fact},
    },
};

use super::{Observation, Oracles, durations, journal, metrics, order, readers, record, shutdown, tickets};
use crate::failure::{Broken, holds};
use crate::key_table::KeyTable;
use crate::spec::{ReferenceState, Register};

impl Oracles {
    /// Checks the state that a reopened journal recovers, with the time of its last fact. Facts that are not in it are
    /// dropped. Returns the number of dropped facts, and whether the group in doubt is in it, if there was one.
    /// `process`: true if the process is another one.
    ///
    /// # Errors
    ///
    /// [`Broken`] if the state is not that of the appended facts.
    pub(crate) fn recover(
        &mut self,
        found: (&DurableState, Timestamp),
        config: &Config,
        key_table: &KeyTable,
        process: bool,
    ) -> Result<(usize, Option<bool>), Broken> {
        let Some(journal) = &mut self.journal else { return Ok((0, None)) };
        let (expected, kept, group) = journal.recover(&self.facts, found, config, key_table)?;
        self.expected = expected;
        let lost = self.facts.len() - kept;
        for fact in self.facts.drain(kept..) {
            if let Change::Forgotten(keys) = &fact.change {
                // A forgetting that was lost did not happen: promises about its events hold again.
                keys.iter().filter_map(|key| key_table.number(key)).for_each(|event| self.ledger.recall(event));
            }
        }
        self.changed.iter_mut().chain([&mut self.paused_by]).for_each(|changed| *changed = kept.min(*changed));
        match process {
            true => self.forget_process(),
            false => self.forget_engine(),
        }
        Ok((lost, group))
    }

    /// Drops everything but what outlives an engine.
    pub(super) fn forget_engine(&mut self) {
        self.reference.lose();
        self.tickets = tickets::SentTickets::default();
        self.order = order::ExpectedLine::default();
        self.shutdown = shutdown::ShutdownAsked::default();
        self.departures.forget();
    }

    /// Drops everything but what outlives a process.
    pub(super) fn forget_process(&mut self) {
        self.forget_engine();
        self.metrics = metrics::CountedMetrics::default();
        self.durations = durations::Durations::default();
        self.published = readers::Published::default();
    }

    /// Checks an engine that was opened from its journal, with the facts of the opening.
    ///
    /// # Errors
    ///
    /// [`Broken`] if a promise does not hold.
    pub(crate) fn judge_opening(&mut self, seen: &Observation<'_>) -> Result<(), Broken> {
        self.order.reopen(&self.expected, seen.now);
        self.judge(seen)?;
        for event in self.expected.all().map(|(event, _)| event) {
            let view = seen.engine.get(seen.now, seen.key_table.key(event));
            record::judge(&self.expected, seen, event, view.as_ref())?;
        }
        journal::judge_opening(&self.expected, seen)?;
        self.audit(seen.now, seen.key_table, seen.engine)
    }

    /// Checks the journal's state `found`, when all facts are durable.
    ///
    /// # Errors
    ///
    /// [`Broken`] if it is not the state of the facts, or not that of the engine.
    pub(crate) fn judge_journal(
        &self,
        found: &DurableState,
        engine: &Engine,
        key_table: &KeyTable,
    ) -> Result<(), Broken> {
        self.judge_found(found, key_table)?;
        journal::judge_state(&self.expected, &engine.durable_state(), key_table)
    }

    /// Checks a recovered state.
    ///
    /// # Errors
    ///
    /// [`Broken`] if it is not the state of the facts.
    pub(crate) fn judge_found(&self, found: &DurableState, key_table: &KeyTable) -> Result<(), Broken> {
        journal::judge_state(&self.expected, found, key_table)
    }

    /// Begins another process without a journal.
    pub fn reopen(&mut self, engine: &Engine, facts: impl Iterator<Item = Fact>) {
        self.ledger.lose_process();
        self.expected = ReferenceState::new(engine.config().clone());
        self.forget_process();
        self.facts.clear();
        (self.paused_by, self.changed) = (0, Vec::new());
        self.open(engine, facts);
    }

    pub(super) fn open(&mut self, engine: &Engine, facts: impl Iterator<Item = Fact>) {
        self.facts.extend(facts);
        self.opening = self.take_in_opening(engine);
        self.reference.open(engine, self.expected.last);
    }

    /// Applies the facts of an opening in memory, which has no records.
    fn take_in_opening(&mut self, engine: &Engine) -> Result<(), Broken> {
        self.expected.apply_all(&self.facts, &Register::default())?;
        let (facts, epoch) = (self.expected.epoch, engine.epoch());
        holds(facts == Some(epoch), || {
            Broken::new("expected", 4, format_args!("the engine has {epoch:?}, its facts {facts:?}"))
        })
    }
}
