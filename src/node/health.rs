//! The health of the node: its numbers, and whether it is ready.

use core::time::Duration;

use super::Node;
use super::journal_state::JournalState;
use super::unavailable::Unavailable;
use crate::engine::{GroupName, Metrics, Phase, Timestamp, TypeStats};
use alloc::vec::Vec;

/// The engine's metrics, and what the node adds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// The counts and measurements of the engine.
    pub engine: Metrics,
    /// Tickets in the channel, measured and not counted.
    pub channel_depth: u64,
    /// Workers, each with one permit. At rest, `permits_free + workers_running = concurrency`.
    pub workers_running: u64,
    /// Permits that no worker holds.
    pub permits_free: u64,
    /// Submitters that wait for room.
    pub submitters_waiting: u64,
    /// Times that the dispatcher was restarted.
    pub dispatcher_restarts: u64,
    /// Times that the sweeper was restarted.
    pub sweeper_restarts: u64,
    /// Facts that some subscription was too slow for.
    pub subscription_dropped: u64,
    /// Facts that are not durable yet. Zero without a journal.
    pub unsynced: u64,
    /// Bytes that the journal can take for new events; none without a journal.
    pub journal_room_bytes: Option<u64>,
    /// Times that the journal was opened again after a failure.
    pub journal_reopenings: u64,
    /// The state of the journal; `None` without one.
    pub journal: Option<JournalState>,
    /// Bytes of the facts that are not durable yet.
    pub unsynced_bytes: u64,
    /// The time for which the oldest of them has waited.
    pub unsynced_for: Duration,
    /// The time for which the oldest pending event has waited, since [`Gauges::oldest_pending`](crate::metrics::Gauges);
    /// zero without one.
    pub pending_for: Duration,
    /// The time since the first of the failed events failed; zero without one.
    pub failed_for: Duration,
    /// Groups of facts that the journal got and that no longer wait for it, in this process.
    pub journal_groups: u64,
    /// The difference by which the engine's time is ahead of the wall clock: it was that far ahead when the journal
    /// was written, and does not go back. Retention counts only the time in which the engine is open.
    pub clock_ahead: Duration,
    /// The phase in the life of the engine.
    pub phase: Phase,
    /// True if an operator has stopped the start of new runs.
    pub paused: bool,
    /// The groups of which an operator has stopped the start of new runs, in the order of their names.
    pub paused_groups: Vec<GroupName>,
    /// The events of each type policy, in the order in which the policies were added.
    pub types: Vec<TypeStats>,
    /// Events that wait because no type policy fits them.
    pub unmatched: u64,
    /// True if new events are refused because failed ones have more than `max_failed_bytes`.
    pub full_of_failures: bool,
}

/// Readiness: events can be sent here, or should go elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Readiness {
    /// Events can be sent here. A paused engine is ready too: it accepts events.
    Ready,
    /// Events should be sent elsewhere.
    NotReady(NotReady),
}

/// The reason why no events should be sent here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NotReady {
    /// The engine shuts down.
    Draining,
    /// The engine has shut down.
    Stopped,
    /// See [`Unavailable::Broken`].
    Broken,
    /// See [`Unavailable::Reopening`].
    Reopening,
    /// See [`Unavailable::JournalDown`].
    JournalDown,
    /// See [`JournalState::Stalled`].
    JournalStalled {
        /// The time since when.
        since: Timestamp,
    },
    /// See [`JournalState::Full`].
    DiskFull,
    /// See [`JournalState::Unreachable`].
    JournalUnreachable,
    /// All permits are held by handlers that were stopped more than `abort_grace` ago and have not
    /// yielded: nothing can run before one does.
    PermitsHeld,
    /// The dispatcher is dead, and waits to be restarted.
    DispatcherDown,
    /// The sweeper is dead and waits to be restarted, or sleeps past a deadline.
    SweeperDown,
    /// Failed events have more than `max_failed_bytes`, and no new one is accepted until some of them are redriven or
    /// discarded.
    FullOfFailures,
}

impl Node {
    /// Returns all numbers from one moment. `clock_ahead` is the driver's.
    ///
    /// # Errors
    ///
    /// [`Unavailable::Broken`]
    pub fn stats(&self, now: Timestamp, clock_ahead: Duration) -> Result<Stats, Unavailable> {
        self.sound()?;
        let engine = self.engine.metrics();
        let age = |since: Option<Timestamp>| since.map_or(Duration::ZERO, |since| now.since(since));
        Ok(Stats {
            pending_for: age(engine.gauges.oldest_pending),
            failed_for: age(engine.gauges.oldest_failed),
            engine,
            channel_depth: self.channel.depth() as u64,
            workers_running: self.workers.held() as u64,
            permits_free: self.workers.permits_free() as u64,
            submitters_waiting: self.queue.len() as u64,
            dispatcher_restarts: self.dispatcher.restarts(),
            sweeper_restarts: self.sweeper.restarts(),
            subscription_dropped: self.readers.dropped(),
            unsynced: self.commits.unsynced(),
            journal_room_bytes: self.commits.room(),
            journal_reopenings: self.writer.reopenings(),
            journal: self.journal_state(now),
            unsynced_bytes: self.commits.unsynced_bytes(),
            unsynced_for: age(self.commits.unsynced_since()),
            journal_groups: self.commits.settled(),
            clock_ahead,
            phase: self.engine.phase(),
            paused: self.engine.is_paused(),
            paused_groups: self.engine.paused_groups().cloned().collect(),
            types: self.engine.type_stats(),
            unmatched: self.engine.unmatched(),
            full_of_failures: self.engine.is_full_of_failures(),
        })
    }

    fn journal_state(&self, now: Timestamp) -> Option<JournalState> {
        self.commits.state(now, self.writer.busy_since(), self.config().max_event_bytes)
    }

    /// Returns whether events can be sent here: whether it makes progress, not only whether it is alive.
    pub fn readiness(&self, now: Timestamp) -> Readiness {
        if self.is_broken {
            return Readiness::NotReady(NotReady::Broken);
        }
        // A sweeper that is a little late is no reason to send events elsewhere.
        let due = self.engine.next_deadline().map(|deadline| deadline.at + self.config().stuck_after);
        let is_late = due.is_some_and(|due| due < now);
        let why = match self.engine.phase() {
            Phase::Running if self.lacks_permits(now) => Some(NotReady::PermitsHeld),
            Phase::Running if self.dispatcher.is_down() => Some(NotReady::DispatcherDown),
            Phase::Running if is_late || self.sweeper.is_down() => Some(NotReady::SweeperDown),
            Phase::Running if self.engine.is_full_of_failures() => Some(NotReady::FullOfFailures),
            Phase::Running => None,
            Phase::Draining => Some(NotReady::Draining),
            Phase::Stopped => Some(NotReady::Stopped),
        };
        let journal = journal_reason(self.engine.phase(), self.journal_state(now));
        // The journal first: the reasons of an engine that was abandoned mean nothing any more.
        journal.or(why).map_or(Readiness::Ready, Readiness::NotReady)
    }

    /// Returns whether handlers that do not yield after their cancellation hold all permits: then nothing can start
    /// any more.
    fn lacks_permits(&self, now: Timestamp) -> bool {
        self.workers.stopped(now, self.config().abort_grace) >= self.config().concurrency.get()
    }
}

/// Returns the reason why no events should be sent to an engine in this phase, as far as its journal is the reason.
/// An engine that was abandoned has no phase that counts.
fn journal_reason(phase: Phase, journal: Option<JournalState>) -> Option<NotReady> {
    match journal? {
        JournalState::Down => Some(NotReady::JournalDown),
        JournalState::Reopening => Some(NotReady::Reopening),
        JournalState::Working => None,
        // An engine that drains refuses new events in any case, and its phase says so.
        JournalState::Stalled { .. } | JournalState::Full | JournalState::Unreachable if phase != Phase::Running => {
            None
        }
        JournalState::Stalled { since } => Some(NotReady::JournalStalled { since }),
        JournalState::Full => Some(NotReady::DiskFull),
        JournalState::Unreachable => Some(NotReady::JournalUnreachable),
    }
}
