//! What every handle and every task of one adapter shares.

use core::fmt;
use core::future::poll_fn;
use core::hint::spin_loop;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use core::task::Poll;
use core::time::Duration;
use std::boxed::Box;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};
use std::thread::panicking;
use tokio::runtime::Handle;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use super::attempt::RunCell;
use super::commits::Synced;
use super::ender::Ender;
use super::holds::Holds;
use super::hooks::Probe;
use super::latch::Latch;
use super::locked::{Core, Taken, Wakes};
#[cfg(feature = "durable")]
use super::recovery::Recovery;
use super::shutdown::End;
use super::timeline::Timeline;
use super::unavailable::Unavailable;
use super::worker::Flight;
use crate::engine::{Answer, Command, Config, Outcome, Timestamp};

/// One adapter: its lock, its clock, and the bells that wake its tasks.
pub(super) struct Shared {
    core: OwnLine<Mutex<Core>>,
    pub(super) holds: Holds,
    /// Where its tasks are, and the timers of who calls it from elsewhere.
    pub(super) runtime: Handle,
    pub(super) clock: Timeline,
    pub(super) config: Config,
    pub(super) submit_timeout: Duration,
    pub(super) probe: Probe,
    /// Rung for the dispatcher: there is a ticket, or nothing more to dispatch.
    pub(super) ticket: Notify,
    /// Rung for the sweeper: a deadline came forward, or none will come.
    pub(super) deadline: Notify,
    /// Rung for the first submitter that waits.
    pub(super) room: Notify,
    /// Rung for all who wait until no event is pending.
    pub(super) idle: Notify,
    /// Rung for all who wait for an end: the engine was given up, is broken or has stopped.
    pub(super) changed: Notify,
    /// Rung for shutdown: no run is in flight, and all facts are durable.
    pub(super) drained: Notify,
    /// How far durability has come.
    pub(super) synced: Synced,
    pub(super) writer: Writer,
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
    pub(super) ender: Ender,
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

/// The task or thread that writes to the journal, as others see it.
#[derive(Default)]
pub(super) struct Writer {
    /// Rings for it: there is a group to write, or nothing more to write.
    pub(super) bell: Option<Box<dyn Fn() + Send + Sync>>,
    /// Opens when it has closed the journal.
    pub(super) closed: Latch,
    /// Whether it is a thread.
    pub(super) has_thread: bool,
    /// Whether handlers wait until their start is durable.
    pub(super) syncs_starts: bool,
    /// Since when it does what it does now, in microseconds; zero while it waits.
    pub(super) busy_since: AtomicU64,
    /// Times that the journal was opened again.
    pub(super) reopenings: AtomicU64,
    #[cfg(feature = "durable")]
    pub(super) recovery: Option<Recovery>,
}

impl Writer {
    pub(super) fn ring(&self) {
        if let Some(bell) = &self.bell {
            bell();
        }
    }

    /// Since when it does what it does now, when it does anything.
    pub(super) fn busy_since(&self) -> Option<Timestamp> {
        let since = self.busy_since.load(Ordering::Acquire);
        (since > 0).then(|| Timestamp::from_micros(since))
    }
}

/// The parts of [`Shared`] that the builder chooses.
pub(super) struct Parts {
    pub(super) core: Core,
    pub(super) runtime: Handle,
    pub(super) writer: Writer,
    pub(super) clock: Timeline,
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
            holds: Holds::default(),
            clock: parts.clock,
            config: parts.config,
            submit_timeout: parts.submit_timeout,
            probe: parts.probe,
            ticket: Notify::new(),
            deadline: Notify::new(),
            room: Notify::new(),
            idle: Notify::new(),
            changed: Notify::new(),
            drained: Notify::new(),
            synced: Synced::default(),
            writer: parts.writer,
            turnstile: tokio::sync::Mutex::new(()),
            permits: Arc::new(Semaphore::new(permits)),
            permits_in_hand: AtomicUsize::new(0),
            workers: Mutex::new(JoinSet::new()),
            workers_running: AtomicUsize::new(0),
            dispatcher: Upkeep::default(),
            sweeper: Upkeep::default(),
            end: End::default(),
            ender: Ender::new(&parts.runtime),
            runtime: parts.runtime,
        })
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Looks at the core, also at one that was given up, and changes nothing that anybody must be
    /// told of.
    pub(super) fn view<T>(&self, look: impl FnOnce(&mut Core, Timestamp) -> T) -> Result<T, Unavailable> {
        let _alarm = Alarm(self);
        let mut core = self.lock()?;
        let _hold = self.holds.begin();
        let now = self.clock.now();
        Ok(look(&mut core, now))
    }

    /// The same, of an engine that is in use.
    pub(super) fn look<T>(&self, look: impl FnOnce(&mut Core, Timestamp) -> T) -> Result<T, Unavailable> {
        let looked = |core: &mut Core, now| core.commits.unavailable().map_or_else(|| Ok(look(core, now)), Err);
        self.view(looked)?
    }

    /// Looks at the core even when it is broken: whoever waits must be let go in the end.
    pub(super) fn last_look<T>(&self, look: impl FnOnce(&mut Core) -> T) -> T {
        let mut core = self.core.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _hold = self.holds.begin();
        look(&mut core)
    }

    /// Changes the core even when it cannot be used, which `change` learns, and wakes whom the change
    /// concerns.
    pub(super) fn change_at_last<T>(&self, change: impl FnOnce(&mut Core, Timestamp, bool) -> T) -> T {
        let _alarm = Alarm(self);
        let (mut core, is_sound) = match self.core.0.lock() {
            Ok(core) => (core, true),
            Err(poisoned) => (poisoned.into_inner(), false),
        };
        let is_usable = is_sound && core.commits.unavailable().is_none();
        let now = self.clock.now();
        let answer = change(&mut core, now, is_usable);
        let wakes = if is_usable { core.wakes(now) } else { Wakes::default() };
        drop(core);
        self.wake(wakes);
        answer
    }

    /// The lock is held for less time than it takes to put a thread to sleep and to wake it, so
    /// it is tried for a while first.
    fn lock(&self) -> Result<MutexGuard<'_, Core>, Unavailable> {
        for _ in 0..SPINS {
            match self.core.0.try_lock() {
                Ok(core) => return Ok(core),
                Err(TryLockError::Poisoned(_)) => return Err(Unavailable::Broken),
                Err(TryLockError::WouldBlock) => spin_loop(),
            }
        }
        self.core.0.lock().map_err(|_| Unavailable::Broken)
    }

    /// Changes the core, and then wakes whom the change concerns. The time is read inside the
    /// lock, so it rises from change to change.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Core, Timestamp) -> T) -> Result<T, Unavailable> {
        let (answer, wakes) = self.look(|core, now| (change(core, now), core.wakes(now)))?;
        self.wake(wakes);
        Ok(answer)
    }

    pub(super) fn execute(&self, command: Command) -> Result<Answer, Unavailable> {
        self.change(|core, now| core.execute(now, command))
    }

    /// Executes a command, and answers once what was decided is durable.
    pub(super) async fn decide(&self, command: Command) -> Result<Answer, Unavailable> {
        let (answer, tail) = self.change(|core, now| (core.execute(now, command), core.commits.tail()))?;
        self.sync(tail).await?;
        Ok(answer)
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
        Ok(started.unwrap_or_else(|why| Err(StartFailure::Unavailable(why)))?.map(Flight::new))
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
                let started = core.commits.tail().filter(|_| self.writer.syncs_starts);
                let cell = RunCell::new(run, slot, started, self);
                core.keep(&cell);
                Ok(Some(cell))
            }
            Taken::Nothing => Ok(None),
            Taken::ChannelGone => Err(StartFailure::ChannelGone),
        }
    }

    pub(super) fn wake(&self, wakes: Wakes) {
        if wakes.writer {
            self.writer.ring();
        }
        let bells = [
            (wakes.ticket, &self.ticket),
            (wakes.deadline, &self.deadline),
            (wakes.room, &self.room),
            (wakes.drained, &self.drained),
        ];
        bells.into_iter().filter(|(ring, _)| *ring).for_each(|(_, bell)| bell.notify_one());
        if wakes.idle {
            self.idle.notify_waiters();
        }
        wakes.ends.iter().filter_map(Weak::upgrade).for_each(|end| end.notify_one());
        wakes.readers.iter().for_each(|reader| reader.wake());
        wakes.aborted.iter().for_each(|cell| cell.cancel());
        wakes.failures.log();
    }

    /// Waits like the clock, wherever it is polled, by the timer of the adapter's own runtime. Ends
    /// early once the end was asked for, as the runtime and its timer may be gone.
    pub(super) async fn sleep_until(&self, at: Timestamp) {
        let mut sleep = self.clock.sleep_until(at);
        poll_fn(|cx| {
            if self.permits.is_closed() {
                return Poll::Ready(());
            }
            let _context = self.runtime.enter();
            sleep.as_mut().poll(cx)
        })
        .await;
    }

    /// Permits that no worker holds, the one in the dispatcher's hand included.
    pub(super) fn permits_free(&self) -> usize {
        let in_hand = self.permits_in_hand.load(Ordering::Acquire);
        self.permits.available_permits() + in_hand
    }

    /// The workers' tasks. A panic while they are touched leaves them usable.
    pub(super) fn workers(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Makes every task look for itself.
    pub(super) fn ring_all(&self) {
        let Self { ticket, deadline, room, drained, .. } = self;
        [ticket, deadline, room, drained].into_iter().for_each(Notify::notify_one);
        self.changed.notify_waiters();
        self.writer.ring();
    }
}

/// Wakes everybody when a panic breaks the core: no change will do it any more.
struct Alarm<'a>(&'a Shared);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if panicking() {
            self.0.ring_all();
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
    /// The engine gives no answer.
    Unavailable(Unavailable),
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
