//! Runs handlers: one task for one permit, one run at a time.

use core::any::Any;
use core::future::{Future, poll_fn};
use core::pin::{Pin, pin};
use core::task::Poll;
use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::string::{String, ToString as _};
use std::sync::Arc;
use tracing::Span;

use super::attempt::{Attempt, RunCell};
use super::handler::{Failure, Handler, outcome};
use super::points::pass;
use super::shared::{Locked, Shared};
use crate::engine::{ErrorText, Outcome, Status};
use crate::node::{Launch, Point, Start};
use crate::sync::consume_budget;

/// A run in flight: whatever becomes of its worker, it is settled and its permit is free again. Dropped
/// before, it has crashed.
pub(super) struct Flight {
    cell: Arc<RunCell>,
    is_settled: bool,
}

/// What came of the dispatcher's look for a run.
pub(super) enum Started {
    /// See [`Start::Run`].
    Flight(Flight),
    /// See [`Start::Wait`].
    Wait,
    /// See [`Start::ChannelGone`].
    ChannelGone,
    /// See [`Start::End`].
    End,
}

impl Flight {
    /// Starts the next run, if one can start.
    pub(super) fn start(shared: &Arc<Shared>) -> Started {
        let started = shared.write_locked(|locked, now| match locked.node.start(now) {
            Start::Run(launch) => Ok(launched(locked, launch, shared)),
            Start::Wait => Err(Started::Wait),
            Start::ChannelGone => Err(Started::ChannelGone),
            Start::End => Err(Started::End),
        });
        started.map_or_else(|why| why, |cell| Started::Flight(Self::new(cell)))
    }

    /// Must be called while the node is not locked: dropping it locks.
    fn new(cell: Arc<RunCell>) -> Self {
        Self { cell, is_settled: false }
    }

    /// Ends the run with `outcome`, without one when the run was stopped, and starts the next one.
    fn end(&mut self, outcome: Option<Outcome>) -> (Option<Status>, Option<Self>) {
        self.is_settled = true;
        let RunCell { worker, run, shared, .. } = &*self.cell;
        let (status, next) = shared.write_locked(|locked, now| {
            let (status, launch) = locked.node.settle_and_start(now, *worker, *run, outcome);
            (status, launch.map(|launch| launched(locked, launch, shared)))
        });
        (status, next.map(Self::new))
    }
}

fn launched(locked: &mut Locked, launch: Launch, shared: &Arc<Shared>) -> Arc<RunCell> {
    let cell = RunCell::new(launch, shared);
    locked.keep(cell.worker, &cell);
    cell
}

impl Drop for Flight {
    fn drop(&mut self) {
        if !self.is_settled {
            let RunCell { worker, run, shared, .. } = &*self.cell;
            let crashed = Outcome::Crashed { error: ErrorText::new("the worker ended before the handler did") };
            shared.write(|node, now| node.settle(now, *worker, *run, Some(crashed)));
        }
    }
}

/// Works until there is no ticket left.
pub(super) async fn work<H: Handler>(handler: Arc<H>, first: Flight) {
    let mut next = Some(first);
    while let Some(flight) = next {
        next = run(&*handler, flight).await;
        consume_budget().await;
    }
}

async fn run<H: Handler>(handler: &H, mut flight: Flight) -> Option<Flight> {
    let span = span(&flight.cell);
    pass(&flight.cell.shared.probe, Point::WorkerStart).await;
    let outcome = handle(handler, &flight.cell, &span).await;
    pass(&flight.cell.shared.probe, Point::BeforeSettle).await;
    let error = outcome.as_ref().and_then(error).cloned();
    let (status, next) = flight.end(outcome);
    record(&span, status, error.as_ref());
    pass(&flight.cell.shared.probe, Point::AfterSettle).await;
    next
}

/// Waits until the start is durable, unless the run is stopped before. A start that may be lost
/// counts as stopped: the engine that knew of it is gone.
async fn is_started(cell: &RunCell) -> bool {
    if cell.started.is_none() {
        return !cell.cancel.is_open();
    }
    tokio::select! {
        biased;
        () = cell.cancel.wait() => false,
        settled = cell.shared.settled(cell.started, true) => settled.is_ok(),
    }
}

/// Calls the handler, unless the run was stopped before. No outcome when it was stopped first.
async fn handle<H: Handler>(handler: &H, cell: &Arc<RunCell>, span: &Span) -> Option<Outcome> {
    if !is_started(cell).await {
        return None;
    }
    let attempt = Attempt(Arc::clone(cell));
    let call = match catch(|| handler.handle(cell.event.clone(), attempt)) {
        Ok(call) => call,
        Err(crashed) => return Some(crashed),
    };
    let mut call = pin!(Some(call));
    let ended = tokio::select! {
        biased;
        ended = caught(call.as_mut(), span) => Some(ended),
        () = cell.cancel.wait() => None,
    };
    let dropped = catch(|| call.set(None));
    ended.map(|outcome| dropped.err().unwrap_or(outcome))
}

/// Polls the handler inside its span, and turns a panic into an outcome.
async fn caught<F>(mut call: Pin<&mut Option<F>>, span: &Span) -> Outcome
where
    F: Future<Output = Result<(), Failure>>,
{
    poll_fn(|cx| {
        let Some(call) = call.as_mut().as_pin_mut() else { return Poll::Pending };
        let _inside = span.enter();
        match catch(|| call.poll(cx)) {
            Ok(poll) => poll.map(outcome),
            Err(crashed) => Poll::Ready(crashed),
        }
    })
    .await
}

/// What `act` returns, or its panic as an outcome.
fn catch<T>(act: impl FnOnce() -> T) -> Result<T, Outcome> {
    // What a panic leaves half done belongs to the handler, and is dropped or the handler's to mend.
    catch_unwind(AssertUnwindSafe(act)).map_err(|panic| Outcome::Crashed { error: ErrorText::new(message(panic)) })
}

fn message(panic: Box<dyn Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => String::from(*panic.downcast_ref::<&str>().unwrap_or(&"the handler panicked")),
    }
}

fn span(cell: &RunCell) -> Span {
    tracing::info_span!(
        "attempt",
        key = cell.event.key().to_string(),
        attempt = cell.number,
        run = %cell.run,
        status = tracing::field::Empty,
    )
}

fn record(span: &Span, status: Option<Status>, error: Option<&ErrorText>) {
    if span.is_disabled() {
        return;
    }
    span.record("status", status.map_or("stopped", Status::as_str));
    // What follows on further lines, such as the answer of a target, may hold a payload.
    let error = error.and_then(|error| error.as_str().lines().next());
    span.in_scope(|| match (status, error) {
        (Some(Status::Failed), error) => tracing::warn!(error, "the event has failed: redrive it to try again"),
        (Some(Status::FailedRetry), Some(error)) => {
            tracing::info!(error, "the attempt has failed, another will follow");
        }
        (None, _) => tracing::info!("the attempt was stopped, or ended too late"),
        (Some(_), _) => tracing::debug!("the attempt ended"),
    });
}

/// What went wrong.
const fn error(outcome: &Outcome) -> Option<&ErrorText> {
    match outcome {
        Outcome::Retry { error, .. } | Outcome::Permanent { error } | Outcome::Crashed { error } => Some(error),
        Outcome::Done | Outcome::Snooze { .. } => None,
    }
}
