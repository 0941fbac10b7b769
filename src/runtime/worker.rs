//! Runs handlers: one task for one permit, one run at a time.

use core::any::Any;
use core::future::{Future, poll_fn};
use core::pin::{Pin, pin};
use core::task::Poll;
use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::string::{String, ToString as _};
use std::sync::Arc;
use tokio::task::coop::consume_budget;
use tracing::Span;

use super::attempt::{Attempt, RunCell};
use super::handler::{Failure, Handler, outcome};
use super::hooks::Point;
use super::shared::Slot;
use crate::engine::{Answer, ErrorText, Outcome, Status};

/// A run in flight: whatever becomes of its worker, it ends with an outcome. Dropped before its
/// end was told, it tells of a crash.
pub(super) struct Flight {
    cell: Arc<RunCell>,
    told: bool,
}

impl Flight {
    /// Must be called while the core is not locked: dropping it locks.
    pub(super) fn new(cell: Arc<RunCell>) -> Self {
        Self { cell, told: false }
    }

    /// Ends the run with `outcome`; without one when the engine has ended it, or will.
    fn end(&mut self, outcome: Option<Outcome>) -> (Option<Answer>, Option<Flight>) {
        self.told = true;
        self.cell.end();
        self.cell.shared.settle_and_start(&self.cell, outcome)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.cell.end();
        if !self.told {
            let error = ErrorText::new("the worker ended before the handler did");
            let (cell, crashed) = (&self.cell, Outcome::Crashed { error });
            // A core that is broken or down takes no outcome, and needs none.
            let _ = cell.shared.change(|core, now| core.settle(now, cell, crashed));
        }
    }
}

/// Works until there is no ticket left. The permit is in `_slot`, which goes last.
pub(super) async fn work<H: Handler>(_slot: Slot, handler: Arc<H>, first: Flight) {
    let mut next = Some(first);
    while let Some(flight) = next {
        next = run(&*handler, flight).await;
        consume_budget().await;
    }
}

async fn run<H: Handler>(handler: &H, mut flight: Flight) -> Option<Flight> {
    let span = span(&flight.cell);
    flight.cell.shared.probe.open(Point::WorkerStart).await;
    let outcome = handle(handler, &flight.cell, &span).await;
    flight.cell.shared.probe.open(Point::BeforeSettle).await;
    let error = outcome.as_ref().and_then(error).cloned();
    let (answer, next) = flight.end(outcome);
    record(&span, answer, error.as_ref());
    flight.cell.shared.probe.open(Point::AfterSettle).await;
    next
}

/// Waits until the start is durable, unless the run is stopped before. A start that may be lost
/// counts as stopped: the engine that knew of it is gone.
async fn is_started(cell: &RunCell) -> bool {
    let Some(started) = cell.started else { return !cell.cancelled.is_open() };
    tokio::select! {
        biased;
        () = cell.cancelled.wait() => false,
        synced = cell.shared.synced.wait_however_long(started) => synced.is_ok(),
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
        () = cell.cancelled.wait() => None,
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

fn record(span: &Span, answer: Option<Answer>, error: Option<&ErrorText>) {
    if span.is_disabled() {
        return;
    }
    let status = if let Some(Answer::Settled(status)) = answer { Some(status) } else { None };
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
