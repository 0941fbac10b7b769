//! The engines among which a handle divides keys: one, or several.

use core::time::Duration;
use std::sync::Arc;
use std::vec::Vec;

#[cfg(feature = "durable")]
use super::recovery::Recovery;
use super::shared::Shared;
use crate::engine::{Config, Cursor, Key, Shard, ShardCount};

/// The engines that all handles hold and no task does: dropped with the last handle, this ends them.
pub(super) struct Shards {
    first: Arc<Shared>,
    /// Those behind the first: apart from it, so that a handle of one engine finds it at once.
    rest: Vec<Arc<Shared>>,
    count: ShardCount,
    /// The configuration of all together.
    pub(super) config: Config,
    #[cfg(feature = "durable")]
    pub(super) recovery: Option<Recovery>,
}

/// A position among the records of all shards.
pub(super) struct ShardCursor<'s> {
    pub(super) shard: Shard,
    pub(super) shared: &'s Arc<Shared>,
    /// The position in this shard.
    pub(super) place: Cursor,
}

impl Shards {
    /// Takes these engines, in the order of their shards. There must be one at least.
    pub(super) fn new(mut engines: Vec<Arc<Shared>>, count: ShardCount, config: Config) -> Self {
        let rest = engines.split_off(1);
        Self {
            first: engines.remove(0),
            rest,
            count,
            config,
            #[cfg(feature = "durable")]
            recovery: None,
        }
    }

    /// Keeps what the journals held at the start.
    #[cfg(feature = "durable")]
    pub(super) fn recovered(mut self, recovery: Option<Recovery>) -> Self {
        self.recovery = recovery;
        self
    }

    pub(super) const fn count(&self) -> ShardCount {
        self.count
    }

    pub(super) const fn first(&self) -> &Arc<Shared> {
        &self.first
    }

    /// Returns all engines, in the order of their shards.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Shared>> {
        core::iter::once(&self.first).chain(&self.rest)
    }

    /// Returns the engine of a key.
    pub(super) fn of(&self, key: &Key) -> &Arc<Shared> {
        // One shard has all keys, which need no hash to find it.
        if self.rest.is_empty() {
            return &self.first;
        }
        // The shard of a key is below their number, so the first one never stands in.
        self.get(self.count.shard_of(key)).unwrap_or(&self.first)
    }

    /// Returns the engine in which a position among the records of all is; none behind the last one.
    pub(super) fn at(&self, cursor: Cursor) -> Option<ShardCursor<'_>> {
        if self.rest.is_empty() {
            return Some(ShardCursor { shard: Shard::default(), shared: &self.first, place: cursor });
        }
        let (shard, place) = cursor.shard();
        Some(ShardCursor { shard, shared: self.get(shard)?, place })
    }

    /// Returns the engine of a shard.
    pub(super) fn get(&self, shard: Shard) -> Option<&Arc<Shared>> {
        match shard.number() {
            0 => Some(&self.first),
            number => self.rest.get(usize::from(number) - 1),
        }
    }
}

impl ShardCursor<'_> {
    /// Returns where to continue among the records of all shards: at `next` in this one, or with the one behind it.
    pub(super) fn next(&self, shards: &Shards, next: Option<Cursor>) -> Option<Cursor> {
        match next {
            Some(place) if shards.rest.is_empty() => Some(place),
            Some(place) => Some(place.in_shard(self.shard)),
            None => {
                let behind = Shard::new(self.shard.number() + 1);
                shards.get(behind).map(|_| Cursor::START.in_shard(behind))
            }
        }
    }
}

impl Drop for Shards {
    fn drop(&mut self) {
        self.all().for_each(|shared| shared.ask_to_end(Duration::ZERO));
    }
}
