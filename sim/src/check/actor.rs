//! The user's handler, wrapped so that faults strike it.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use eventful::{Attempt, Event, Failure, Handler, Key, Timestamp, clock::Clock as _};
use tokio::time::{Sleep, sleep};

use super::budget;
use super::clock::PausedClock;
use super::context::{CheckContext, RunEnd};
use super::fault::{FaultPlace, HandlerFault, PlannedFault};
use super::watchdog::Watchdog;

/// The number of polls of one run without time passing that counts as spinning. Far more than a correct handler needs,
/// and reached within milliseconds.
const SPINS: u32 = 20_000;

/// A delay longer than any run may last: a year.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// A handler that calls the user's, and injects the faults of the run's context.
#[derive(Debug)]
pub(super) struct Actor<H> {
    pub(super) handler: Arc<H>,
    pub(super) stage: Arc<CheckContext>,
    pub(super) clock: Arc<PausedClock>,
    pub(super) watchdog: Arc<Watchdog>,
}

impl<H> Clone for Actor<H> {
    fn clone(&self) -> Self {
        let (handler, stage) = (Arc::clone(&self.handler), Arc::clone(&self.stage));
        Self { handler, stage, clock: Arc::clone(&self.clock), watchdog: Arc::clone(&self.watchdog) }
    }
}

impl<H: Handler> Handler for Actor<H> {
    async fn handle(&self, event: Event, attempt: Attempt) -> Result<(), Failure> {
        if self.stage.is_decided() {
            return Err(Failure::permanent("the test case is decided"));
        }
        let run = self.stage.enter(event.key(), attempt.number());
        if self.stage.strikes_run(run, HandlerFault::CrashBefore) {
            self.stage.leave(run, RunEnd::NotCalled);
            crash();
        }
        let received = (event.key().clone(), attempt.number());
        let part =
            StagedRun { stage: &self.stage, clock: &self.clock, watchdog: &self.watchdog, run, received: &received };
        let call = part.watch(|| Box::pin(self.handler.handle(event, attempt)));
        let mut scene = HandlerCall { part, call: Some(call), delay: None, polls: 0, at: self.clock.now() };
        if let Some(after) = self.stage.preempts(run) {
            budget::leave(after).await;
        }
        let result = poll_fn(|cx| scene.poll(cx)).await;
        self.stage.leave(run, result.as_ref().map_or_else(failed, |()| RunEnd::Done));
        if self.stage.strikes_run(run, HandlerFault::CrashAfter) {
            crash();
        }
        result
    }
}

fn failed(failure: &Failure) -> RunEnd {
    RunEnd::Failed(format!("{failure:?}"))
}

/// Panics without a call of the panic hook, so that nothing is printed.
fn crash() -> ! {
    resume_unwind(Box::new("killed by the simulator"))
}

/// One run with the context of its faults.
#[derive(Clone, Copy)]
struct StagedRun<'a> {
    stage: &'a CheckContext,
    clock: &'a PausedClock,
    watchdog: &'a Watchdog,
    run: usize,
    /// The event and the attempt, as the handler receives them.
    received: &'a (Key, u32),
}

impl StagedRun<'_> {
    /// Runs the user's code, and notes its panic on the way.
    fn watch<T>(self, act: impl FnOnce() -> T) -> T {
        self.watchdog.beat(Some(self.received.clone()));
        let acted = catch_unwind(AssertUnwindSafe(act));
        self.watchdog.beat(None);
        acted.unwrap_or_else(|panic| {
            self.stage.leave(self.run, RunEnd::Panicked(message(&*panic)));
            resume_unwind(panic)
        })
    }
}

/// One call of the handler.
struct HandlerCall<'a, F> {
    part: StagedRun<'a>,
    /// The user's future; none once it is dropped.
    call: Option<Pin<Box<F>>>,
    /// The delay before the next poll, if a fault causes one.
    delay: Option<Pin<Box<Sleep>>>,
    /// The number of polls since the time last changed.
    polls: u32,
    at: Timestamp,
}

impl<F: Future<Output = Result<(), Failure>>> HandlerCall<'_, F> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        if let Some(delay) = &mut self.delay {
            ready!(delay.as_mut().poll(cx));
            self.delay = None;
        }
        let part = self.part;
        part.stage.step();
        let Some(call) = &mut self.call else { return Poll::Pending };
        let result = part.watch(|| call.as_mut().poll(cx));
        if result.is_pending() {
            if let Some(struck) = part.stage.suspend(part.run) {
                self.apply(struck);
                // Asks for another poll, so that the delay registers the waker.
                cx.waker().wake_by_ref();
            } else if self.spins() {
                part.stage.leave(part.run, RunEnd::Spun);
                return Poll::Ready(Err(Failure::permanent("the run spins")));
            }
        }
        result
    }

    /// Applies a fault to a run that waits.
    fn apply(&mut self, struck: PlannedFault) {
        match struck {
            PlannedFault { fault: HandlerFault::Drop, .. } => {
                let call = self.call.take();
                self.part.watch(|| drop(call));
                crash();
            }
            PlannedFault { fault: HandlerFault::Slow, at: FaultPlace::Await { delay, .. } } => {
                self.delay = Some(Box::pin(sleep(delay)));
            }
            // A timeout; other faults do not strike at an await.
            PlannedFault { .. } => self.stall(),
        }
    }

    /// Does nothing more until the run is stopped from outside.
    fn stall(&mut self) {
        self.delay = Some(Box::pin(sleep(FOR_EVER)));
    }

    /// Returns whether the run is ready again and again without time passing.
    fn spins(&mut self) -> bool {
        let now = self.part.clock.now();
        self.polls = if now == self.at { self.polls + 1 } else { 0 };
        self.at = now;
        self.polls > SPINS
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without a message").to_string()
}
