//! The handle: the access of a program to a running engine.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use super::shards::Shards;
use crate::engine::{Config, Key, Shard, ShardCount, Timestamp};
use crate::node::ShutdownReport;

/// A running engine. Cheap to clone; clones are the same engine.
///
/// Dropping the last one shuts the engine down and waits for nothing; call
/// [`Eventful::shutdown`] to let the runs in flight end.
#[derive(Clone)]
pub struct Eventful {
    pub(super) shards: Arc<Shards>,
}

impl Eventful {
    /// Creates the first handle of these engines.
    pub(super) fn new(shards: Shards) -> Self {
        Self { shards: Arc::new(shards) }
    }

    /// Shuts down: accepts and starts nothing more, waits at most `timeout` for the runs in flight (the
    /// configuration's `drain_timeout` when absent), stops the others, and reports. The shutdown continues when this
    /// future is dropped. Later calls share it, and the earliest deadline wins.
    ///
    /// It ends by the timeout plus `abort_grace` plus `sync_grace`. On a runtime with several threads
    /// that holds even while handlers block all of them; on a `current_thread` runtime no handler may
    /// block the thread. It ends, too, when the runtime was dropped before, polled or not.
    pub async fn shutdown(&self, timeout: Option<Duration>) -> ShutdownReport {
        let timeout = timeout.unwrap_or(self.config().drain_timeout);
        // All are asked before one is waited for: they end at the same time.
        self.shards.all().for_each(|shared| shared.ask_to_end(timeout));
        self.stopped().await
    }

    /// Waits until a shutdown has ended, whichever handle began it.
    pub async fn stopped(&self) -> ShutdownReport {
        let mut report = ShutdownReport::default();
        for shared in self.shards.all() {
            report.add(&shared.ended().await);
        }
        report
    }

    /// Returns the holds of the lock since the last call, by their length: those in the nth place lasted less than 2ⁿ
    /// µs, and no less than half of that.
    #[cfg(feature = "sim")]
    #[doc(hidden)]
    pub fn lock_holds(&self) -> [u64; 32] {
        let mut sums = [0; 32];
        for shared in self.shards.all() {
            sums.iter_mut().zip(shared.holds.take()).for_each(|(sum, holds)| *sum += holds);
        }
        sums
    }

    /// Returns the number of waiting callers and subscriptions for which memory is held.
    #[cfg(feature = "sim")]
    #[doc(hidden)]
    pub fn waiters(&self) -> usize {
        self.shards.all().map(|shared| shared.notifications.waiters.len()).sum()
    }

    /// Returns what the journal held at the start; none without a journal.
    #[cfg(feature = "durable")]
    pub fn recovery(&self) -> Option<&super::recovery::Recovery> {
        self.shards.recovery.as_ref()
    }

    /// Returns the time by the engine's clock.
    pub fn now(&self) -> Timestamp {
        self.shards.first().now()
    }

    /// Returns the wall-clock time, by [`Clock::wall`](super::Clock::wall): for comparison with times that other
    /// systems have set, such as that of a signature.
    pub fn wall(&self) -> Timestamp {
        self.shards.first().clock.wall()
    }

    /// Returns the configuration, with the seed that is in use.
    pub fn config(&self) -> &Config {
        &self.shards.config
    }

    /// Returns the number of shards among which keys are divided: one, unless the engine was set up with
    /// [`Eventful::cluster`].
    pub fn shards(&self) -> ShardCount {
        self.shards.count()
    }

    /// Returns the shard of a key.
    pub fn shard_of(&self, key: &Key) -> Shard {
        self.shards.count().shard_of(key)
    }
}

impl fmt::Debug for Eventful {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Eventful").field("config", self.config()).finish_non_exhaustive()
    }
}
