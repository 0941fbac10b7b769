//! Runs handlers: a task works on one run after the other, and settles several at once while they are quick.

use core::future::{Future, poll_fn};
use core::mem;
use core::pin::{Pin, pin};
use std::boxed::Box;
use std::sync::Arc;
use std::vec::Vec;

use super::attempt::{RunState, launched};
use super::call::attend;
use super::handler::Handler;
use super::leader_runs::{Beside, LeaderRuns};
use super::points::pass;
use super::run_guard::{EndedFlight, RunGuard, settle};
use super::shared::Shared;
use super::span::span;
use crate::engine::Event;
use crate::node::{Point, RunBatch};
use crate::sync::consume_budget;

/// What all workers of one adapter share.
pub(super) struct Crew<H> {
    pub(super) shared: Arc<Shared>,
    pub(super) handler: H,
    /// Runs that were started together, and whose handlers are not called yet.
    pub(super) line: LeaderRuns,
}

/// Works until there is nothing left for it.
async fn work<H: Handler>(crew: Arc<Crew<H>>, batch: RunBatch, first: RunGuard) {
    let (ended, started) = Default::default();
    let mut task = WorkerTask { crew: Arc::clone(&crew), batch, ended, started };
    let mut next = Some(first);
    while let Some(flight) = next {
        task.run(&crew.handler, flight).await;
        next = match task.advance() {
            Some(flight) => Some(flight),
            None => task.take_turn().await,
        };
    }
}

/// Gives a run to a task of its own, with what the node knows of its batch.
pub(super) fn spawn<H: Handler>(crew: &Arc<Crew<H>>, batch: RunBatch, first: RunGuard) {
    // Boxed, as the type of a task that spawns its like has no end.
    let task: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(work(Arc::clone(crew), batch, first));
    let mut workers = crew.shared.workers();
    while let Some(ended) = workers.try_join_next() {
        if let Err(error) = ended {
            tracing::error!(%error, "a worker died; its run counts as crashed");
        }
    }
    workers.spawn(task);
}

/// Settles what a task has ended that is held up, and gives each of its other runs to a task of its own.
pub(super) fn share_out<H: Handler>(crew: &Arc<Crew<H>>, batch: &mut RunBatch, beside: Beside) {
    let Beside { started, mut ended, .. } = beside;
    settle(&crew.shared, batch, &mut ended, |locked, now, batch| locked.node.settle_and_wait(now, batch));
    started.into_iter().for_each(|flight| spawn(crew, RunBatch::default(), flight));
}

/// A task that works on runs, one after the other.
struct WorkerTask<H> {
    crew: Arc<Crew<H>>,
    batch: RunBatch,
    /// Runs that have ended and are not settled.
    ended: Vec<EndedFlight>,
    /// Runs that have started.
    started: Vec<(Arc<RunState>, Event)>,
}

impl<H: Handler> WorkerTask<H> {
    /// The next of the runs that it was given together.
    fn advance(&mut self) -> Option<RunGuard> {
        self.crew.line.advance(self.batch.lead()?, &mut self.ended)
    }

    /// Calls the handler. When that does not end at once, others are given what this task has beside it.
    async fn run(&mut self, handler: &H, mut flight: RunGuard) {
        let span = span(&flight.cell);
        {
            let mut ending = pin!(attend(handler, &mut flight, &span));
            let mut is_first = true;
            poll_fn(|cx| {
                let ended = ending.as_mut().poll(cx);
                if ended.is_pending() && mem::take(&mut is_first) {
                    self.hand_over();
                }
                ended
            })
            .await;
        }
        self.ended.push(EndedFlight::new(flight, span));
    }

    /// A handler does not end at once: what this task has beside it need not wait.
    fn hand_over(&mut self) {
        self.batch.wait();
        if let Some(lead) = self.batch.lead() {
            let beside = self.crew.line.leave(lead);
            share_out(&self.crew, &mut self.batch, beside);
        }
    }

    /// Settles what has ended, and returns the first of the runs that it is given then, if any.
    async fn take_turn(&mut self) -> Option<RunGuard> {
        let count = self.ended.len();
        let first = self.settle_and_start();
        pass(&self.crew.shared.probe, Point::AfterSettle).await;
        for _ in 0..count {
            consume_budget().await;
        }
        first
    }

    fn settle_and_start(&mut self) -> Option<RunGuard> {
        let Self { crew, batch, ended, started } = self;
        settle(&crew.shared, batch, ended, |locked, now, batch| {
            locked.node.settle_and_start(now, batch);
            started.extend(batch.launches().map(|launch| launched(locked, launch, &crew.shared)));
        });
        let mut flights = started.drain(..).map(RunGuard::new);
        let first = flights.next();
        if let Some(lead) = batch.lead() {
            crew.line.put(lead, flights);
        }
        first
    }
}

impl<H> Drop for WorkerTask<H> {
    fn drop(&mut self) {
        // What is in line holds what holds the line.
        self.batch.lead().into_iter().for_each(|lead| drop(self.crew.line.leave(lead)));
    }
}
