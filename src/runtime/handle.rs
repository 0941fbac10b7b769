//! The handle: the access of a program to a running engine.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use super::shared::Shared;
use crate::engine::{Config, Timestamp};
use crate::node::ShutdownReport;

/// A running engine. Cheap to clone; clones are the same engine.
///
/// Dropping the last one shuts the engine down and waits for nothing; call
/// [`Eventful::shutdown`] to let the runs in flight end.
#[derive(Clone)]
pub struct Eventful {
    pub(super) shared: Arc<Shared>,
    _guard: Arc<HandleGuard>,
}

/// The part that all handles hold and no task does: dropped with the last handle, it ends the engine.
struct HandleGuard(Arc<Shared>);

impl Eventful {
    /// Creates the first handle of this engine.
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let guard = Arc::new(HandleGuard(Arc::clone(&shared)));
        Self { shared, _guard: guard }
    }

    /// Shuts down: accepts and starts nothing more, waits at most `timeout` for the runs in flight (the
    /// configuration's `drain_timeout` when absent), stops the others, and reports. The shutdown continues when this
    /// future is dropped. Later calls share it, and the earliest deadline wins.
    ///
    /// It ends by the timeout plus `abort_grace` plus `sync_grace`. On a runtime with several threads
    /// that holds even while handlers block all of them; on a `current_thread` runtime no handler may
    /// block the thread. It ends, too, when the runtime was dropped before, polled or not.
    pub async fn shutdown(&self, timeout: Option<Duration>) -> ShutdownReport {
        self.shared.ask_to_end(timeout.unwrap_or(self.shared.config.drain_timeout));
        self.shared.ended().await
    }

    /// Waits until a shutdown has ended, whichever handle began it.
    pub async fn stopped(&self) -> ShutdownReport {
        self.shared.ended().await
    }

    /// Returns the holds of the lock since the last call, by their length: those in the nth place lasted less than 2ⁿ
    /// µs, and no less than half of that.
    #[cfg(feature = "sim")]
    #[doc(hidden)]
    pub fn lock_holds(&self) -> [u64; 32] {
        self.shared.holds.take()
    }

    /// Returns the number of waiting callers and subscriptions for which memory is held.
    #[cfg(feature = "sim")]
    #[doc(hidden)]
    pub fn waiters(&self) -> usize {
        self.shared.notifications.waiters.len()
    }

    /// Returns what the journal held at the start; none without a journal.
    #[cfg(feature = "durable")]
    pub fn recovery(&self) -> Option<&super::recovery::Recovery> {
        self.shared.journal.recovery.as_ref()
    }

    /// Returns the time by the engine's clock.
    pub fn now(&self) -> Timestamp {
        self.shared.now()
    }

    /// Returns the wall-clock time, by [`Clock::wall`](super::Clock::wall): for comparison with times that other
    /// systems have set, such as that of a signature.
    pub fn wall(&self) -> Timestamp {
        self.shared.clock.wall()
    }

    /// Returns the configuration, with the seed that is in use.
    pub fn config(&self) -> &Config {
        &self.shared.config
    }
}

impl fmt::Debug for Eventful {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Eventful").field("config", self.config()).finish_non_exhaustive()
    }
}

impl Drop for HandleGuard {
    fn drop(&mut self) {
        self.0.ask_to_end(Duration::ZERO);
    }
}
