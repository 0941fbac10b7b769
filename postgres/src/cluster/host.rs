//! The engines of a node.

use core::future::Future;
use core::pin::Pin;
use core::time::Duration;

use eventful::engine::Shard;

use crate::store::PostgresStore;

/// A future of a [`ShardHost`].
pub type HostFuture<'h, T> = Pin<Box<dyn Future<Output = T> + Send + 'h>>;

/// The engines of a node: opened and closed as shards move.
pub trait ShardHost: Send + Sync + 'static {
    /// Opens the engine of a shard with this journal, and serves it.
    ///
    /// # Errors
    ///
    /// The reason for which it was not opened, for the log. It is tried again.
    fn open(&self, store: PostgresStore) -> HostFuture<'_, Result<(), String>>;

    /// Serves a shard no more from this call on, lets its runs end for so long at most, and closes its journal. May be
    /// called again with a shorter time while it waits.
    fn close(&self, shard: Shard, within: Duration) -> HostFuture<'_, ()>;
}
