//! The journals of several engines in one database.

use core::time::Duration;

use eventful::engine::ShardCount;
use eventful::journal::{JournalStore, OpenError, Shard, ShardStores};

use crate::database::Database;
use crate::node_id::NodeId;
use crate::settings::CurrentGuarantee;
use crate::store::PostgresStore;

/// The journals of all shards of a schema, each with a connection of its own.
///
/// ```no_run
/// use eventful::cluster::ClusterConfig;
/// use eventful::{Durability, Eventful};
/// use eventful_postgres::PostgresShards;
///
/// let database = "postgresql://app@db.example/orders?sslmode=require".parse()?;
/// let node = "72d3162e-cc78-11e3-81ab-4c9367dc0958".parse()?;
/// let journals = PostgresShards::new(database, node);
/// let builder = Eventful::cluster(ClusterConfig::new(16).journals(journals, Durability::default()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A number of shards that is not the schema's is refused ([`OpenError::OtherShards`]).
#[derive(Debug, Clone)]
pub struct PostgresShards {
    /// The store of the first shard, with the settings of all.
    first: PostgresStore,
}

impl PostgresShards {
    /// The journals in this database, for this node. The schema must be there: [`init`](crate::init) makes it.
    ///
    /// A server without a synchronous standby is refused, unless [`one_copy`](Self::one_copy) is called.
    pub fn new(database: Database, node: NodeId) -> Self {
        Self { first: PostgresStore::new(database, Shard::default(), node) }
    }

    /// See [`PostgresStore::one_copy`].
    #[must_use]
    pub fn one_copy(self) -> Self {
        Self { first: self.first.one_copy() }
    }

    /// See [`PostgresStore::lease`].
    #[must_use]
    pub fn lease(self, lease: Duration) -> Self {
        Self { first: self.first.lease(lease) }
    }

    /// Returns what the server promises, kept up to date by each shard.
    pub fn guarantee(&self) -> CurrentGuarantee {
        self.first.guarantee()
    }
}

impl ShardStores for PostgresShards {
    fn stores(self: Box<Self>, shards: ShardCount) -> Result<Vec<Box<dyn JournalStore>>, OpenError> {
        let store = |shard| Box::new(self.first.clone().of(shard, shards)) as Box<dyn JournalStore>;
        Ok(shards.shards().map(store).collect())
    }
}
