//! The state that all handles and tasks of one adapter share: the node behind a lock with two verbs, its clock, and
//! the notifications that carry out the node's actions.

use core::future::poll_fn;
use core::task::Poll;
use core::time::Duration;
use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, PoisonError, TryLockError, Weak};
use std::vec::Vec;

use super::failures::log_failures;
use super::holds::LockHolds;
use super::latch::{Cancel, Latch};
use super::notifications::{Notifications, guarded, notify_all_guarded, notify_one_guarded};
use super::timeline::Timeline;
use crate::engine::{Config, ShardCount, Timestamp};
use crate::node::{Actions, HookSet, Horizon, Lsn, Node, Unsynced, WorkerId};
use crate::sync::{AtomicBool, Handle, JoinHandle, JoinSet, Mutex, MutexGuard, SPINS, spin_loop};

/// One adapter: its lock, its clock, and the notifications that wake its tasks.
pub(super) struct Shared {
    locked: CachePadded<Mutex<LockedNode>>,
    pub(super) holds: LockHolds,
    /// The runtime of its tasks, and of the timers of callers from elsewhere.
    pub(super) runtime: Handle,
    pub(super) clock: Timeline,
    pub(super) config: Config,
    /// The number of engines among which keys are divided.
    pub(super) shards: ShardCount,
    pub(super) submit_timeout: Duration,
    pub(super) probe: HookSet,
    pub(super) notifications: Notifications,
    /// A copy of the node's, so that callers that wait for an LSN leave the node's lock alone.
    horizon: Mutex<Horizon>,
    /// The workers' tasks.
    workers: Mutex<JoinSet<()>>,
    /// Tasks that end before the report, or are aborted.
    pub(super) tasks: Mutex<Vec<JoinHandle<()>>>,
    /// Opens when a shutdown was asked for: the runtime and its timer may be gone soon.
    pub(super) ending: Latch,
    /// Set once a thread drives the end.
    pub(super) is_ended_on_thread: AtomicBool,
    /// Opens when there is a report.
    pub(super) reported: Latch,
    pub(super) journal: JournalParts,
}

/// The state that the lock guards: the node, and the runs that it can cancel.
pub(super) struct LockedNode {
    pub(super) node: Node,
    /// By the number of the worker. Weak, as a run holds what is shared.
    runs: Vec<Option<Weak<dyn Cancel>>>,
}

impl LockedNode {
    /// Keeps the run of a worker, so that it can be cancelled.
    pub(super) fn keep(&mut self, worker: WorkerId, run: &Arc<impl Cancel + 'static>) {
        let number = worker.number();
        // Workers are numbered below the concurrency, so this grows a few times at the start only.
        if self.runs.len() <= number {
            self.runs.resize(number + 1, None);
        }
        let run: Weak<dyn Cancel> = Arc::downgrade(run) as _;
        self.runs[number] = Some(run);
    }

    /// Returns the node's actions, with the runs that are to be cancelled.
    fn actions(&mut self, now: Timestamp) -> (Actions, Vec<Weak<dyn Cancel>>) {
        let mut actions = self.node.actions(now);
        let run_of = |worker: WorkerId| self.runs.get(worker.number()).cloned().flatten();
        let cancelled = actions.cancel.drain(..).filter_map(run_of).collect();
        (actions, cancelled)
    }
}

/// Keeps what others write often, such as reference counts, off the cache line of the lock.
#[repr(align(128))]
struct CachePadded<T>(T);

/// The parts of the adapter that concern its journal.
#[derive(Default)]
pub(super) struct JournalParts {
    /// Notifies the writer.
    pub(super) notify: Option<Box<dyn Fn() + Send + Sync>>,
    /// True if the writer has a thread of its own.
    pub(super) has_thread: bool,
    /// True if handlers wait until their start is durable.
    pub(super) syncs_starts: bool,
}

/// The parts of [`Shared`] that the builder chooses.
pub(super) struct AdapterParts {
    pub(super) node: Node,
    pub(super) runtime: Handle,
    pub(super) journal: JournalParts,
    pub(super) clock: Timeline,
    pub(super) submit_timeout: Duration,
    pub(super) shards: ShardCount,
    pub(super) probe: HookSet,
}

impl Shared {
    pub(super) fn new(parts: AdapterParts) -> Arc<Self> {
        let AdapterParts { node, runtime, journal, clock, submit_timeout, shards, probe } = parts;
        Arc::new(Self {
            config: node.config().clone(),
            locked: CachePadded(Mutex::new(LockedNode { node, runs: Vec::new() })),
            holds: LockHolds::default(),
            notifications: Notifications::default(),
            horizon: Mutex::default(),
            workers: Mutex::new(JoinSet::new()),
            tasks: Mutex::new(Vec::new()),
            ending: Latch::default(),
            is_ended_on_thread: AtomicBool::new(false),
            reported: Latch::default(),
            runtime,
            clock,
            submit_timeout,
            shards,
            probe,
            journal,
        })
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Reads from the node. The time is read inside the lock.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Node, Timestamp) -> T) -> T {
        let locked = self.lock();
        let _hold = self.holds.begin();
        read(&locked.node, self.clock.now())
    }

    /// Changes the node, and then performs what it wants done. The time is read inside the lock, so it
    /// rises from change to change. A panic inside breaks the node down.
    pub(super) fn write<T>(&self, change: impl FnOnce(&mut Node, Timestamp) -> T) -> T {
        self.write_locked(|locked, now| change(&mut locked.node, now))
    }

    /// Does the same as [`write`](Self::write), with access to the runs that can be cancelled.
    pub(super) fn write_locked<T>(&self, change: impl FnOnce(&mut LockedNode, Timestamp) -> T) -> T {
        let mut locked = self.lock();
        // Measured from here, because the time spent waiting for the lock is no hold of it.
        let hold = self.holds.begin();
        let now = self.clock.now();
        // Caught here, so that the actions that follow from the break-down are performed for all that wait.
        let decided = catch_unwind(AssertUnwindSafe(|| {
            let value = change(&mut locked, now);
            (Ok(value), locked.actions(now))
        }));
        let (value, (actions, cancelled)) = decided.unwrap_or_else(|panic| {
            locked.node.break_down();
            (Err(panic), locked.actions(now))
        });
        // Copied under the lock: a caller that is notified below must find the new horizon.
        if (actions.settled.is_some() || actions.everyone)
            && let Some(horizon) = locked.node.horizon()
        {
            self.horizon().clone_from(horizon);
        }
        // From here on nothing is locked: cancellations and notifications run the code of others.
        drop((hold, locked));
        cancelled.iter().filter_map(Weak::upgrade).for_each(|run| run.cancel());
        self.perform(actions);
        value.unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Locks the node. The lock is held for less time than it takes to put a thread to sleep and to wake it, so it is
    /// tried for a while first. The node itself handles what a panic left.
    fn lock(&self) -> MutexGuard<'_, LockedNode> {
        for _ in 0..SPINS {
            match self.locked.0.try_lock() {
                Ok(locked) => return locked,
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => spin_loop(),
            }
        }
        self.locked.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn perform(&self, actions: Actions) {
        let Actions {
            dispatch,
            timer,
            write,
            end,
            idle,
            everyone,
            replace_dispatcher,
            settled,
            wake,
            // Taken out before, because the runs are kept under the lock.
            cancel: _,
            failures,
        } = actions;
        // The writer first: it has the longest way to go before anything becomes durable.
        if write {
            self.notify_writer();
        }
        let notifications = &self.notifications;
        let single = [
            (dispatch, &notifications.dispatch),
            (timer, &notifications.timer),
            (end, &notifications.end),
            (replace_dispatcher, &notifications.replace_dispatcher),
        ];
        for (notifies, notify) in single {
            if notifies {
                notify_one_guarded(notify);
            }
        }
        if idle {
            notify_all_guarded(&notifications.idle);
        }
        settled.iter().for_each(|settled| notifications.settle(*settled));
        notifications.waiters.wake(&wake);
        if everyone {
            notifications.wake_everyone();
        }
        log_failures(&failures);
    }

    pub(super) fn notify_writer(&self) {
        self.journal.notify.iter().for_each(|notify| notify());
    }

    /// Waits until this LSN is durable: without a limit if `patient`, else at most as long as a result may wait.
    pub(super) async fn settled(&self, lsn: Option<Lsn>, patient: bool) -> Result<(), Unsynced> {
        let Some(lsn) = lsn else { return Ok(()) };
        loop {
            // Created before the check, so that no notification between them is missed.
            let notified = self.notifications.of(lsn).notified();
            let found = self.horizon().find(lsn, patient);
            if let Some(found) = found {
                return found;
            }
            guarded(notified).await;
        }
    }

    fn horizon(&self) -> MutexGuard<'_, Horizon> {
        self.horizon.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the clock's time is `at`, wherever it is polled, by the timer of the adapter's own runtime. Ends
    /// early once the end was asked for, as the runtime and its timer may be gone.
    pub(super) async fn sleep_until(&self, at: Timestamp) {
        let mut sleep = self.clock.sleep_until(at);
        poll_fn(|cx| {
            if self.ending.is_open() {
                return Poll::Ready(());
            }
            // A timer of the caller's own runtime would not fire where that has none, or a paused clock.
            let _context = self.runtime.enter();
            sleep.as_mut().poll(cx)
        })
        .await;
    }

    /// Returns the workers' tasks. A panic while they are locked leaves them usable.
    pub(super) fn workers(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
