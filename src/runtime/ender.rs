//! The end of an engine, driven by a task of the runtime or by a thread with a timer of its own.
//!
//! On a runtime with several threads it is a thread, begun when the end is asked for: handlers that
//! block every thread of the runtime hold up neither its deadline nor its report. On a runtime with
//! one thread it is a task, so that paused and simulated time decide everything. When the runtime
//! is dropped before, whatever its tasks were polled until then, the rest is done from the drop.

use core::sync::atomic::Ordering;
use core::time::Duration;
use std::io;
use std::string::ToString as _;
use std::sync::{Arc, PoisonError};
use tokio::runtime::RuntimeFlavor;

use super::notifications::guarded;
use super::points::pass;
use super::shared::Shared;
use crate::node::{Node, Point, ShutdownReport};
use crate::sync::{Builder, JoinHandle, thread};

impl Shared {
    /// Stops intake and dispatch now, and asks for the rest to have ended within `timeout`.
    pub(super) fn ask_to_end(self: &Arc<Self>, timeout: Duration) {
        self.write(|node, now| node.shut_down(now, timeout));
        // Only now: a caller that waits for it would see a node that is not ending, and report.
        self.ending.open();
        if self.has_threads() {
            self.end_on_thread();
        }
    }

    /// Waits for the report.
    pub(super) async fn ended(&self) -> ShutdownReport {
        guarded(self.reported.wait()).await;
        self.read(|node, _| node.report()).unwrap_or_default()
    }

    fn has_threads(&self) -> bool {
        self.runtime.runtime_flavor() == RuntimeFlavor::MultiThread
    }

    /// Drives the end on a thread; without one, as a task.
    fn end_on_thread(self: &Arc<Self>) {
        // One thread is enough, whichever of several callers comes first.
        if self.is_ended_on_thread.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Err(error) = spawn(Arc::clone(self)) {
            tracing::warn!(%error, "the system gave no thread for the shutdown: handlers that block may hold it up");
            let reporter = ReportOnDrop(Arc::clone(self));
            self.runtime.spawn(async move { drive_end(&reporter.0).await });
        }
    }
}

/// Watches the engine until it has ended.
pub(super) fn watch(shared: &Arc<Shared>) {
    // Made here and moved into the task: a task that is dropped before it was polled drops it, too.
    let watch = EndOnDrop(Arc::clone(shared));
    shared.runtime.spawn(async move {
        let EndOnDrop(shared) = &watch;
        // With several threads, the end is driven by a thread that is begun when it is asked for.
        if !shared.has_threads() {
            shared.ending.wait().await;
            drive_end(shared).await;
        }
        shared.reported.wait().await;
    });
}

fn spawn(shared: Arc<Shared>) -> io::Result<()> {
    let thread = thread::Builder::new().name("eventful-end".to_string());
    thread.spawn(move || end(shared)).map(drop)
}

/// Drives the end on a thread. Its runtime is made there: without a thread it could not be dropped where blocking is
/// forbidden, such as in a task.
fn end(shared: Arc<Shared>) {
    let reporter = ReportOnDrop(shared);
    match Builder::new_current_thread().enable_time().build() {
        Ok(runtime) => runtime.block_on(drive_end(&reporter.0)),
        Err(error) => {
            tracing::warn!(%error, "the system gave no timer for the shutdown: it waits for no run in flight")
        }
    }
}

/// Takes the shutdown through its phases, once it was asked for.
async fn drive_end(shared: &Shared) {
    pass(&shared.probe, Point::Drain).await;
    while let Some(at) = shared.write(Node::see_to_end) {
        tokio::select! {
            biased;
            () = shared.notifications.end.notified() => {}
            () = shared.clock.sleep_until(at) => {}
        }
    }
    publish(shared);
}

/// Publishes the report. Tasks that have not ended by then are aborted: a handler that blocks a thread may hold up
/// other tasks on it.
fn publish(shared: &Shared) {
    let tasks = core::mem::take(&mut *shared.tasks.lock().unwrap_or_else(PoisonError::into_inner));
    // Aborted before the report: a task that runs on would use an engine that is reported as stopped.
    tasks.iter().for_each(JoinHandle::abort);
    let report = shared.read(|node, _| node.report());
    shared.reported.open();
    tracing::info!(?report, "the engine has stopped");
}

/// A guard over an engine that has not ended: dropping it ends the engine, because the runtime is gone or the task has
/// died.
struct EndOnDrop(Arc<Shared>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        let Self(shared) = self;
        if shared.reported.is_open() {
            return;
        }
        // With the runtime gone, no run in flight can be waited for.
        shared.ask_to_end(Duration::ZERO);
        // A journal with a thread of its own is still being closed: the report waits for that.
        if shared.has_threads() || shared.journal.has_thread {
            shared.end_on_thread();
        } else {
            end_at_once(shared);
        }
    }
}

/// A guard that reports when it is dropped, so that no caller waits without end.
struct ReportOnDrop(Arc<Shared>);

impl Drop for ReportOnDrop {
    fn drop(&mut self) {
        if !self.0.reported.is_open() {
            end_at_once(&self.0);
        }
    }
}

/// Reports at once: nothing is left that could be waited for.
fn end_at_once(shared: &Arc<Shared>) {
    shared.write(Node::end_at_once);
    publish(shared);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Event, Phase};
    use crate::runtime::{Attempt, Eventful, Failure};
    use core::task::{Context, Waker};
    use std::pin::pin;
    use std::sync::Mutex;
    use std::task::Wake;

    /// Records the phase of the engine when it is woken.
    struct PhaseObserver(Arc<Shared>, Mutex<Option<Phase>>);

    impl Wake for PhaseObserver {
        fn wake(self: Arc<Self>) {
            *self.1.lock().expect("no panic under the lock") = Some(self.0.read(|node, _| node.phase()));
        }
    }

    #[tokio::test]
    async fn caller_that_waits_for_the_end_finds_a_node_that_ends() {
        let succeed = async |_: Event, _: Attempt| Ok::<_, Failure>(());
        let eventful = Eventful::builder().start(succeed).expect("it starts");
        let observer = Arc::new(PhaseObserver(Arc::clone(eventful.shards.first()), Mutex::default()));
        let waker = Waker::from(Arc::clone(&observer));
        let mut ending = pin!(eventful.shards.first().ending.wait());
        assert!(ending.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());

        eventful.shards.first().ask_to_end(Duration::ZERO);
        // No run is in flight: it has ended at once.
        assert_eq!(*observer.1.lock().expect("no panic under the lock"), Some(Phase::Stopped));
    }
}
