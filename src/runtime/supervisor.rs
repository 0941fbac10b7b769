//! Restarts the dispatcher and the sweeper when they die.

use core::future::{Future, poll_fn};
use core::mem;
use core::task::Poll;
use std::string::{String, ToString as _};
use std::sync::Arc;

use super::shared::Shared;
use crate::node::SupervisedTask;
use crate::sync::JoinSet;

/// The way in which a supervised task ended by itself.
pub(super) enum Exit {
    /// The work of the task is done.
    Done,
    /// The task cannot continue, and must be restarted.
    Dead(&'static str),
}

/// A supervised task. Dropping it reports that the task has ended: with its work, or with its runtime.
pub(super) struct SupervisedGuard {
    shared: Arc<Shared>,
    part: SupervisedTask,
}

impl SupervisedGuard {
    pub(super) fn new(shared: &Arc<Shared>, part: SupervisedTask) -> Self {
        Self { shared: Arc::clone(shared), part }
    }
}

impl Drop for SupervisedGuard {
    fn drop(&mut self) {
        self.shared.write(|node, _| node.part_ended(self.part));
    }
}

/// Runs the task that `make` creates, and creates it again when it dies, until it is done.
pub(super) async fn keep<F>(kept: SupervisedGuard, make: impl Fn() -> F)
where
    F: Future<Output = Exit> + Send + 'static,
{
    let SupervisedGuard { shared, part } = &kept;
    let part = *part;
    while let Err(why) = live(shared, part, make()).await {
        tracing::error!(?part, why, "a task died; it is restarted");
        let Some(not_before) = shared.write(|node, _| node.part_died(part)) else { break };
        // Read before: a shutdown that is under way already must not end the pause at once, or a task that dies over
        // and over would spin.
        let is_ending = shared.ending.is_open();
        tokio::select! {
            biased;
            () = shared.ending.wait(), if !is_ending => {}
            () = shared.clock.sleep_until(not_before) => {}
        }
        if !shared.write(|node, now| node.part_restarted(now, part)) {
            break;
        }
    }
}

/// Waits until the task is done. The error is the reason for a restart.
async fn live(
    shared: &Shared,
    part: SupervisedTask,
    task: impl Future<Output = Exit> + Send + 'static,
) -> Result<(), String> {
    // A set of one: dropping it aborts the task.
    let mut tasks = JoinSet::new();
    tasks.spawn(task);
    let exit = tokio::select! {
        biased;
        exit = tasks.join_next() => exit,
        // Only the dispatcher can be replaced while it lives: the sweeper has nothing that could be lost.
        () = shared.notifications.replace_dispatcher.notified(), if part == SupervisedTask::Dispatcher => {
            return Err("it makes no progress".to_string());
        }
    };
    match exit {
        // An empty set means that the task was aborted with the runtime.
        Some(Ok(Exit::Done)) | None => Ok(()),
        Some(Ok(Exit::Dead(why))) => Err(why.to_string()),
        Some(Err(error)) => Err(error.to_string()),
    }
}

/// Yields to other tasks.
///
/// Unlike `tokio::task::yield_now`, which parks the task with the thread that it ran on, this
/// leaves it where every thread can take it, so that no blocking handler holds it up.
pub(super) async fn give_way() {
    let mut first = true;
    poll_fn(|cx| {
        if mem::take(&mut first) {
            // Woken before it is polled again, so it goes to the end of the run queue.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
}
