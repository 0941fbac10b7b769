//! A node that has joined.

use core::fmt;
use std::sync::Arc;

use eventful::engine::Shard;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::config::MemberConfig;
use super::driver::{Driver, Left};
use super::host::ShardHost;
use super::status::{ClusterStatus, SharedStatus};
use crate::schema::{self, SchemaError};

/// A node of a cluster that has joined. Dropping it ends its task, and nothing is given up: others take its shards after a
/// lease, as if it had been killed. Call [`leave`](Self::leave) instead.
pub struct ClusterNode {
    status: Arc<SharedStatus>,
    leaving: Arc<Notify>,
    task: JoinHandle<Left>,
}

impl ClusterNode {
    /// Checks the schema and begins to join, on the current tokio runtime. The first shards are opened when this node has seen
    /// for some beats which others live.
    ///
    /// # Errors
    ///
    /// [`SchemaError`]
    pub async fn join(config: MemberConfig, host: impl ShardHost) -> Result<Self, SchemaError> {
        let checked = schema::check(&config.database).await?;
        let status = Arc::new(SharedStatus::new(config.node.clone()));
        let leaving = Arc::new(Notify::new());
        let driver = Driver::new(config, checked.shards.unsigned_abs(), Arc::new(host), Arc::clone(&status));
        let task = tokio::spawn(driver.drive(Arc::clone(&leaving)));
        Ok(Self { status, leaving, task })
    }

    /// Returns whether this node serves a shard at this moment. What was read from its engine before is true if this holds
    /// after it was read.
    pub fn serves(&self, shard: Shard) -> bool {
        self.status.serves(shard)
    }

    /// Returns the nodes and the owners, as this node has read them last.
    pub fn status(&self) -> ClusterStatus {
        self.status.read()
    }

    /// Gives up all shards, one after the other while there are nodes to take them, and leaves.
    pub async fn leave(self) -> Left {
        self.leaving.notify_one();
        self.ended().await
    }

    /// Returns when another process has its identity.
    pub async fn ended(mut self) -> Left {
        match (&mut self.task).await {
            Ok(left) => left,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The runtime is gone.
            Err(_) => Left::Superseded,
        }
    }
}

impl Drop for ClusterNode {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for ClusterNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterNode").field("status", &self.status.read()).finish_non_exhaustive()
    }
}
