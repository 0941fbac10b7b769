//! The end: no intake, no dispatch, drain, abort, report.

use core::future::{pending, poll_fn};
use core::mem;
use core::time::Duration;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::vec::Vec;
use tokio::sync::Notify;
use tokio::task::coop::unconstrained;
use tokio::task::{AbortHandle, JoinHandle};

use super::hooks::Point;
use super::latch::Latch;
use super::locked::Core;
use super::shared::Shared;
use super::unavailable::Unavailable;
use crate::engine::{AttemptEnd, Command, FactCounters, Phase, Timestamp};

/// How a shutdown went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Runs that ended while it waited for them.
    pub drained: u64,
    /// Runs that it stopped. Their events wait for another attempt, and are among `left`.
    pub interrupted: u64,
    /// Handlers that had not yielded at the end of `abort_grace`.
    pub abandoned: u64,
    /// Events that wait for a run. After a failure of the journal: those that the engine knew then.
    pub left: u64,
    /// Facts that are not durable, or may not be as the journal has failed. Zero without a journal.
    pub unsynced: u64,
    /// How long it took.
    pub took: Duration,
}

/// How the shutdown stands, for who waits for it.
#[derive(Debug, Default)]
pub(super) struct End {
    /// Rung with each request: the deadline may have come forward.
    asked: Notify,
    /// Opens when the engine has stopped.
    pub(super) stopped: Latch,
    /// Opens when there is a report.
    pub(super) reported: Latch,
    report: Mutex<ShutdownReport>,
    /// Tasks that end before the report, or are aborted.
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// What the requests for an end amount to. Kept with the engine, so that one that is opened in its
/// place meanwhile learns of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ending {
    /// When the first one came.
    since: Timestamp,
    /// What had happened before it, or before the engine was opened that it ends.
    before: FactCounters,
    /// The earliest deadline of all.
    deadline: Timestamp,
}

impl End {
    /// Has a task end before the report.
    pub(super) fn keep(&self, task: JoinHandle<()>) {
        lock(&self.tasks).push(task);
    }
}

/// A panic while these are touched leaves them usable.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Core {
    /// Takes a request for the end. One that cannot be used takes in nothing anyway, and counts
    /// nothing.
    fn ask_to_end(&mut self, now: Timestamp, timeout: Duration, is_usable: bool) {
        let deadline = now + timeout;
        match &mut self.ending {
            Some(ending) => ending.deadline = ending.deadline.min(deadline),
            None => self.ending = Some(Ending { since: now, before: FactCounters::default(), deadline }),
        }
        if is_usable && self.engine.phase() == Phase::Running {
            self.end_engine(now);
        }
    }

    /// Has this engine end when an end was asked for: it counts from here.
    pub(super) fn end_engine(&mut self, now: Timestamp) {
        if let Some(ending) = &mut self.ending {
            ending.before = self.engine.metrics().facts;
            self.execute(now, Command::Shutdown);
        }
    }
}

impl Shared {
    /// Stops intake and dispatch now, and asks for the rest to have ended within `timeout`.
    pub(super) fn ask_to_end(self: &Arc<Self>, timeout: Duration) {
        // The dispatcher looks at the permits after it was woken, so they close first.
        self.permits.close();
        self.change_at_last(|core, now, is_usable| core.ask_to_end(now, timeout, is_usable));
        self.end.asked.notify_one();
        self.ticket.notify_one();
        self.writer.ring();
        self.begin_to_end();
    }

    /// What was asked for, if an end was.
    pub(super) fn ending(&self) -> Option<Ending> {
        self.last_look(|core| core.ending)
    }

    /// Waits for the report.
    pub(super) async fn ended(&self) -> ShutdownReport {
        self.end.reported.wait().await;
        *lock(&self.end.report)
    }
}

/// Ends everything, once an end was asked for.
pub(super) async fn see_to_the_end(shared: &Shared) {
    shared.probe.open(Point::Drain).await;
    drain(shared).await;
    cancel_all(shared);
    yield_workers(shared).await;
    let mut report = stop(shared);
    let deadline = shared.now() + shared.config.sync_grace;
    end_tasks(shared, deadline).await;
    report.unsynced = sync(shared, deadline).await;
    // Only now: readers are shown facts that are durable.
    shared.last_look(|core| core.subscribers.close());
    report.took = shared.ending().map_or(Duration::ZERO, |ending| shared.now().since(ending.since));
    publish(shared, report);
}

/// Reports without waiting for anything: there is nothing left that could be waited on.
pub(super) fn end_at_once(shared: &Arc<Shared>) {
    shared.ask_to_end(Duration::ZERO);
    let mut report = stop(shared);
    report.unsynced = shared.last_look(|core| {
        core.subscribers.close();
        core.commits.unsynced()
    });
    publish(shared, report);
}

/// Waits for the first request.
pub(super) async fn asked(shared: &Shared) {
    while shared.ending().is_none() {
        shared.end.asked.notified().await;
    }
}

/// Waits until no run is in flight and all facts are durable, at most until the earliest deadline.
async fn drain(shared: &Shared) {
    while is_draining(shared) {
        let deadline = shared.ending().map_or(Timestamp::EPOCH, |ending| ending.deadline);
        tokio::select! {
            biased;
            () = shared.drained.notified() => {}
            () = shared.end.asked.notified() => {}
            () = shared.clock.sleep_until(deadline) => return,
        }
    }
}

/// Whether there is anything to wait for. A journal that is being opened again is: what it gives
/// back is part of the report.
fn is_draining(shared: &Shared) -> bool {
    let drains = shared.look(|core, _| core.inflight() > 0 || !core.commits.is_idle());
    drains.unwrap_or_else(|why| why == Unavailable::Reopening)
}

/// Asks every worker to drop its handler.
fn cancel_all(shared: &Shared) {
    let cells: Vec<_> = shared.last_look(|core| core.cells().cloned().collect());
    cells.into_iter().for_each(|cell| cell.cancel());
}

/// Waits until every worker has ended, at most the grace.
async fn yield_workers(shared: &Shared) {
    let all_ended = async { while poll_fn(|cx| shared.workers().poll_join_next(cx)).await.is_some() {} };
    // What has ended is seen at once, however many they are, so that none counts as abandoned.
    let all_ended = unconstrained(all_ended);
    let grace = shared.clock.sleep_until(shared.now() + shared.config.abort_grace);
    tokio::select! {
        biased;
        () = all_ended => {}
        () = grace => {}
    }
}

/// Waits until the journal holds everything and is closed, at most until the deadline. Answers how
/// many facts it does not hold.
async fn sync(shared: &Shared, deadline: Timestamp) -> u64 {
    tokio::select! {
        biased;
        () = shared.writer.closed.wait() => {}
        () = shared.clock.sleep_until(deadline) => tracing::error!("the journal was not closed in time"),
        () = release_late_answers(shared) => {}
    }
    shared.release_all_answers();
    shared.last_look(|core| core.commits.unsynced())
}

/// Lets each answer go that has waited too long, in the place of the sweeper, which has ended.
async fn release_late_answers(shared: &Shared) {
    while let Some(next) = shared.release_late_answers() {
        shared.clock.sleep_until(next).await;
    }
    pending().await
}

/// Waits until the other tasks have ended, at most until the deadline: a handler that blocks a
/// thread may hold up what else is on it.
async fn end_tasks(shared: &Shared, deadline: Timestamp) {
    let tasks = mem::take(&mut *lock(&shared.end.tasks));
    let aborts: Vec<_> = tasks.iter().map(JoinHandle::abort_handle).collect();
    let all_ended = async {
        for task in tasks {
            // A task that died has ended too.
            let _ = task.await;
        }
    };
    let grace = shared.clock.sleep_until(deadline);
    tokio::select! {
        biased;
        () = all_ended => {}
        () = grace => aborts.iter().for_each(AbortHandle::abort),
    }
}

/// Stops the engine, and with it every task that is left.
fn stop(shared: &Shared) -> ShutdownReport {
    let abandoned = shared.workers().len() as u64;
    let stopped = shared.change(|core, now| {
        core.execute(now, Command::AbortInflight);
        tally(core)
    });
    drop(shared.last_look(Core::release));
    shared.end.stopped.open();
    shared.changed.notify_waiters();
    shared.deadline.notify_one();
    shared.writer.ring();
    let without = || ShutdownReport { left: shared.last_look(left), ..ShutdownReport::default() };
    ShutdownReport { abandoned, ..stopped.unwrap_or_else(|_| without()) }
}

fn tally(core: &mut Core) -> ShutdownReport {
    let before = core.ending.map(|ending| ending.before).unwrap_or_default();
    let metrics = core.engine.metrics();
    let ended = metrics.facts.finished_total() - before.finished_total();
    let interrupted = metrics.facts.finished(AttemptEnd::Interrupted) - before.finished(AttemptEnd::Interrupted);
    ShutdownReport { drained: ended - interrupted, interrupted, left: left(core), ..ShutdownReport::default() }
}

/// Events that are not over: in an engine that has stopped, or was given up, they wait.
fn left(core: &mut Core) -> u64 {
    core.engine.gauges().pending()
}

fn publish(shared: &Shared, report: ShutdownReport) {
    *lock(&shared.end.report) = report;
    shared.end.reported.open();
    tracing::info!(?report, "the engine has stopped");
}
