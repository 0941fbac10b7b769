//! Restarts the dispatcher and the sweeper when they die.

use core::future::{Future, poll_fn};
use core::mem;
use core::sync::atomic::Ordering;
use core::task::Poll;
use std::string::{String, ToString as _};
use std::sync::Arc;
use tokio::task::JoinSet;

use super::shared::{Shared, Upkeep};

/// How a task that is looked after ended by itself.
pub(super) enum Exit {
    /// There is nothing more to do for it.
    Done,
    /// It cannot go on, and should be restarted.
    Dead(&'static str),
}

/// A task that is looked after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// See the module `dispatcher`.
    Dispatcher,
    /// See the module `sweeper`.
    Sweeper,
}

impl Part {
    fn upkeep(self, shared: &Shared) -> &Upkeep {
        match self {
            Self::Dispatcher => &shared.dispatcher,
            Self::Sweeper => &shared.sweeper,
        }
    }
}

/// Runs what `make` makes, again and again, until it is done.
pub(super) async fn keep<F>(shared: Arc<Shared>, part: Part, make: impl Fn() -> F)
where
    F: Future<Output = Exit> + Send + 'static,
{
    let upkeep = part.upkeep(&shared);
    let mut not_before = shared.now();
    while let Err(why) = live(upkeep, make()).await {
        upkeep.down.store(true, Ordering::Release);
        tracing::error!(?part, why, "a task died, and is restarted");
        // A task that dies at once, over and over, must not take the processor with it.
        tokio::select! {
            biased;
            () = shared.end.stopped.wait() => return,
            () = shared.clock.sleep_until(not_before) => {}
        }
        not_before = shared.now() + shared.config.sweep_interval;
        restart(&shared, part);
    }
}

/// Waits until the task is done. An error says why it must be restarted.
async fn live(upkeep: &Upkeep, task: impl Future<Output = Exit> + Send + 'static) -> Result<(), String> {
    // A set of one: dropping it aborts the task.
    let mut tasks = JoinSet::new();
    tasks.spawn(task);
    let exit = tokio::select! {
        biased;
        exit = tasks.join_next() => exit,
        () = upkeep.replace.notified() => return Err("it makes no progress".to_string()),
    };
    match exit {
        Some(Ok(Exit::Done)) | None => Ok(()),
        Some(Ok(Exit::Dead(why))) => Err(why.to_string()),
        Some(Err(error)) => Err(error.to_string()),
    }
}

fn restart(shared: &Shared, part: Part) {
    let upkeep = part.upkeep(shared);
    if part == Part::Dispatcher {
        // What the dead one had in its hands is unknown, so every ticket counts as lost. A broken
        // core has no channel to replace; the new dispatcher will find that out.
        let _ = shared.change(|core, now| core.replace_channel(now));
    }
    upkeep.restarts.fetch_add(1, Ordering::AcqRel);
    upkeep.down.store(false, Ordering::Release);
}

/// Lets others run first.
///
/// Unlike `tokio::task::yield_now`, which parks the task with the thread that it ran on, this
/// leaves it where every thread can take it, so that no blocking handler holds it up.
pub(super) async fn give_way() {
    let mut first = true;
    poll_fn(|cx| {
        if mem::take(&mut first) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
}
