//! The settings of a node.

use core::time::Duration;

use crate::database::Database;
use crate::node_id::NodeId;
use crate::store::LEASE;

/// The settings of a node of a cluster.
#[derive(Debug, Clone)]
pub struct MemberConfig {
    pub(super) database: Database,
    pub(super) node: NodeId,
    pub(super) url: String,
    pub(super) takes_one_copy: bool,
    pub(super) lease: Duration,
}

impl MemberConfig {
    /// A node with this identity, which others reach at this URL.
    ///
    /// A server without a synchronous standby is refused, unless [`one_copy`](Self::one_copy) is called.
    pub fn new(database: Database, node: NodeId, url: impl Into<String>) -> Self {
        Self { database, node, url: url.into(), takes_one_copy: false, lease: LEASE }
    }

    /// See [`PostgresStore::one_copy`](crate::PostgresStore::one_copy).
    #[must_use]
    pub const fn one_copy(mut self) -> Self {
        self.takes_one_copy = true;
        self
    }

    /// Sets the time after which a node that shows no life is dead: 5 s unless this is called. All nodes must have the same.
    #[must_use]
    pub const fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }
}
