//! The setup of several engines behind one handle.

use core::fmt;
#[cfg(feature = "durable")]
use std::boxed::Box;

use super::builder::Builder;
#[cfg(feature = "durable")]
use super::durability::{Durability, StoreSource};
use super::handle::Eventful;
#[cfg(feature = "durable")]
use crate::journal::ShardStores;

/// The division of one [`Eventful`] into shards: engines among which keys are divided, each with a lock, a dispatcher and a
/// journal of its own.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use eventful::cluster::ClusterConfig;
/// use eventful::{Attempt, Event, Eventful, Failure};
///
/// let eventful = Eventful::cluster(ClusterConfig::new(4)).start(async |event: Event, _: Attempt| {
///     println!("{}", event.key());
///     Ok::<(), Failure>(())
/// })?;
/// eventful.submit(Event::with_id("order-17", "three apples")?).await?;
/// eventful.wait_idle().await?;
/// assert_eq!(eventful.stats()?.engine.facts.accepted, 1);
/// # eventful.shutdown(None).await;
/// # Ok(())
/// # }
/// ```
///
/// The handle has the methods that it has with one engine. What is about one event goes to the shard of its key. What
/// is about all goes to each shard: numbers are summed ([`Stats::add`](crate::node::Stats::add)), lists and the operator's
/// calls take one shard after the other, and no order is promised between events of different shards.
///
/// The bounds of the [`Config`](crate::engine::Config) are on all shards together, and each gets its part
/// ([`Config::part`](crate::engine::Config::part)). So a shard refuses an event when its own part is used up, which comes
/// sooner than the bound on all if keys are not spread evenly; and of `concurrency` each needs at least 1.
///
/// Run ids are unique within a shard: one that identifies an attempt elsewhere goes with the key of its event.
///
/// The number of shards cannot be changed once there are journals: keys would be looked for in other ones. A start with
/// another number is refused.
pub struct ClusterConfig {
    shards: u16,
    #[cfg(feature = "durable")]
    journals: Option<(Box<dyn ShardStores>, Durability)>,
}

impl ClusterConfig {
    /// So many shards in this process, from 1 to [`ShardCount::MAX`](crate::engine::ShardCount::MAX), without journals.
    pub const fn new(shards: u16) -> Self {
        Self {
            shards,
            #[cfg(feature = "durable")]
            journals: None,
        }
    }

    /// Keeps the facts of each shard in a journal of its own, with these settings; the shards share
    /// [`max_unsynced_bytes`](Durability::max_unsynced_bytes).
    #[cfg(feature = "durable")]
    #[must_use]
    pub fn journals(mut self, stores: impl ShardStores, durability: Durability) -> Self {
        self.journals = Some((Box::new(stores), durability));
        self
    }
}

impl Eventful {
    /// Returns a builder of an engine that is divided into shards.
    pub fn cluster(config: ClusterConfig) -> Builder {
        let mut builder = Builder::new();
        builder.shards = config.shards;
        #[cfg(feature = "durable")]
        if let Some((stores, durability)) = config.journals {
            builder.journal = Some((StoreSource::OfShards(stores), durability));
        }
        builder
    }
}

impl fmt::Debug for ClusterConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterConfig").field("shards", &self.shards).finish_non_exhaustive()
    }
}
