//! Futures that are waited for by the thread of a journal.

use core::fmt;
use core::future::Future;
use std::io;
use std::thread;

use tokio::runtime::{Builder, Handle, Runtime};

/// A runtime of its own for the connection of one journal. The thread of the journal runs it, so a statement
/// costs no hand-over to another thread.
pub(crate) struct Blocking(Option<Runtime>);

impl fmt::Debug for Blocking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Blocking")
    }
}

impl Blocking {
    /// # Errors
    ///
    /// When the operating system refuses what a runtime needs.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(Some(Builder::new_current_thread().enable_io().enable_time().build()?)))
    }

    /// Runs a future to its end.
    pub(crate) fn run<F: Future + Send>(&self, future: F) -> F::Output
    where
        F::Output: Send,
    {
        let Some(runtime) = &self.0 else { unreachable!("it is there until this is dropped") };
        if Handle::try_current().is_err() {
            return runtime.block_on(future);
        }
        // A thread of another runtime may not run this one.
        thread::scope(|scope| match scope.spawn(|| runtime.block_on(future)).join() {
            Ok(output) => output,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    }
}

impl Drop for Blocking {
    /// A runtime that is dropped waits, which a thread of another runtime may not.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
