//! The phases of a shutdown, and its report.
//!
//! ```text
//! Draining ──no run in flight, all durable; or its deadline──▶ Yielding
//! Yielding ──no worker left; or abort_grace──▶ Closing
//! Closing ──journal closed, tasks ended; or sync_grace──▶ Over
//! ```

use core::time::Duration;

use crate::engine::{FactCounters, Timestamp, facts::AttemptEnd};

/// The report of a shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Runs that ended while the shutdown waited for them.
    pub drained: u64,
    /// Runs that the shutdown stopped. Their events wait for another attempt, and are among `left`.
    pub interrupted: u64,
    /// Handlers that had not yielded at the end of `abort_grace`.
    pub abandoned: u64,
    /// Events that wait for a run. After a failure of the journal: those that the engine knew then.
    pub left: u64,
    /// Facts that are not durable, or may not be because the journal has failed. Zero without a journal.
    pub unsynced: u64,
    /// The time that it took.
    pub took: Duration,
}

/// A shutdown that was asked for. It is kept with the node, so that an engine that is opened meanwhile ends, too.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shutdown {
    /// The time at which it was first asked for.
    since: Timestamp,
    /// The counters before the shutdown, or before the opening of the engine that it ends.
    before: FactCounters,
    phase: ShutdownPhase,
    report: ShutdownReport,
}

/// The phase of a shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum ShutdownPhase {
    /// Runs in flight may end, until then.
    Draining(Timestamp),
    /// Handlers were cancelled, and have until then to end.
    Yielding(Timestamp),
    /// The engine has stopped. The journal and the tasks have until then to end.
    Closing(Timestamp),
    /// There is a report.
    Over,
}

impl Shutdown {
    pub(super) fn new(now: Timestamp, deadline: Timestamp) -> Self {
        let (before, report) = Default::default();
        Self { since: now, before, phase: ShutdownPhase::Draining(deadline), report }
    }

    pub(super) const fn phase(&self) -> ShutdownPhase {
        self.phase
    }

    pub(super) const fn pass_to(&mut self, phase: ShutdownPhase) {
        self.phase = phase;
    }

    /// Applies another deadline: the earliest of all counts.
    pub(super) fn hurry(&mut self, deadline: Timestamp) {
        // The later phases last as long as the configuration says, whatever callers ask for.
        if let ShutdownPhase::Draining(until) = &mut self.phase {
            *until = deadline.min(*until);
        }
    }

    /// Sets the counts from which the report counts: those of the engine that is ended now.
    pub(super) const fn count_from(&mut self, before: FactCounters) {
        self.before = before;
    }

    /// Records the fate of the runs, and what is left.
    pub(super) fn tally(&mut self, facts: &FactCounters, abandoned: u64, left: u64) {
        let ended = facts.finished_total() - self.before.finished_total();
        let interrupted = facts.finished(AttemptEnd::Interrupted) - self.before.finished(AttemptEnd::Interrupted);
        let drained = ended - interrupted;
        self.report = ShutdownReport { drained, interrupted, abandoned, left, ..self.report };
    }

    /// Records what is left of an engine that counts nothing any more.
    pub(super) const fn tally_unusable(&mut self, abandoned: u64, left: u64) {
        (self.report.abandoned, self.report.left) = (abandoned, left);
    }

    pub(super) fn finish(&mut self, now: Timestamp, unsynced: u64) {
        (self.report.unsynced, self.report.took) = (unsynced, now.since(self.since));
        self.phase = ShutdownPhase::Over;
    }

    /// Returns the report, once the shutdown has ended.
    pub(super) fn report(&self) -> Option<ShutdownReport> {
        (self.phase == ShutdownPhase::Over).then_some(self.report)
    }
}
