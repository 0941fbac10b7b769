//! Workers: a task works on one run after the other, and settles several at once while they are quick.

use core::future::{Future, poll_fn};
use core::mem;
use core::pin::{Pin, pin};
use std::boxed::Box;
use std::sync::Arc;
use std::vec::Vec;

use super::attempt::{RunState, launched};
use super::call::attend;
use super::handler::Handler;
use super::leader_runs::{LeaderRuns, PendingRuns};
use super::points::pass;
use super::run_guard::{RunGuard, UnsettledRun, settle};
use super::shared::Shared;
use super::span::span;
use crate::engine::Event;
use crate::node::{Point, RunBatch};
use crate::sync::consume_budget;

/// The parts that all workers of one adapter share.
pub(super) struct WorkerPool<H> {
    pub(super) shared: Arc<Shared>,
    pub(super) handler: Arc<H>,
    /// Runs that were started together, and whose handlers are not called yet.
    pub(super) leader_runs: LeaderRuns,
}

/// Works until no run is left for it.
async fn work<H: Handler>(pool: Arc<WorkerPool<H>>, batch: RunBatch, first: RunGuard) {
    let (ended, started) = Default::default();
    let mut task = WorkerTask { pool: Arc::clone(&pool), batch, ended, started };
    let mut next = Some(first);
    while let Some(guard) = next {
        task.run(&*pool.handler, guard).await;
        // Runs that were started together come first: they hold permits already.
        next = match task.advance() {
            Some(guard) => Some(guard),
            None => task.next_batch().await,
        };
    }
}

/// Gives a run to a task of its own, with what the node knows of its batch.
pub(super) fn spawn<H: Handler>(pool: &Arc<WorkerPool<H>>, batch: RunBatch, first: RunGuard) {
    // Boxed, because the type of a task that spawns tasks of its own type would contain itself.
    let task: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(work(Arc::clone(pool), batch, first));
    let mut workers = pool.shared.workers();
    // Tasks that have ended are removed here, as there is no one else who visits the set.
    while let Some(ended) = workers.try_join_next() {
        if let Err(error) = ended {
            tracing::error!(%error, "a worker task died; its run counts as crashed");
        }
    }
    workers.spawn(task);
}

/// Settles the runs that a held-up task has ended, and gives each of its other runs to a task of its own.
pub(super) fn share_out<H: Handler>(pool: &Arc<WorkerPool<H>>, batch: &mut RunBatch, pending: PendingRuns) {
    let PendingRuns { started, mut ended, .. } = pending;
    settle(&pool.shared, batch, &mut ended, |locked, now, batch| locked.node.settle_and_wait(now, batch));
    // Each gets a task of its own: one of them may block as well.
    started.into_iter().for_each(|guard| spawn(pool, RunBatch::default(), guard));
}

/// A task that works on runs, one after the other.
struct WorkerTask<H> {
    pool: Arc<WorkerPool<H>>,
    batch: RunBatch,
    /// Runs that have ended and are not settled.
    ended: Vec<UnsettledRun>,
    /// Runs that have started.
    started: Vec<(Arc<RunState>, Event)>,
}

impl<H: Handler> WorkerTask<H> {
    /// Returns the next of the runs that were started together.
    fn advance(&mut self) -> Option<RunGuard> {
        self.pool.leader_runs.advance(self.batch.lead()?, &mut self.ended)
    }

    /// Calls the handler. When that does not end at once, the task's other runs go to other tasks.
    async fn run(&mut self, handler: &H, mut guard: RunGuard) {
        let span = span(&guard.state);
        {
            let mut ending = pin!(attend(handler, &mut guard, &span));
            let mut is_first = true;
            poll_fn(|cx| {
                let ended = ending.as_mut().poll(cx);
                // Only a handler that is pending at its first poll waits for something; a quick one costs no second
                // task.
                if ended.is_pending() && mem::take(&mut is_first) {
                    self.hand_over();
                }
                ended
            })
            .await;
        }
        self.ended.push(UnsettledRun::new(guard, span));
    }

    /// Hands over the other runs of this task, whose handler does not end at once: they need not wait for it.
    fn hand_over(&mut self) {
        self.batch.wait();
        if let Some(lead) = self.batch.lead() {
            let pending = self.pool.leader_runs.leave(lead);
            share_out(&self.pool, &mut self.batch, pending);
        }
    }

    /// Settles the runs that have ended, and returns the first of the runs that start in return, if any.
    async fn next_batch(&mut self) -> Option<RunGuard> {
        let count = self.ended.len();
        let first = self.settle_and_start();
        pass(&self.pool.shared.probe, Point::AfterSettle).await;
        // One unit of tokio's budget for each run, as if each had a task: other tasks have their turn.
        for _ in 0..count {
            consume_budget().await;
        }
        first
    }

    fn settle_and_start(&mut self) -> Option<RunGuard> {
        let Self { pool, batch, ended, started } = self;
        settle(&pool.shared, batch, ended, |locked, now, batch| {
            // Kept under the same lock under which the runs begin: a cancellation cannot come between.
            locked.node.settle_and_start(now, batch);
            started.extend(batch.launches().map(|launch| launched(locked, launch, &pool.shared)));
        });
        let mut guards = started.drain(..).map(RunGuard::new);
        let first = guards.next();
        if let Some(lead) = batch.lead() {
            pool.leader_runs.put(lead, guards);
        }
        first
    }
}

impl<H> Drop for WorkerTask<H> {
    fn drop(&mut self) {
        // The runs in the queue hold the pool, and the pool holds the queue: taken out, they end that cycle.
        self.batch.lead().into_iter().for_each(|lead| drop(self.pool.leader_runs.leave(lead)));
    }
}
