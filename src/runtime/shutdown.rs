//! The end: no intake, no dispatch, drain, abort, report.

use core::future::poll_fn;
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
use crate::engine::{AttemptEnd, Command, FactCounters, Timestamp};

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

/// The state of the shutdown, and who waits for it.
#[derive(Debug, Default)]
pub(super) struct End {
    state: Mutex<EndState>,
    /// Rung with each request: the deadline may have come forward.
    asked: Notify,
    /// Opens when the engine has stopped.
    pub(super) stopped: Latch,
    /// Opens when there is a report.
    reported: Latch,
}

#[derive(Debug, Default)]
struct EndState {
    asked: Option<Asked>,
    report: ShutdownReport,
}

/// What the requests for an end amount to.
#[derive(Debug, Clone, Copy)]
struct Asked {
    /// When the first one came.
    since: Timestamp,
    /// What had happened before it, or before the engine was opened that it ends.
    before: FactCounters,
    /// The earliest deadline of all.
    deadline: Timestamp,
}

impl End {
    fn lock(&self) -> MutexGuard<'_, EndState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, asked: Asked) {
        let mut state = self.lock();
        let first = state.asked.unwrap_or(asked);
        state.asked = Some(Asked { deadline: first.deadline.min(asked.deadline), ..first });
    }

    /// Whether an end was asked for.
    #[cfg(feature = "durable")]
    pub(super) fn is_asked(&self) -> bool {
        self.asked().is_some()
    }

    /// Another engine was opened while the end was asked for: it counts from here.
    #[cfg(feature = "durable")]
    pub(super) fn count_from(&self, facts: FactCounters) {
        if let Some(asked) = &mut self.lock().asked {
            asked.before = facts;
        }
    }

    fn asked(&self) -> Option<Asked> {
        self.lock().asked
    }
}

impl Shared {
    /// Stops intake and dispatch now, and asks for the rest to be over within `timeout`.
    pub(super) fn ask_to_end(&self, timeout: Duration) {
        // The dispatcher looks at the permits after it was woken, so they close first.
        self.permits.close();
        let began = self.change(|core, now| {
            core.execute(now, Command::Shutdown);
            (now, core.engine.metrics().facts)
        });
        // A core that is broken or down takes in nothing anyway, and counts nothing. One that is
        // about to be opened again is told then.
        let (since, before) = began.unwrap_or_else(|_| (self.now(), FactCounters::default()));
        self.end.ask(Asked { since, before, deadline: since + timeout });
        self.end.asked.notify_one();
        self.ticket.notify_one();
        self.writer.ring();
    }

    /// Waits for the report.
    pub(super) async fn ended(&self) -> ShutdownReport {
        self.end.reported.wait().await;
        self.end.lock().report
    }
}

/// Waits for the first request, and then ends everything. The tasks in `kept` end
/// before the report, or are told to.
pub(super) async fn see_to_the_end(shared: Arc<Shared>, kept: [JoinHandle<()>; 2]) {
    let mut last_will = LastWill { shared: Arc::clone(&shared), kept_word: false };
    let Asked { since, .. } = asked(&shared).await;
    shared.probe.open(Point::Drain).await;
    drain(&shared).await;
    cancel_all(&shared);
    yield_workers(&shared).await;
    let mut report = stop(&shared);
    let deadline = shared.now() + shared.config.sync_grace;
    end_tasks(&shared, kept, deadline).await;
    report.unsynced = sync(&shared, deadline).await;
    // Only now: readers are told of facts that are durable.
    shared.last_look(|core| core.subscribers.close());
    report.took = shared.now().since(since);
    last_will.kept_word = true;
    publish(&shared, report);
}

/// Waits for the first request.
async fn asked(shared: &Shared) -> Asked {
    loop {
        shared.end.asked.notified().await;
        if let Some(asked) = shared.end.asked() {
            return asked;
        }
    }
}

/// Waits until no run is in flight and all facts are durable, at most until the earliest deadline.
async fn drain(shared: &Shared) {
    while is_draining(shared) {
        let deadline = shared.end.asked().map_or(Timestamp::EPOCH, |asked| asked.deadline);
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
    }
    let (unsynced, tail) = shared.last_look(|core| (core.commits.unsynced(), core.commits.tail()));
    tail.into_iter().for_each(|mark| shared.synced.stop_waiting(mark));
    unsynced
}

/// Waits until the other tasks have ended, at most until the deadline: a handler that blocks a
/// thread may hold up what else is on it.
async fn end_tasks(shared: &Shared, kept: [JoinHandle<()>; 2], deadline: Timestamp) {
    let aborts = kept.each_ref().map(JoinHandle::abort_handle);
    let all_ended = async {
        for task in kept {
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
    let before = shared.end.asked().map(|asked| asked.before).unwrap_or_default();
    let stopped = shared.change(|core, now| {
        core.execute(now, Command::AbortInflight);
        tally(core, before)
    });
    drop(shared.last_look(Core::release));
    shared.end.stopped.open();
    shared.deadline.notify_one();
    shared.writer.ring();
    let without = || ShutdownReport { left: shared.last_look(left), ..ShutdownReport::default() };
    ShutdownReport { abandoned, ..stopped.unwrap_or_else(|_| without()) }
}

fn tally(core: &mut Core, before: FactCounters) -> ShutdownReport {
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
    shared.end.lock().report = report;
    shared.end.reported.open();
    tracing::info!(?report, "the engine has stopped");
}

/// Reports even when the runtime goes away under the adapter, so that nobody waits for ever.
struct LastWill {
    shared: Arc<Shared>,
    kept_word: bool,
}

impl Drop for LastWill {
    fn drop(&mut self) {
        if !self.kept_word {
            self.shared.ask_to_end(Duration::ZERO);
            let mut report = stop(&self.shared);
            report.unsynced = self.shared.last_look(|core| {
                core.subscribers.close();
                core.commits.unsynced()
            });
            publish(&self.shared, report);
        }
    }
}
