//! Primitives that threads share, of std and tokio: through them they wait for each other.
//!
//! The adapter takes them from here, so that `sim/threads` can compile the same sources with primitives of the same
//! names that are under a scheduler. The rest, which belongs to one thread or orders nothing between threads, is not
//! here.

#[cfg(feature = "durable")]
pub(crate) use std::sync::Condvar;

pub(crate) use core::hint::spin_loop;
pub(crate) use core::sync::atomic::{AtomicBool, AtomicU64};
pub(crate) use std::sync::{Mutex, MutexGuard};
pub(crate) use std::thread;
pub(crate) use tokio::runtime::{Builder, Handle};
pub(crate) use tokio::sync::Notify;
pub(crate) use tokio::task::coop::consume_budget;
pub(crate) use tokio::task::{JoinHandle, JoinSet};

/// Tries of a lock before a thread sleeps for it.
pub(crate) const SPINS: usize = 1000;
