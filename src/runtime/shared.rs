//! What every handle and every task of one adapter shares.

use core::fmt;
use core::hint::spin_loop;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::panicking;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use super::attempt::RunCell;
use super::clock::Clock;
use super::hooks::Probe;
use super::locked::{Core, Taken, Wakes};
use super::shutdown::End;
use super::worker::Flight;
use crate::engine::{Answer, Command, Config, Outcome, Timestamp};

/// A thread panicked while it held the engine, so nothing that the engine says can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the engine is broken: an earlier call panicked inside it; restart the process")]
pub struct Broken;

/// An answer that does not fit its command: a bug in the engine.
pub(super) fn unexpected(answer: &Answer) -> Broken {
    tracing::error!(?answer, "the engine gave an answer that does not fit the command");
    Broken
}

/// One adapter: its lock, its clock, and the bells that wake its tasks.
pub(super) struct Shared {
    core: OwnLine<Mutex<Core>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) config: Config,
    pub(super) submit_timeout: Duration,
    pub(super) probe: Probe,
    /// Rung for the dispatcher: there is a ticket, or nothing more to dispatch.
    pub(super) ticket: Notify,
    /// Rung for the sweeper: a deadline came forward, or none will come.
    pub(super) deadline: Notify,
    /// Rung for the first submitter that waits.
    pub(super) room: Notify,
    /// Rung for shutdown: no run is in flight.
    pub(super) drained: Notify,
    /// Held by the first submitter that waits; the others wait for it, in their order.
    pub(super) turnstile: tokio::sync::Mutex<()>,
    pub(super) permits: Arc<Semaphore>,
    /// Permits that the dispatcher holds and has no run for yet: one at most, unless it was replaced.
    pub(super) permits_in_hand: AtomicUsize,
    pub(super) workers: Mutex<JoinSet<()>>,
    pub(super) workers_running: AtomicUsize,
    pub(super) dispatcher: Upkeep,
    pub(super) sweeper: Upkeep,
    pub(super) end: End,
}

/// Keeps what others write often, such as reference counts, off the cache line of the lock.
#[repr(align(128))]
struct OwnLine<T>(T);

/// How it goes with a task that is restarted when it dies.
#[derive(Debug, Default)]
pub(super) struct Upkeep {
    pub(super) restarts: AtomicU64,
    /// It died, and is not restarted yet.
    pub(super) down: AtomicBool,
    /// Rung to have the task replaced.
    pub(super) replace: Notify,
}

/// The parts of [`Shared`] that the builder chooses.
pub(super) struct Parts {
    pub(super) core: Core,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) config: Config,
    pub(super) submit_timeout: Duration,
    pub(super) probe: Probe,
}

/// Tries of the lock before a thread sleeps for it.
const SPINS: usize = 1000;

impl Shared {
    pub(super) fn new(parts: Parts) -> Arc<Self> {
        let permits = parts.config.concurrency.get().min(Semaphore::MAX_PERMITS);
        Arc::new(Self {
            core: OwnLine(Mutex::new(parts.core)),
            clock: parts.clock,
            config: parts.config,
            submit_timeout: parts.submit_timeout,
            probe: parts.probe,
            ticket: Notify::new(),
            deadline: Notify::new(),
            room: Notify::new(),
            drained: Notify::new(),
            turnstile: tokio::sync::Mutex::new(()),
            permits: Arc::new(Semaphore::new(permits)),
            permits_in_hand: AtomicUsize::new(0),
            workers: Mutex::new(JoinSet::new()),
            workers_running: AtomicUsize::new(0),
            dispatcher: Upkeep::default(),
            sweeper: Upkeep::default(),
            end: End::default(),
        })
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Looks at the core, and changes nothing that anybody must be told of.
    pub(super) fn look<T>(&self, look: impl FnOnce(&mut Core, Timestamp) -> T) -> Result<T, Broken> {
        let _alarm = Alarm(self);
        let mut core = self.lock()?;
        let now = self.clock.now();
        Ok(look(&mut core, now))
    }

    /// Looks at the core even when it is broken: whoever waits must be let go in the end.
    pub(super) fn last_look<T>(&self, look: impl FnOnce(&mut Core) -> T) -> T {
        look(&mut self.core.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The lock is held for less time than it takes to put a thread to sleep and to wake it, so
    /// it is tried for a while first.
    fn lock(&self) -> Result<MutexGuard<'_, Core>, Broken> {
        for _ in 0..SPINS {
            match self.core.0.try_lock() {
                Ok(core) => return Ok(core),
                Err(TryLockError::Poisoned(_)) => return Err(Broken),
                Err(TryLockError::WouldBlock) => spin_loop(),
            }
        }
        self.core.0.lock().map_err(|_| Broken)
    }

    /// Changes the core, and then wakes whom the change concerns. The time is read inside the
    /// lock, so it rises from change to change.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Core, Timestamp) -> T) -> Result<T, Broken> {
        let (answer, wakes) = self.look(|core, now| (change(core, now), core.wakes()))?;
        self.wake(wakes);
        Ok(answer)
    }

    pub(super) fn execute(&self, command: Command) -> Result<Answer, Broken> {
        self.change(|core, now| core.execute(now, command))
    }

    /// Starts the run of the next ticket, for the dispatcher. Nothing when there is none; then
    /// its bell rings when that changes.
    ///
    /// # Errors
    ///
    /// When none can be started ever again, or not before the channel is replaced.
    pub(super) fn start_next(self: &Arc<Self>) -> Result<Option<Flight>, StartFailure> {
        let started = self.change(|core, now| {
            let started = self.start(core, now)?;
            core.dispatcher_waits = started.is_none();
            Ok(started)
        });
        Ok(started.unwrap_or(Err(StartFailure::Broken))?.map(Flight::new))
    }

    /// Tells the outcome of a run, if there is one to tell, and starts the next run, as one change.
    pub(super) fn settle_and_start(
        self: &Arc<Self>,
        cell: &RunCell,
        outcome: Option<Outcome>,
    ) -> (Option<Answer>, Option<Flight>) {
        let change = |core: &mut Core, now| {
            let answer = outcome.map(|outcome| core.settle(now, cell, outcome));
            (answer, self.start(core, now).ok().flatten())
        };
        let (answer, started) = self.change(change).unwrap_or_default();
        (answer, started.map(Flight::new))
    }

    fn start(self: &Arc<Self>, core: &mut Core, now: Timestamp) -> Result<Option<Arc<RunCell>>, StartFailure> {
        match core.take(now) {
            Taken::Run(run, slot) => {
                let cell = RunCell::new(run, slot, self);
                core.keep(&cell);
                Ok(Some(cell))
            }
            Taken::Nothing => Ok(None),
            Taken::ChannelGone => Err(StartFailure::ChannelGone),
        }
    }

    fn wake(&self, wakes: Wakes) {
        let bells = [
            (wakes.ticket, &self.ticket),
            (wakes.deadline, &self.deadline),
            (wakes.room, &self.room),
            (wakes.drained, &self.drained),
        ];
        bells.into_iter().filter(|(ring, _)| *ring).for_each(|(_, bell)| bell.notify_one());
        wakes.readers.iter().for_each(|reader| reader.wake());
        wakes.aborted.iter().for_each(|cell| cell.cancel());
    }

    /// The workers' tasks. A panic while they are touched leaves them usable.
    pub(super) fn workers(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes everybody when a panic breaks the core: no change will do it any more.
struct Alarm<'a>(&'a Shared);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if panicking() {
            let Shared { ticket, deadline, room, drained, .. } = self.0;
            [ticket, deadline, room, drained].into_iter().for_each(Notify::notify_one);
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("config", &self.config).finish_non_exhaustive()
    }
}

/// Why no run can be started, now or ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StartFailure {
    /// The channel has no receiver any more.
    ChannelGone,
    /// See [`Broken`].
    Broken,
}

/// A permit for one run at a time, counted as a running worker.
pub(super) struct Slot {
    shared: Arc<Shared>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Slot {
    pub(super) fn new(shared: &Arc<Shared>, permit: Option<OwnedSemaphorePermit>) -> Self {
        shared.workers_running.fetch_add(1, Ordering::AcqRel);
        Self { shared: Arc::clone(shared), permit }
    }
}

/// Returns the permit.
impl Drop for Slot {
    fn drop(&mut self) {
        self.shared.workers_running.fetch_sub(1, Ordering::AcqRel);
        drop(self.permit.take());
    }
}
