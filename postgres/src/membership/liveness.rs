//! The nodes that live, as one of them sees it.

use core::time::Duration;
use std::collections::BTreeMap;

use super::rows::NodeRow;
use crate::node_id::NodeId;

/// Beats that a node must show before shards are moved to it, at first and at most. A node that comes and goes must show
/// twice as many after each time that it was taken for dead.
const FIRST_BEATS: u32 = 2;
const MOST_BEATS: u32 = 16;

/// The beats that one node has seen of the others.
#[derive(Debug, Default)]
pub(super) struct Liveness(BTreeMap<NodeId, SeenNode>);

/// A node as another one has seen it.
#[derive(Debug)]
struct SeenNode {
    beat: i64,
    /// The time at which the beat was first seen: it was committed before.
    since: Duration,
    is_leaving: bool,
    /// Beats since it was seen for the first time, or came back.
    beats: u32,
    /// Beats that it must show.
    needed: u32,
    is_dead: bool,
}

impl Liveness {
    /// Takes in the rows of all nodes, which were read until `now`.
    pub(super) fn see(&mut self, now: Duration, lease: Duration, rows: &[NodeRow]) {
        self.0.retain(|node, _| rows.iter().any(|row| row.node == *node));
        for NodeRow { node, beat, is_leaving, .. } in rows {
            let seen = self.0.entry(node.clone()).or_insert(SeenNode {
                beat: *beat,
                since: now,
                is_leaving: *is_leaving,
                beats: 0,
                needed: FIRST_BEATS,
                is_dead: false,
            });
            seen.is_leaving = *is_leaving;
            if seen.beat != *beat {
                (seen.beat, seen.since, seen.is_dead) = (*beat, now, false);
                seen.beats = seen.beats.saturating_add(1);
            } else if now >= seen.since + lease && !seen.is_dead {
                (seen.is_dead, seen.beats) = (true, 0);
                seen.needed = (2 * seen.needed).min(MOST_BEATS);
            }
        }
    }

    /// Returns the beat with which a node died, if it is dead: its beat has not changed for a lease.
    pub(super) fn dead_since_beat(&self, node: &NodeId) -> Option<i64> {
        self.0.get(node).filter(|seen| seen.is_dead).map(|seen| seen.beat)
    }

    /// Returns whether a node may have shards: it lives and stays, and has shown enough beats, or owns some already.
    pub(super) fn may_have_shards(&self, node: &NodeId, owns_any: bool) -> bool {
        self.0
            .get(node)
            .is_some_and(|seen| !seen.is_dead && !seen.is_leaving && (owns_any || seen.beats >= seen.needed))
    }

    /// Returns the next time at which one of these nodes is dead, unless it beats.
    pub(super) fn next_death<'n>(&self, lease: Duration, nodes: impl Iterator<Item = &'n NodeId>) -> Option<Duration> {
        nodes.filter_map(|node| self.0.get(node)).filter(|seen| !seen.is_dead).map(|seen| seen.since + lease).min()
    }
}
