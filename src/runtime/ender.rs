//! Who sees to the end: a task of the runtime, or a thread with a timer of its own.
//!
//! On a runtime with several threads it is a thread, begun when the end is asked for: handlers that
//! block every thread of the runtime hold up neither its deadline nor its report. On a runtime with
//! one thread it is a task, so that paused and simulated time decide everything. When the runtime
//! is dropped before, whatever its tasks were polled until then, the rest is done from the drop.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::io;
use std::string::ToString as _;
use std::sync::Arc;
use tokio::runtime::{Builder, Handle, RuntimeFlavor};

use super::shared::Shared;
use super::shutdown::{asked, end_at_once, see_to_the_end};

/// Where the engine is ended from.
#[derive(Debug)]
pub(super) struct Ender {
    has_threads: bool,
    /// A thread has begun to.
    begun: AtomicBool,
}

impl Ender {
    pub(super) fn new(runtime: &Handle) -> Self {
        let has_threads = runtime.runtime_flavor() == RuntimeFlavor::MultiThread;
        Self { has_threads, begun: AtomicBool::new(false) }
    }
}

/// Watches over the engine until it has ended.
pub(super) fn watch(shared: &Arc<Shared>) {
    // Made here and moved into the task: a task that is dropped before it was polled drops it, too.
    let watch = Watch(Arc::clone(shared));
    shared.runtime.spawn(async move {
        let Watch(shared) = &watch;
        if !shared.ender.has_threads {
            asked(shared).await;
            see_to_the_end(shared).await;
        }
        shared.end.reported.wait().await;
    });
}

impl Shared {
    /// Begins the end on a thread, where it is that which sees to it.
    pub(super) fn begin_to_end(self: &Arc<Self>) {
        if self.ender.has_threads {
            self.end_on_thread();
        }
    }

    /// Ends the engine on a thread; without one, as a task.
    fn end_on_thread(self: &Arc<Self>) {
        if self.ender.begun.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Err(error) = spawn(Arc::clone(self)) {
            tracing::warn!(%error, "no thread for the shutdown: handlers that block may hold it up");
            let will = Will(Arc::clone(self));
            self.runtime.spawn(async move { see_to_the_end(&will.0).await });
        }
    }
}

fn spawn(shared: Arc<Shared>) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_time().build()?;
    let thread = std::thread::Builder::new().name("eventful-end".to_string());
    let end = move || {
        let will = Will(shared);
        runtime.block_on(see_to_the_end(&will.0));
    };
    thread.spawn(end).map(drop)
}

/// The watch over an engine that has not ended: dropped, it ends it, for the runtime is gone or the
/// task has died.
struct Watch(Arc<Shared>);

impl Drop for Watch {
    fn drop(&mut self) {
        let Self(shared) = self;
        if shared.end.reported.is_open() {
            return;
        }
        shared.ask_to_end(Duration::ZERO);
        // A journal with a thread of its own is still being closed: the report waits for that.
        if shared.ender.has_threads || !shared.writer.closed.is_open() && shared.writer.has_thread {
            shared.end_on_thread();
        } else {
            end_at_once(shared);
        }
    }
}

/// The duty to report: dropped, it reports at once, so that nothing waits for ever.
struct Will(Arc<Shared>);

impl Drop for Will {
    fn drop(&mut self) {
        if !self.0.end.reported.is_open() {
            end_at_once(&self.0);
        }
    }
}
