//! Journals of several engines.

use std::boxed::Box;
use std::vec::Vec;

use super::error::OpenError;
use super::store::JournalStore;
use crate::engine::{Shard, ShardCount};

/// The journals of all shards.
///
/// A function from the number of a shard to its store is one: `|shard: Shard| MemoryStore::new()`. It must give each shard
/// the same journal at every start.
pub trait ShardStores: Send + 'static {
    /// Returns the store of each shard, in their order.
    ///
    /// # Errors
    ///
    /// [`OpenError`]
    fn stores(self: Box<Self>, shards: ShardCount) -> Result<Vec<Box<dyn JournalStore>>, OpenError>;
}

impl<F, S> ShardStores for F
where
    F: FnMut(Shard) -> S + Send + 'static,
    S: JournalStore,
{
    fn stores(mut self: Box<Self>, shards: ShardCount) -> Result<Vec<Box<dyn JournalStore>>, OpenError> {
        Ok(shards.shards().map(|shard| Box::new((*self)(shard)) as Box<dyn JournalStore>).collect())
    }
}
