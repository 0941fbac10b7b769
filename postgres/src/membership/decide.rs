//! The steps that are taken with the shards.

use core::time::Duration;
use std::collections::BTreeSet;

use super::placement::{fit, place};
use super::{DeadOwner, HandedShard, Holding, MemberAction, Membership};
use crate::node_id::NodeId;

/// Shards that are opened at the same time: a replay keeps a core busy, and runs beside the work of other shards.
const OPENINGS: usize = 4;

/// Leases after which a shard that its node does not take falls to the next one.
const PATIENCE: u32 = 2;

/// Leases for which such a shard is kept, and for which a node that did not take one is offered no other.
const HOLD_OFF: u32 = 12;

impl Membership {
    /// Returns what is to be done now. Each action is returned once.
    pub(crate) fn decide(&mut self, now: Duration) -> Vec<MemberAction> {
        let mut actions = Vec::new();
        self.end_lost(now, &mut actions);
        if !self.own.lasts(now) {
            return actions;
        }
        self.follow_handed(now);
        let nodes = self.candidates();
        let owners: Vec<_> = self.rows.shards.iter().map(|row| row.owner.as_ref()).collect();
        let places = place(&nodes.iter().collect::<Vec<_>>(), &owners);
        let places: Vec<Option<NodeId>> = places.into_iter().map(Option::<&NodeId>::cloned).collect();
        self.give_up(now, &places, &mut actions);
        self.hand_over(now, &places, nodes.is_empty(), &mut actions);
        if !self.is_leaving {
            self.open(now, &nodes, &places, &mut actions);
        }
        self.is_awaiting = self.awaits(&places);
        self.own.hurry(self.next_read(now));
        actions
    }

    /// Returns whether a shard falls to this node that has a living owner.
    fn awaits(&self, places: &[Option<NodeId>]) -> bool {
        let is_others = |owner: &NodeId| *owner != self.node && self.liveness.dead_since_beat(owner).is_none();
        let rows = self.rows.shards.iter().zip(places);
        rows.filter(|(_, place)| place.as_ref() == Some(&self.node))
            .any(|(row, _)| row.owner.as_ref().is_some_and(is_others))
    }

    /// Ends what this node may serve no more.
    fn end_lost(&mut self, now: Duration, actions: &mut Vec<MemberAction>) {
        let lasts = self.own.lasts(now);
        for (shard, held) in (0..).zip(&mut self.shards) {
            let (Holding::Own { term } | Holding::HandingOver { term }) = held.holding else { continue };
            let row = self.rows.shards.get(usize::from(shard)).filter(|_| self.read_at >= held.changed_at);
            // One that is handed over is given up before that is reported.
            let is_own = matches!(held.holding, Holding::Own { .. });
            let is_lost = row.is_some_and(|row| row.term != term || row.owner.as_ref() != Some(&self.node));
            if !lasts || is_own && is_lost {
                (held.holding, held.changed_at) = (Holding::Ending, now);
                actions.push(MemberAction::Abandon { shard });
            }
        }
    }

    /// The nodes among which shards are divided, in their order.
    fn candidates(&self) -> Vec<NodeId> {
        let owners: BTreeSet<_> = self.rows.shards.iter().filter_map(|row| row.owner.as_ref()).collect();
        let may_have = |node: &NodeId| match *node == self.node {
            true => !self.is_leaving && (self.own.is_acquainted() || owners.contains(node)),
            false => self.liveness.may_have_shards(node, owners.contains(node)),
        };
        let mut nodes: Vec<_> = self.rows.nodes.iter().map(|row| row.node.clone()).filter(may_have).collect();
        nodes.sort();
        nodes
    }

    /// Returns the shards whose state here is older than what was read about them.
    fn is_known(&self, shard: u16) -> bool {
        self.shards.get(usize::from(shard)).is_some_and(|held| self.read_at >= held.changed_at)
    }

    /// Waits for the node that a shard was handed to, for some leases at most.
    fn follow_handed(&mut self, now: Duration) {
        let Some(HandedShard { shard, to, at }) = &self.handed else { return };
        let Some(held) = self.shards.get(usize::from(*shard)) else { return };
        if matches!(held.holding, Holding::HandingOver { .. } | Holding::Ending) {
            return;
        }
        let row = self.rows.shards.get(usize::from(*shard)).filter(|_| self.is_known(*shard));
        if row.is_some_and(|row| row.owner.is_some()) {
            self.handed = None;
        } else if now >= *at + self.timing.lease * PATIENCE {
            if let Some(to) = to {
                self.shunned.insert(to.clone(), now + self.timing.lease * HOLD_OFF);
            }
            self.handed = None;
        }
    }

    /// Gives up shards that this node owns by the table, and has not open: of the process before, or closed in vain.
    fn give_up(&mut self, now: Duration, places: &[Option<NodeId>], actions: &mut Vec<MemberAction>) {
        for (shard, (row, place)) in (0..).zip(self.rows.shards.iter().zip(places)) {
            let is_own = row.owner.as_ref() == Some(&self.node) && self.is_known(shard);
            let Some(held) = self.shards.get_mut(usize::from(shard)) else { continue };
            let falls_to_another = place.as_ref().is_some_and(|place| *place != self.node);
            if is_own && held.holding == Holding::Elsewhere && (falls_to_another || self.is_leaving) {
                held.changed_at = now;
                actions.push(MemberAction::GiveUp { shard, term: row.term });
            }
        }
    }

    /// Hands the next shard over that falls to another node; all at once when there is no node to wait for.
    fn hand_over(&mut self, now: Duration, places: &[Option<NodeId>], is_last: bool, actions: &mut Vec<MemberAction>) {
        for (shard, place) in (0..).zip(places) {
            if self.handed.is_some() {
                return;
            }
            let is_known = self.is_known(shard);
            let is_shunned = |node: &NodeId| self.shunned.get(node).is_some_and(|until| now < *until);
            let falls_to_another = place.as_ref().is_some_and(|place| *place != self.node && !is_shunned(place));
            let Some(held) = self.shards.get_mut(usize::from(shard)) else { continue };
            let Holding::Own { term } = held.holding else { continue };
            let is_given = falls_to_another && is_known && now >= held.kept_until;
            // Others must know before the first one that this node takes none back.
            let is_left = is_last || self.own.is_departure_known(now, self.timing);
            if !if self.is_leaving { is_left } else { is_given } {
                continue;
            }
            (held.holding, held.changed_at) = (Holding::HandingOver { term }, now);
            actions.push(MemberAction::HandOver { shard });
            if !is_last {
                self.handed = Some(HandedShard { shard, to: place.clone(), at: now });
            }
        }
    }

    /// Opens the shards that fall to this node, and have no living owner.
    fn open(&mut self, now: Duration, nodes: &[NodeId], places: &[Option<NodeId>], actions: &mut Vec<MemberAction>) {
        let opening = self.shards.iter().filter(|held| held.holding == Holding::Opening).count();
        let mut left = OPENINGS.saturating_sub(opening);
        for (shard, place) in (0..).zip(places) {
            let is_placed = place.as_ref() == Some(&self.node);
            let is_rescued = !is_placed && self.is_forsaken(now, shard, nodes, place.as_ref());
            if left == 0 || !self.is_known(shard) || !is_placed && !is_rescued {
                continue;
            }
            let Some(dead) = self.claim(shard) else { continue };
            let Some(held) = self.shards.get_mut(usize::from(shard)) else { continue };
            if held.holding != Holding::Elsewhere || now < held.retry_at {
                continue;
            }
            (held.holding, held.changed_at) = (Holding::Opening, now);
            if is_rescued {
                held.kept_until = now + self.timing.lease * HOLD_OFF;
            }
            actions.push(MemberAction::Open { shard, dead });
            left -= 1;
        }
    }

    /// Returns how a shard can be taken: from the owner that is dead, or from none; nothing while its owner lives.
    fn claim(&self, shard: u16) -> Option<Option<DeadOwner>> {
        match &self.rows.shards.get(usize::from(shard))?.owner {
            None => Some(None),
            Some(owner) if *owner == self.node => Some(None),
            Some(owner) => {
                let beat = self.liveness.dead_since_beat(owner)?;
                Some(Some(DeadOwner { node: owner.clone(), beat }))
            }
        }
    }

    /// Returns whether a shard has waited in vain for the node to which it falls, and for all that fit it better than this.
    fn is_forsaken(&self, now: Duration, shard: u16, nodes: &[NodeId], place: Option<&NodeId>) -> bool {
        let own = fit(&self.node, shard);
        let before = nodes.iter().filter(|node| Some(*node) != place && fit(node, shard) > own).count();
        let turns = u32::try_from(before + 1).unwrap_or(u32::MAX);
        let since = self.shards.get(usize::from(shard)).and_then(|held| held.unowned_since);
        let is_candidate = nodes.contains(&self.node);
        is_candidate && since.is_some_and(|since| now >= since + self.timing.lease * PATIENCE.saturating_mul(turns))
    }

    /// Returns the time of the next read: soon while a shard is about to change hands.
    pub(super) fn next_read(&self, now: Duration) -> Duration {
        let is_near = self.handed.is_some() || self.is_awaiting;
        let owners = self.rows.shards.iter().filter_map(|row| row.owner.as_ref());
        let others = owners.filter(|owner| **owner != self.node);
        let death = self.liveness.next_death(self.timing.lease, others).unwrap_or(Duration::MAX);
        let soon = if is_near { now + self.timing.hurry } else { Duration::MAX };
        soon.min(death.max(now + self.timing.hurry))
    }
}
