//! The owners as a node knows them.

use core::time::Duration;
use std::sync::{Mutex, MutexGuard, PoisonError};

use eventful::engine::Shard;
use tokio::time::Instant;

use crate::link::now;
use crate::membership::{ClusterRows, Membership, NodeRow, ShardRow};
use crate::node_id::NodeId;

/// The nodes and the owners, as one node has read them last.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClusterStatus {
    /// The node that has read them.
    pub node: NodeId,
    /// All nodes that have joined and not left, also dead ones.
    pub nodes: Vec<NodeStatus>,
    /// The owner of each shard, in their order; none while a shard changes hands.
    pub shards: Vec<Option<ShardOwner>>,
    /// The shards that this node serves.
    pub served: Vec<Shard>,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeStatus {
    /// Its identity.
    pub node: NodeId,
    /// The URL at which others reach it.
    pub url: String,
    /// True if it shows life.
    pub is_alive: bool,
    /// True if it gives up its shards.
    pub is_leaving: bool,
}

/// The owner of a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShardOwner {
    /// Its identity.
    pub node: NodeId,
    /// The URL at which others reach it.
    pub url: String,
    /// The number of the opening, which rises with each.
    pub term: i64,
}

impl NodeStatus {
    pub(super) fn new(row: &NodeRow, is_alive: bool) -> Self {
        let NodeRow { node, url, is_leaving, .. } = row.clone();
        Self { node, url, is_alive, is_leaving }
    }
}

impl ShardOwner {
    pub(super) fn of(row: &ShardRow) -> Option<Self> {
        let (node, url) = row.owner.clone().zip(row.url.clone())?;
        Some(Self { node, url, term: row.term })
    }
}

/// The part of the membership that other tasks read.
#[derive(Debug)]
pub(super) struct SharedStatus {
    node: NodeId,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    rows: ClusterRows,
    dead: Vec<NodeId>,
    served: Vec<Shard>,
    until: Option<Instant>,
}

impl SharedStatus {
    pub(super) fn new(node: NodeId) -> Self {
        Self { node, known: Mutex::default() }
    }

    /// Takes in what the membership knows. Its time began at `start`.
    pub(super) fn note(&self, start: Instant, now: Duration, member: &Membership) {
        let rows = member.rows();
        let dead = rows.nodes.iter().map(|row| &row.node).filter(|node| member.is_dead(node)).cloned().collect();
        let numbers = 0..u16::try_from(rows.shards.len()).unwrap_or(u16::MAX);
        let served = numbers.filter(|shard| member.serves(now, *shard)).map(Shard::new).collect();
        let until = Some(start + member.serves_until());
        *self.known() = Known { rows: rows.clone(), dead, served, until };
    }

    pub(super) fn serves(&self, shard: Shard) -> bool {
        let known = self.known();
        known.served.contains(&shard) && known.until.is_some_and(|until| now() < until)
    }

    pub(super) fn read(&self) -> ClusterStatus {
        let known = self.known();
        let lasts = known.until.is_some_and(|until| now() < until);
        let nodes = known.rows.nodes.iter().map(|row| NodeStatus::new(row, !known.dead.contains(&row.node)));
        ClusterStatus {
            node: self.node.clone(),
            nodes: nodes.collect(),
            shards: known.rows.shards.iter().map(ShardOwner::of).collect(),
            served: if lasts { known.served.clone() } else { Vec::new() },
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
