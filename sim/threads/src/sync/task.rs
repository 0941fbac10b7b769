//! tokio's tasks: a panic ends a task and nothing else, and an abort drops it at its next await.

use core::any::Any;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::point;

/// The reason why a task has no result.
pub enum JoinError {
    /// The task was aborted.
    Cancelled,
    /// The task panicked with this.
    Panicked(Box<dyn Any + Send>),
}

impl JoinError {
    /// Returns whether it panicked.
    pub fn is_panic(&self) -> bool {
        matches!(self, Self::Panicked(_))
    }

    /// Returns the panic; a text if it did not panic.
    pub fn into_panic(self) -> Box<dyn Any + Send> {
        match self {
            Self::Panicked(panic) => panic,
            Self::Cancelled => Box::new("the task was aborted"),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_panic() { "Panicked" } else { "Cancelled" })
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_panic() { "the task panicked" } else { "the task was aborted" })
    }
}

/// The state that a task shares with the one that waits for it.
pub(super) struct TaskEnd<T>(Mutex<TaskState<T>>);

struct TaskState<T> {
    is_aborted: bool,
    has_ended: bool,
    /// Wakes the task.
    task: Option<Waker>,
    result: Option<Result<T, JoinError>>,
    /// Wakes the one that waits for the result.
    joiner: Option<Waker>,
}

impl<T> TaskEnd<T> {
    pub(super) fn new() -> Arc<Self> {
        let (task, result, joiner) = (None, None, None);
        Arc::new(Self(Mutex::new(TaskState { is_aborted: false, has_ended: false, task, result, joiner })))
    }

    fn lock(&self) -> MutexGuard<'_, TaskState<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn end(&self, result: Result<T, JoinError>) {
        point();
        let joiner = {
            let mut progress = self.lock();
            progress.has_ended = true;
            progress.result = Some(result);
            progress.joiner.take()
        };
        joiner.into_iter().for_each(Waker::wake);
    }
}

/// A task of any result that can be aborted.
pub(super) trait Abort: Send + Sync {
    fn abort(&self);
}

impl<T: Send> Abort for TaskEnd<T> {
    fn abort(&self) {
        point();
        let task = {
            let mut progress = self.lock();
            progress.is_aborted = true;
            progress.task.take()
        };
        task.into_iter().for_each(Waker::wake);
    }
}

/// A future that ends like a task: with a result, a panic, or an abort.
pub(super) struct TaskFuture<F: Future> {
    future: Option<Pin<Box<F>>>,
    outcome: Arc<TaskEnd<F::Output>>,
}

impl<F: Future> TaskFuture<F> {
    pub(super) fn new(future: F, outcome: &Arc<TaskEnd<F::Output>>) -> Self {
        Self { future: Some(Box::pin(future)), outcome: Arc::clone(outcome) }
    }

    /// Polls the future, and drops it when it has ended: with a result, a panic, or an abort.
    fn advance(&mut self, context: &mut Context<'_>) -> Option<Result<F::Output, JoinError>> {
        let is_aborted = {
            let mut progress = self.outcome.lock();
            progress.task = Some(context.waker().clone());
            progress.is_aborted
        };
        let future = self.future.as_mut().filter(|_| !is_aborted);
        let polled = future.map(|future| catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))));
        let result = match polled {
            Some(Ok(Poll::Pending)) => return None,
            Some(Ok(Poll::Ready(value))) => Ok(value),
            Some(Err(panic)) => Err(JoinError::Panicked(panic)),
            None => Err(JoinError::Cancelled),
        };
        let dropped = catch_unwind(AssertUnwindSafe(|| self.future = None));
        Some(dropped.map_or_else(|panic| Err(JoinError::Panicked(panic)), |()| result))
    }
}

impl<F: Future> Future for TaskFuture<F> {
    /// True if it panicked.
    type Output = bool;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<bool> {
        let Some(result) = self.advance(context) else { return Poll::Pending };
        let has_panicked = result.as_ref().is_err_and(JoinError::is_panic);
        self.outcome.end(result);
        Poll::Ready(has_panicked)
    }
}

// The future is in a box of its own.
impl<F: Future> Unpin for TaskFuture<F> {}

/// A task that was spawned. Dropped, the task runs on.
pub struct JoinHandle<T>(pub(super) Arc<TaskEnd<T>>);

impl<T> JoinHandle<T> {
    pub(super) fn has_ended(&self) -> bool {
        self.0.lock().has_ended
    }

    /// Takes the result of a task that has ended.
    pub(super) fn take_result(&self) -> Option<Result<T, JoinError>> {
        self.0.lock().result.take()
    }

    /// Wakes this waker when the task ends.
    pub(super) fn wake_at_end(&self, waker: &Waker) {
        self.0.lock().joiner = Some(waker.clone());
    }
}

impl<T: Send> JoinHandle<T> {
    /// Drops the task at its next await.
    pub fn abort(&self) {
        self.0.abort();
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        point();
        let mut progress = self.0.lock();
        progress.joiner = Some(context.waker().clone());
        progress.result.take().map_or(Poll::Pending, Poll::Ready)
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").finish_non_exhaustive()
    }
}
