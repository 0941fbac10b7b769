//! Checks of what leaves the node: tickets, results, notices, groups, and its health and numbers.

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
    /// Returns the number of facts decided until the last change of this event.
    pub(crate) fn changed(&self, event: EventNumber) -> usize {
        self.changed.get(usize::from(event)).copied().unwrap_or_default()
    }

    /// Returns the number of facts decided until the last pause or resume.
    pub(crate) const fn paused_by(&self) -> usize {
        self.paused_by
    }

    /// Returns whether the node knows that all facts are durable.
    pub(crate) fn is_synced(&self) -> bool {
        self.journal.as_ref().is_none_or(|journal| journal.reported == self.facts.len())
    }

    /// Notes that the node knows of everything durable.
    pub(crate) fn report(&mut self) {
        if let Some(journal) = &mut self.journal {
            journal.report(&self.facts);
        }
    }

    /// Checks that a result may be shown that follows from the first `decided` facts.
    ///
    /// # Errors
    ///
    /// [`Broken`] if one of them is not durable.
    pub(crate) fn judge_shown(&self, what: &str, decided: usize) -> Result<(), Broken> {
        self.journal.as_ref().map_or(Ok(()), |journal| journal.judge_shown(what, decided))
    }

    /// Checks that facts that were reported as possibly lost are among those that may be.
    ///
    /// # Errors
    ///
    /// [`Broken`] if the fact was decided before all that may be lost.
    pub(crate) fn judge_doubted(&self, what: &str, decided: usize) -> Result<(), Broken> {
        let since = self.journal.as_ref().and_then(|journal| journal.unsynced_since(&self.facts));
        let at = decided.checked_sub(1).and_then(|last| self.facts.get(last)).map(|fact| fact.at);
        let may_be = since.is_some_and(|since| at.is_none_or(|at| at >= since));
        holds(may_be, || {
            Broken::new("journal", 10, format_args!("{what} of {at:?} is said to be not durable since {since:?}"))
        })
    }

    /// Returns whether facts have not been durable for longer than calls wait.
    pub(crate) fn is_journal_stuck(&self, now: Timestamp) -> bool {
        self.journal.as_ref().is_some_and(|journal| journal.is_stuck(now, &self.facts))
    }

    /// Checks that tickets that were not sent wait for something.
    ///
    /// # Errors
    ///
    /// [`Broken`] if everything is durable.
    pub(crate) fn judge_rest(&self) -> Result<(), Broken> {
        if self.is_synced() { self.departures.judge_rest() } else { Ok(()) }
    }

    /// Checks that this ticket may be sent.
    ///
    /// # Errors
    ///
    /// [`Broken`] if it is not the next one, or follows from facts that are not durable.
    pub(crate) fn judge_departure(&mut self, ticket: Ticket) -> Result<(), Broken> {
        let decided = self.departures.leave(ticket)?;
        self.judge_shown("a ticket", decided)
    }

    /// Checks the next group that is written.
    ///
    /// # Errors
    ///
    /// [`Broken`] if these facts are not the next ones.
    pub(crate) fn give(&mut self, group: &[Fact]) -> Result<(), Broken> {
        let Some(journal) = &mut self.journal else { return Ok(()) };
        journal.give(&self.facts, group)
    }

    /// Checks the next notice that a reader of facts receives.
    ///
    /// # Errors
    ///
    /// [`Broken`] if another notice is the next one.
    pub(crate) fn judge_reading(&mut self, reader: Waiter, reading: &Reading, ends: bool) -> Result<(), Broken> {
        self.published.judge(reader, reading, &self.facts, ends)
    }

    /// Checks the readiness that a node reports.
    ///
    /// # Errors
    ///
    /// [`Broken`] if it is wrong.
    pub(crate) fn judge_readiness(
        &self,
        now: Timestamp,
        engine: &Engine,
        health: &Health,
        shown: Readiness,
    ) -> Result<(), Broken> {
        readiness::judge(&self.expected, now, engine, health, shown)
    }

    /// Checks the numbers that a node shows at `now`, as far as facts and its health determine them. The wall clock is
    /// `ahead` behind it.
    ///
    /// # Errors
    ///
    /// [`Broken`] if one is wrong.
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
        let age = |since: Option<Timestamp>| since.map_or(Duration::ZERO, |since| now.since(since));
        let state = health.journal.as_ref().map(|journal| readiness::journal_state(now, config, journal));
        metrics::same("the engine's numbers", &stats.engine, &engine.metrics())?;
        metrics::same("phase", stats.phase, engine.phase())?;
        metrics::same("paused", stats.paused, self.expected.paused)?;
        metrics::same("full of failures", stats.full_of_failures, is_full)?;
        metrics::same("how far ahead the clock is", stats.clock_ahead, ahead)?;
        metrics::same("how long facts have waited", stats.unsynced_for, age(since))?;
        let (pending, failed) = (self.expected.oldest_pending(), self.expected.oldest_failed());
        metrics::same("the oldest pending event", stats.engine.gauges.oldest_pending, pending)?;
        metrics::same("the oldest failed event", stats.engine.gauges.oldest_failed, failed)?;
        metrics::same("how long events are pending", stats.pending_for, age(pending))?;
        metrics::same("how long events have failed", stats.failed_for, age(failed))?;
        metrics::same("the state of the journal", stats.journal, state)
    }

    /// Checks that the shutdown has ended in time, and its report.
    ///
    /// # Errors
    ///
    /// [`Broken`] if something in it is wrong.
    pub(crate) fn judge_end(&self, ended: &ShutdownEnded) -> Result<(), Broken> {
        let reported = self.journal.as_ref().map_or(self.facts.len(), |journal| journal.reported);
        self.shutdown.judge_end(&self.expected, ended, self.facts.len() - reported)
    }
}
