//! The output of a node: tickets, results, notices, groups, and what it says of itself.

use std::time::Duration;

use eventful::node::{Readiness, Reading, Waiter};
use eventful::{
    Timestamp,
    engine::{Engine, Phase, Ticket, facts::Fact},
    metrics::Stats,
};

use super::readiness::{self, Health};
use super::shutdown::ShutdownEnded;
use super::{Oracles, metrics};
use crate::failure::{Broken, holds};
use crate::scenario::EventNumber;

impl Oracles {
    /// Returns how many facts were decided until the last change of this event.
    pub(crate) fn changed(&self, event: EventNumber) -> usize {
        self.changed.get(usize::from(event)).copied().unwrap_or_default()
    }

    /// Returns how many facts were decided until the last pause, or the end of it.
    pub(crate) const fn paused_by(&self) -> usize {
        self.paused_by
    }

    /// Returns whether the node knows of all facts that they are durable.
    pub(crate) fn is_synced(&self) -> bool {
        self.journal.as_ref().is_none_or(|journal| journal.reported == self.facts.len())
    }

    /// The node knows that all is durable that is.
    pub(crate) fn report(&mut self) {
        if let Some(journal) = &mut self.journal {
            journal.report(&self.facts);
        }
    }

    /// Judges that what was decided as one of the first `decided` facts may be shown.
    ///
    /// # Errors
    ///
    /// [`Broken`] when that is not durable.
    pub(crate) fn judge_shown(&self, what: &str, decided: usize) -> Result<(), Broken> {
        self.journal.as_ref().map_or(Ok(()), |journal| journal.judge_shown(what, decided))
    }

    /// Judges that what was decided as one of the first `decided` facts may be lost, as was said.
    ///
    /// # Errors
    ///
    /// [`Broken`] when it was decided before all that may be.
    pub(crate) fn judge_doubted(&self, what: &str, decided: usize) -> Result<(), Broken> {
        let since = self.journal.as_ref().and_then(|journal| journal.unsynced_since(&self.facts));
        let at = decided.checked_sub(1).and_then(|last| self.facts.get(last)).map(|fact| fact.at);
        let may_be = since.is_some_and(|since| at.is_none_or(|at| at >= since));
        holds(may_be, || {
            Broken::new("journal", 10, format_args!("{what} of {at:?} is not durable, it says: {since:?}"))
        })
    }

    /// Returns whether a fact that is not durable has waited for longer than a result may.
    pub(crate) fn is_journal_stuck(&self, now: Timestamp) -> bool {
        self.journal.as_ref().is_some_and(|journal| journal.is_stuck(now, &self.facts))
    }

    /// Judges that tickets that were not sent wait for something.
    ///
    /// # Errors
    ///
    /// [`Broken`] when everything is durable.
    pub(crate) fn judge_rest(&self) -> Result<(), Broken> {
        if self.is_synced() { self.departures.judge_rest() } else { Ok(()) }
    }

    /// Judges that this ticket may be sent.
    ///
    /// # Errors
    ///
    /// [`Broken`] when it is not its turn, or what it follows from is not durable.
    pub(crate) fn judge_departure(&mut self, ticket: Ticket) -> Result<(), Broken> {
        let decided = self.departures.leave(ticket)?;
        self.judge_shown("a ticket", decided)
    }

    /// The next group is given to the journal.
    ///
    /// # Errors
    ///
    /// [`Broken`] when it is not what was decided next.
    pub(crate) fn give(&mut self, group: &[Fact]) -> Result<(), Broken> {
        let Some(journal) = &mut self.journal else { return Ok(()) };
        journal.give(&self.facts, group)
    }

    /// Judges what a reader of facts reads next.
    ///
    /// # Errors
    ///
    /// [`Broken`] when something else is due.
    pub(crate) fn judge_reading(&mut self, reader: Waiter, reading: &Reading, ends: bool) -> Result<(), Broken> {
        self.published.judge(reader, reading, &self.facts, ends)
    }

    /// Judges what a node says of its own health.
    ///
    /// # Errors
    ///
    /// [`Broken`] when it is not so.
    pub(crate) fn judge_readiness(
        &self,
        now: Timestamp,
        engine: &Engine,
        health: &Health,
        shown: Readiness,
    ) -> Result<(), Broken> {
        readiness::judge(&self.expected, now, engine, health, shown)
    }

    /// Judges the numbers that a node shows at `now`, as far as facts and its health determine them. The wall clock
    /// is `ahead` behind it.
    ///
    /// # Errors
    ///
    /// [`Broken`] when one is another.
    pub(crate) fn judge_stats(
        &self,
        now: Timestamp,
        engine: &Engine,
        health: &Health,
        stats: &Stats,
        ahead: Duration,
    ) -> Result<(), Broken> {
        let config = &self.expected.config;
        let is_full =
            engine.phase() == Phase::Running && self.expected.has_failed_overflow() && !self.expected.drops_oldest();
        let since = self.journal.as_ref().and_then(|journal| journal.unsynced_since(&self.facts));
        let unsynced_for = since.map_or(Duration::ZERO, |since| now.since(since));
        let state = health.journal.as_ref().map(|journal| readiness::journal_state(now, config, journal));
        metrics::same("the engine's numbers", &stats.engine, &engine.metrics())?;
        metrics::same("phase", stats.phase, engine.phase())?;
        metrics::same("paused", stats.paused, self.expected.paused)?;
        metrics::same("full of failures", stats.full_of_failures, is_full)?;
        metrics::same("how far ahead the clock is", stats.clock_ahead, ahead)?;
        metrics::same("how long facts have waited", stats.unsynced_for, unsynced_for)?;
        metrics::same("the state of the journal", stats.journal, state)
    }

    /// Judges that the shutdown has come to its end in time, and what it reports.
    ///
    /// # Errors
    ///
    /// [`Broken`] when something of it is not so.
    pub(crate) fn judge_end(&self, ended: &ShutdownEnded) -> Result<(), Broken> {
        let reported = self.journal.as_ref().map_or(self.facts.len(), |journal| journal.reported);
        self.shutdown.judge_end(&self.expected, ended, self.facts.len() - reported)
    }
}
