//! The model of the database: each statement is done at once, and in one order.

use crate::membership::{ClusterRows, DeadOwner, NodeBeat, NodeRow, NotOpened, ShardRow};
use crate::node_id::NodeId;

/// As in the statement.
const JUMP: i64 = 1_000_000;

#[derive(Debug, Default)]
pub(super) struct ModelDatabase {
    pub(super) rows: ClusterRows,
    /// Changes of owners.
    pub(super) moves: u32,
}

impl ModelDatabase {
    pub(super) fn new(shards: u16) -> Self {
        let free = ShardRow { term: 0, owner: None, url: None };
        Self { rows: ClusterRows { nodes: Vec::new(), shards: vec![free; usize::from(shards)] }, moves: 0 }
    }

    /// Returns the beat of the row; none when it is another process's. `start` is the first beat of a new row.
    pub(super) fn beat(&mut self, node: &NodeId, beat: NodeBeat, start: i64) -> Option<i64> {
        let row = self.rows.nodes.iter_mut().find(|row| row.node == *node);
        match (beat, row) {
            (NodeBeat::Join, Some(row)) => {
                (row.beat, row.is_leaving) = ((row.beat + JUMP).max(start), false);
                Some(row.beat)
            }
            (NodeBeat::Join, None) => {
                let (node, url) = (node.clone(), String::new());
                self.rows.nodes.push(NodeRow { node, url, beat: start, is_leaving: false });
                Some(start)
            }
            (NodeBeat::Raise { to, is_leaving }, Some(row)) if row.beat < to => {
                (row.beat, row.is_leaving) = (to, is_leaving);
                Some(row.beat)
            }
            (NodeBeat::Raise { .. }, _) => None,
        }
    }

    pub(super) fn fence(&mut self, node: &NodeId, shard: u16, dead: Option<&DeadOwner>) -> Result<i64, NotOpened> {
        let is_dead = |owner: &NodeId| {
            let beat = self.rows.nodes.iter().find(|row| row.node == *owner).map(|row| row.beat);
            dead.is_some_and(|dead| dead.node == *owner && Some(dead.beat) == beat)
        };
        let row = &self.rows.shards[usize::from(shard)];
        let has_joined = self.rows.nodes.iter().any(|row| row.node == *node);
        if !has_joined || row.owner.as_ref().is_some_and(|owner| owner != node && !is_dead(owner)) {
            return Err(NotOpened::InUse);
        }
        let row = &mut self.rows.shards[usize::from(shard)];
        (row.term, row.owner) = (row.term + 1, Some(node.clone()));
        self.moves += 1;
        Ok(row.term)
    }

    pub(super) fn release(&mut self, shard: u16, term: i64) {
        let row = &mut self.rows.shards[usize::from(shard)];
        if row.term == term {
            row.owner = None;
        }
    }

    pub(super) fn leave(&mut self, node: &NodeId) {
        self.rows.nodes.retain(|row| row.node != *node);
        let own = self.rows.shards.iter_mut().filter(|row| row.owner.as_ref() == Some(node));
        own.for_each(|row| row.owner = None);
    }
}
