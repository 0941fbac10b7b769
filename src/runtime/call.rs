//! Calls a handler, and turns what becomes of it into an outcome.

use core::any::Any;
use core::future::{Future, poll_fn};
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::string::String;
use std::sync::Arc;
use tracing::Span;

use super::attempt::{Attempt, RunState};
use super::handler::{Failure, Handler, outcome};
use super::points::pass;
use super::run_guard::RunGuard;
use crate::engine::{ErrorText, Outcome};
use crate::node::Point;

/// Calls the handler of a run, unless that is stopped before, and waits until it has ended.
pub(super) async fn attend<H: Handler>(handler: &H, guard: &mut RunGuard, span: &Span) {
    pass(&guard.state.shared.probe, Point::WorkerStart).await;
    let outcome = handle(handler, guard, span).await;
    guard.end(outcome);
    pass(&guard.state.shared.probe, Point::BeforeSettle).await;
}

/// Waits until the start is durable, unless the run is stopped before. A start that may be lost
/// counts as stopped: the engine that knew of it is gone.
async fn is_started(state: &RunState) -> bool {
    if state.started.is_none() {
        return !state.cancel.is_open();
    }
    tokio::select! {
        biased;
        // First: a run that was cancelled does not count, even if its start is durable by now.
        () = state.cancel.wait() => false,
        settled = state.shared.settled(state.started, true) => settled.is_ok(),
    }
}

/// Calls the handler, unless the run was stopped before. No outcome when it was stopped first.
async fn handle<H: Handler>(handler: &H, guard: &mut RunGuard, span: &Span) -> Option<Outcome> {
    if !is_started(&guard.state).await {
        return None;
    }
    let event = guard.call()?;
    let state = &guard.state;
    let attempt = Attempt(Arc::clone(state));
    let call = match catch(|| handler.handle(event, attempt)) {
        Ok(call) => call,
        Err(crashed) => return Some(crashed),
    };
    let (mut call, mut stopped) = (pin!(Some(call)), pin!(state.cancel.wait()));
    // Not a `select!`, which polls nothing once the task's tokio budget is spent: a handler that can end at once is to
    // end at once.
    let ended = poll_fn(|cx| match poll(call.as_mut(), span, cx) {
        Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
        Poll::Pending => stopped.as_mut().poll(cx).map(|()| None),
    })
    .await;
    // The destructor of the future is the handler's code: a panic in it is a crash of this run.
    let dropped = catch(|| call.set(None));
    ended.map(|outcome| state.follow_ups.end(dropped.err().unwrap_or(outcome)))
}

/// Polls the handler inside its span, and turns a panic into an outcome.
fn poll<F>(call: Pin<&mut Option<F>>, span: &Span, cx: &mut Context<'_>) -> Poll<Outcome>
where
    F: Future<Output = Result<(), Failure>>,
{
    let Some(call) = call.as_pin_mut() else { return Poll::Pending };
    let _inside = span.enter();
    match catch(|| call.poll(cx)) {
        Ok(poll) => poll.map(outcome),
        Err(crashed) => Poll::Ready(crashed),
    }
}

/// Returns the result of `act`, or its panic as an outcome.
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
