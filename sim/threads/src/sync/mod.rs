//! Primitives with the names of those in `src/sync.rs` of the product, under the scheduler.
//!
//! | module | has |
//! |---|---|
//! | `notify` | tokio's `Notify` |
//! | `task`, `join_set` | tokio's tasks: `JoinHandle`, `JoinSet` |
//! | `executor` | tokio's runtimes: `Handle`, `Builder`, and [`Runtime`] for the models |
//! | `condvar` | std's `Condvar`, with the time of [`clock`](crate::clock) |

mod condvar;
mod executor;
mod join_set;
mod notify;
mod task;

use core::time::Duration;

pub use shuttle::hint::spin_loop;
pub use shuttle::sync::atomic::{AtomicBool, AtomicU64};
pub use shuttle::sync::{Mutex, MutexGuard};
pub use shuttle::thread;

pub use condvar::Condvar;
pub use executor::{
    Context, ExecutorHandle as Handle, NoRuntimeHere, Runtime, RuntimeBuilder as Builder, ThreadRuntime,
};
pub use join_set::JoinSet;
pub use notify::{Notified, Notify};
pub use task::{JoinError, JoinHandle};

/// The number of tries of a lock before a thread sleeps for it. More than one make schedules longer and add no
/// interleaving.
pub const SPINS: usize = 1;

/// A budget without limit: a point at which other threads may run.
#[allow(clippy::unused_async, reason = "tokio's is async")]
pub async fn consume_budget() {
    point();
}

/// A point at which the scheduler may let another thread run.
pub(crate) fn point() {
    // Not while a panic unwinds, whose destructors come here: a switch could turn one failure into another.
    if !std::thread::panicking() {
        thread::sleep(Duration::ZERO);
    }
}
