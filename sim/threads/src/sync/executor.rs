//! tokio's runtimes, which spawn tasks. Each task is a thread of the scheduler's, so all run concurrently.

use core::cell::RefCell;
use core::fmt;
use core::future::Future;
use core::mem;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::runtime::RuntimeFlavor;

use super::point;
use super::task::{Abort, JoinError, JoinHandle, TaskEnd, TaskFuture};

shuttle::thread_local! {
    /// The runtime in whose context this thread is.
    static CURRENT: RefCell<Option<ExecutorHandle>> = RefCell::new(None);
}

/// The error that this thread is in the context of no runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no runtime here: enter one")]
pub struct NoRuntimeHere;

/// A handle that spawns on a runtime.
#[derive(Clone)]
pub struct ExecutorHandle {
    flavor: Flavor,
    tasks: Arc<Mutex<ExecutorTasks>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flavor {
    OneThread,
    Threads,
}

/// The tasks of a runtime.
#[derive(Default)]
struct ExecutorTasks {
    is_shut_down: bool,
    live: Vec<Weak<dyn Abort>>,
    /// Tasks that were not waited for yet.
    running: Vec<shuttle::future::JoinHandle<()>>,
    panicked: usize,
}

impl ExecutorHandle {
    fn new(flavor: Flavor) -> Self {
        Self { flavor, tasks: Arc::default() }
    }

    /// Returns the runtime in whose context this thread is.
    ///
    /// # Errors
    ///
    /// [`NoRuntimeHere`]
    pub fn try_current() -> Result<Self, NoRuntimeHere> {
        CURRENT.with(|current| current.borrow().clone()).ok_or(NoRuntimeHere)
    }

    /// Returns the runtime in whose context this thread is.
    ///
    /// # Panics
    ///
    /// Without one.
    pub fn current() -> Self {
        Self::try_current().expect("a runtime was entered")
    }

    /// Spawns a task; on a runtime that is shut down, drops it.
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        point();
        let outcome = TaskEnd::new();
        if self.lock().is_shut_down {
            drop(future);
            outcome.end(Err(JoinError::Cancelled));
            return JoinHandle(outcome);
        }
        let task = TaskFuture::new(future, &outcome);
        let handle = self.clone();
        let running = shuttle::future::spawn(async move {
            let _context = handle.enter();
            if task.await {
                handle.lock().panicked += 1;
            }
        });
        let abort: Arc<dyn Abort> = outcome.clone();
        let is_late = {
            let mut tasks = self.lock();
            tasks.live.push(Arc::downgrade(&abort));
            tasks.running.push(running);
            tasks.is_shut_down
        };
        if is_late {
            abort.abort();
        }
        JoinHandle(outcome)
    }

    /// Runs `act` on a thread of its own.
    pub fn spawn_blocking<T: Send + 'static>(&self, act: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        let outcome = TaskEnd::new();
        let (handle, ended) = (self.clone(), Arc::clone(&outcome));
        shuttle::thread::spawn(move || {
            let _context = handle.enter();
            ended.end(catch_unwind(AssertUnwindSafe(act)).map_err(JoinError::Panicked));
        });
        JoinHandle(outcome)
    }

    /// Makes this runtime the current one of the thread.
    pub fn enter(&self) -> Context<'_> {
        let before = CURRENT.with(|current| current.replace(Some(self.clone())));
        Context { handle: self, before }
    }

    /// Returns the kind of the runtime.
    pub fn runtime_flavor(&self) -> RuntimeFlavor {
        match self.flavor {
            Flavor::OneThread => RuntimeFlavor::CurrentThread,
            Flavor::Threads => RuntimeFlavor::MultiThread,
        }
    }

    fn lock(&self) -> MutexGuard<'_, ExecutorTasks> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for ExecutorHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("flavor", &self.flavor).finish_non_exhaustive()
    }
}

/// Returned by [`Handle::enter`]: dropped, it leaves the context.
#[derive(Debug)]
pub struct Context<'a> {
    handle: &'a ExecutorHandle,
    before: Option<ExecutorHandle>,
}

impl Context<'_> {
    /// Returns the runtime whose context it is.
    pub fn handle(&self) -> &ExecutorHandle {
        self.handle
    }
}

impl Drop for Context<'_> {
    fn drop(&mut self) {
        let before = self.before.take();
        CURRENT.with(|current| current.replace(before));
    }
}

/// A runtime of a model.
#[derive(Debug, Clone)]
pub struct Runtime(ExecutorHandle);

impl Runtime {
    /// Makes a runtime with many threads.
    pub fn with_threads() -> Self {
        Self(ExecutorHandle::new(Flavor::Threads))
    }

    /// Creates a runtime that claims to have one thread. Its tasks run concurrently all the same, which is more than
    /// tokio's can do: a failure only here may be no bug.
    pub fn with_one_thread() -> Self {
        Self(ExecutorHandle::new(Flavor::OneThread))
    }

    /// Returns what spawns on it.
    pub fn handle(&self) -> &ExecutorHandle {
        &self.0
    }

    /// Drops all tasks, and every one that is spawned later.
    pub fn shut_down(&self) {
        point();
        let live = {
            let mut tasks = self.0.lock();
            tasks.is_shut_down = true;
            mem::take(&mut tasks.live)
        };
        live.iter().filter_map(Weak::upgrade).for_each(|task| task.abort());
    }

    /// Waits until all tasks have ended, and returns how many panicked.
    pub fn join(&self) -> usize {
        loop {
            let running = mem::take(&mut self.0.lock().running);
            if running.is_empty() {
                return self.0.lock().panicked;
            }
            for task in running {
                // The wrapper of the task neither panics nor is aborted.
                let _ended = shuttle::future::block_on(task);
            }
        }
    }
}

/// A builder of the runtime of a thread.
#[derive(Debug)]
pub struct RuntimeBuilder(());

impl RuntimeBuilder {
    /// Begins one for the thread that will use it.
    pub fn new_current_thread() -> Self {
        Self(())
    }

    /// Has no effect: the time is that of [`clock`](crate::clock).
    pub fn enable_time(&mut self) -> &mut Self {
        self
    }

    /// Creates the runtime.
    ///
    /// # Errors
    ///
    /// None.
    pub fn build(&mut self) -> io::Result<ThreadRuntime> {
        Ok(ThreadRuntime(()))
    }
}

/// A runtime of one thread, on which nothing is spawned.
#[derive(Debug)]
pub struct ThreadRuntime(());

impl ThreadRuntime {
    /// Blocks the thread until the future has ended.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        shuttle::future::block_on(future)
    }
}
