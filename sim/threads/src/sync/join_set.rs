//! tokio's `JoinSet`.

use core::future::{Future, poll_fn};
use core::task::Poll;

use super::executor::ExecutorHandle;
use super::point;
use super::task::{JoinError, JoinHandle};

/// Tasks that are aborted when it is dropped.
#[derive(Debug)]
pub struct JoinSet<T: Send>(Vec<JoinHandle<T>>);

impl<T: Send + 'static> JoinSet<T> {
    /// Creates an empty set.
    pub fn new() -> Self {
        Self(Vec::new())
    }

    /// Spawns a task on the current runtime.
    pub fn spawn(&mut self, task: impl Future<Output = T> + Send + 'static) {
        self.0.push(ExecutorHandle::current().spawn(task));
    }

    /// Takes the result of a task that has ended.
    pub fn try_join_next(&mut self) -> Option<Result<T, JoinError>> {
        point();
        let ended = self.0.iter().position(JoinHandle::has_ended)?;
        let task = self.0.remove(ended);
        task.take_result()
    }

    /// Waits for a task to end. Returns none if none is left.
    pub async fn join_next(&mut self) -> Option<Result<T, JoinError>> {
        poll_fn(|context| {
            for task in &self.0 {
                task.wake_at_end(context.waker());
            }
            match self.try_join_next() {
                None if !self.0.is_empty() => Poll::Pending,
                ended => Poll::Ready(ended),
            }
        })
        .await
    }
}

impl<T: Send + 'static> Default for JoinSet<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Send> Drop for JoinSet<T> {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}
