//! The rows of nodes and shards.

use crate::node_id::NodeId;

/// A node that has joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodeRow {
    pub(crate) node: NodeId,
    pub(crate) url: String,
    pub(crate) beat: i64,
    /// Is about to give up its shards.
    pub(crate) is_leaving: bool,
}

/// A shard, with its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShardRow {
    pub(crate) term: i64,
    pub(crate) owner: Option<NodeId>,
    /// The URL of the owner.
    pub(crate) url: Option<String>,
}

/// All nodes and all shards, as one statement has read them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ClusterRows {
    pub(crate) nodes: Vec<NodeRow>,
    /// In the order of their numbers.
    pub(crate) shards: Vec<ShardRow>,
}
