//! The nodes and shards of a database, as one who is no node reads them.

use core::fmt;
use core::time::Duration;
use std::collections::BTreeMap;

use tokio::time::sleep;

use super::roster;
use super::status::{NodeStatus, ShardOwner};
use crate::database::Database;
use crate::link::Link;
use crate::schema::{self, SchemaError};
use crate::statements;

/// The time between two reads: a node beats each second, and one beat may be late.
const BETWEEN: Duration = Duration::from_millis(2500);

/// The time for which the server is waited for.
const ASK_FOR: Duration = Duration::from_secs(20);

/// The nodes and shards of a database. It is shown in words for an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Survey {
    /// All nodes that have joined and not left. One is alive here if it has beaten between the two reads.
    pub nodes: Vec<NodeStatus>,
    /// The owner of each shard, in their order.
    pub shards: Vec<Option<ShardOwner>>,
}

impl Survey {
    /// Reads all nodes and shards twice, some seconds apart, and changes nothing.
    ///
    /// # Errors
    ///
    /// [`SchemaError`]
    pub async fn of(database: &Database) -> Result<Self, SchemaError> {
        schema::check(database).await?;
        let mut link = Link::new(database.clone(), ASK_FOR);
        let before = read(&mut link, database).await?;
        sleep(BETWEEN).await;
        let rows = read(&mut link, database).await?;
        let has_beaten = |row: &crate::membership::NodeRow| {
            let same = before.nodes.iter().find(|before| before.node == row.node);
            same.is_none_or(|before| before.beat != row.beat)
        };
        Ok(Self {
            nodes: rows.nodes.iter().map(|row| NodeStatus::new(row, has_beaten(row))).collect(),
            shards: rows.shards.iter().map(ShardOwner::of).collect(),
        })
    }

    /// Returns whether each shard has an owner that beats.
    pub fn is_whole(&self) -> bool {
        let beats = |owner: &ShardOwner| self.nodes.iter().any(|node| node.node == owner.node && node.is_alive);
        self.shards.iter().all(|owner| owner.as_ref().is_some_and(beats))
    }
}

async fn read(link: &mut Link, database: &Database) -> Result<crate::membership::ClusterRows, SchemaError> {
    let read = link.ask(statements::CLUSTER, &[]).await.and_then(|rows| roster::read(&rows));
    read.map_err(|cause| SchemaError::Server { place: database.to_string(), cause })
}

impl fmt::Display for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers = |holds: &dyn Fn(Option<&ShardOwner>) -> bool| {
            let shards = self.shards.iter().enumerate().filter(|(_, owner)| holds(owner.as_ref()));
            shards.map(|(shard, _)| format!(" {shard}")).collect::<String>()
        };
        for NodeStatus { node, url, is_alive, is_leaving } in &self.nodes {
            let state = match (is_alive, is_leaving) {
                (false, _) => "silent",
                (true, true) => "leaving",
                (true, false) => "beats",
            };
            let owned = numbers(&|owner| owner.is_some_and(|owner| owner.node == *node));
            writeln!(f, "node {node} at {url}: {state}, shards:{owned}")?;
        }
        let outsiders: BTreeMap<_, _> = self.shards.iter().flatten().map(|owner| (&owner.node, &owner.url)).collect();
        for (node, url) in outsiders.into_iter().filter(|(node, _)| self.nodes.iter().all(|of| of.node != **node)) {
            let owned = numbers(&|owner| owner.is_some_and(|owner| owner.node == *node));
            writeln!(f, "{url} (node {node}), which is no member: shards:{owned}")?;
        }
        match numbers(&|owner| owner.is_none()) {
            none if none.is_empty() => Ok(()),
            free => writeln!(f, "shards without an owner:{free}"),
        }
    }
}
