//! How the adapter is doing, in numbers and in a word.

use core::sync::atomic::Ordering;

use super::Eventful;
use super::shared::Upkeep;
use super::unavailable::Unavailable;
use crate::engine::{Metrics, Phase};

/// The engine's metrics, and what the adapter adds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// What the engine counts and measures.
    pub engine: Metrics,
    /// Tickets in the channel, measured and not counted.
    pub channel_depth: u64,
    /// Workers, each with one permit. At rest, `permits_free + workers_running = concurrency`.
    pub workers_running: u64,
    /// Permits that no worker holds, the one in the dispatcher's hand included.
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
    /// Bytes that the journal can take for new events; nothing without a journal.
    pub journal_room_bytes: Option<u64>,
    /// Times that the journal was opened again after a failure.
    pub journal_reopenings: u64,
    /// Where the engine stands in its own life.
    pub phase: Phase,
    /// Whether an operator has stopped the start of new runs.
    pub paused: bool,
}

/// Whether events can be sent here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Readiness {
    /// They can. A paused engine is ready too: it takes events in.
    Ready,
    /// They should go elsewhere.
    NotReady(NotReady),
}

/// Why no events should be sent here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NotReady {
    /// It shuts down.
    Draining,
    /// It has shut down.
    Stopped,
    /// See [`Unavailable::Broken`].
    Broken,
    /// See [`Unavailable::Reopening`].
    Reopening,
    /// See [`Unavailable::JournalDown`].
    JournalDown,
    /// The journal has been writing for longer than `stuck_after`.
    JournalStalled,
    /// The dispatcher is dead, and waits to be restarted.
    DispatcherDown,
    /// The sweeper is dead and waits to be restarted, or sleeps past a deadline.
    SweeperDown,
}

impl Eventful {
    /// All numbers, the engine's from one moment. With a journal they may tell of what is not
    /// durable yet, and so fall back after a crash; [`Eventful::sync`] waits until they cannot.
    ///
    /// # Errors
    ///
    /// [`Unavailable`]
    pub fn stats(&self) -> Result<Stats, Unavailable> {
        let shared = &self.shared;
        let in_hand = shared.permits_in_hand.load(Ordering::Acquire);
        shared.look(|core, _| Stats {
            engine: core.engine.metrics(),
            channel_depth: core.channel_depth() as u64,
            workers_running: shared.workers_running.load(Ordering::Acquire) as u64,
            permits_free: (shared.permits.available_permits() + in_hand) as u64,
            submitters_waiting: core.waiting as u64,
            dispatcher_restarts: shared.dispatcher.restarts.load(Ordering::Acquire),
            sweeper_restarts: shared.sweeper.restarts.load(Ordering::Acquire),
            subscription_dropped: core.subscribers.dropped,
            unsynced: core.commits.unsynced(),
            journal_room_bytes: core.commits.room(),
            journal_reopenings: shared.writer.reopenings.load(Ordering::Acquire),
            phase: core.engine.phase(),
            paused: core.engine.is_paused(),
        })
    }

    /// Waits until everything that was decided so far is durable. Without a journal it is at once.
    ///
    /// # Errors
    ///
    /// [`Unavailable`]
    pub async fn sync(&self) -> Result<(), Unavailable> {
        self.shared.read(|_, _| ()).await
    }

    /// Whether events can be sent here: whether it makes progress, not just whether it lives.
    pub fn readiness(&self) -> Readiness {
        let down = |upkeep: &Upkeep| upkeep.down.load(Ordering::Acquire);
        let late = self.shared.look(|core, now| {
            let due = core.engine.next_deadline().map(|deadline| deadline.at + self.config().stuck_after);
            let stalls = core.commits.writing_since().is_some_and(|since| since + self.config().stuck_after < now);
            (core.engine.phase(), due.is_some_and(|due| due < now), stalls)
        });
        match late {
            Err(Unavailable::Reopening | Unavailable::Unknown) => Readiness::NotReady(NotReady::Reopening),
            Err(Unavailable::JournalDown) => Readiness::NotReady(NotReady::JournalDown),
            Err(Unavailable::Broken) => Readiness::NotReady(NotReady::Broken),
            Ok((Phase::Draining, ..)) => Readiness::NotReady(NotReady::Draining),
            Ok((Phase::Stopped, ..)) => Readiness::NotReady(NotReady::Stopped),
            Ok((Phase::Running, _, true)) => Readiness::NotReady(NotReady::JournalStalled),
            Ok((Phase::Running, ..)) if down(&self.shared.dispatcher) => Readiness::NotReady(NotReady::DispatcherDown),
            Ok((Phase::Running, late, _)) if late || down(&self.shared.sweeper) => {
                Readiness::NotReady(NotReady::SweeperDown)
            }
            Ok((Phase::Running, ..)) => Readiness::Ready,
        }
    }
}
