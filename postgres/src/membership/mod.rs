//! The shards that a node owns: decided without clock, connection or task, by each node for itself.
//!
//! The database orders what nodes do: a shard's row has a term and an owner, a node's row a beat that it raises each second. No
//! two clocks are compared, and no node leads. Three rules keep two nodes from serving one shard at a time:
//!
//! 1. A node serves until `lease` − `margin` after it *sent* the last beat that was confirmed, with its shards read after that.
//! 2. A node takes the shards of another only after it has seen that one's beat unchanged for `lease`, and the fence, which
//!    locks the row of the dead node, refuses if the beat has changed since.
//! 3. A node that reads another owner, or another term, in the row of its shard ends its engine of that shard at once.
//!
//! The time of all methods is that since the start of the process. A driver asks for the next [`Round`], runs its statements,
//! reports with [`end`](Membership::end); after each report, and at [`wake_at`](Membership::wake_at), it asks
//! for what is to be done with [`decide`](Membership::decide), does it, and reports that too.
//!
//! **A shard, as a node sees it.**
//!
//! | state | meaning | left |
//! |---|---|---|
//! | elsewhere | another node serves it, or none does | when it falls to this node, and its owner has given it up or is dead: *opening* |
//! | opening | the fence, and the replay of its journal | opened: *own*; refused: *elsewhere*, with a pause that grows with each failure |
//! | own | this node serves it while its lease lasts | it falls to another node: *handing over*; the lease has ended, or the row has another owner: *ending* |
//! | handing over | takes no more events, and lets its runs end | closed: *elsewhere*; the lease has ended: *ending* |
//! | ending | its runs are aborted | closed: *elsewhere* |
//!
//! | file | topic |
//! |---|---|
//! | `timing` | the times that all nodes share |
//! | `rows` | what the database says |
//! | `liveness` | which nodes live |
//! | `placement` | the division of shards among nodes |
//! | `lease` | the beats of this node, and until when it may serve |
//! | `decide` | what is to be done |

mod decide;
mod lease;
mod liveness;
mod placement;
mod rows;
mod timing;

use core::time::Duration;
use std::collections::BTreeMap;

pub(crate) use lease::{NodeBeat, Round, RoundEnd};
pub(crate) use rows::{ClusterRows, NodeRow, ShardRow};
pub(crate) use timing::Timing;

use crate::node_id::NodeId;
use lease::OwnLease;
use liveness::Liveness;

/// Decides for one node which shards it opens and closes.
#[derive(Debug)]
pub(crate) struct Membership {
    node: NodeId,
    timing: Timing,
    own: OwnLease,
    liveness: Liveness,
    rows: ClusterRows,
    /// The time at which the round began that has read the rows.
    read_at: Duration,
    shards: Vec<HeldShard>,
    is_leaving: bool,
    /// True if a shard falls to this node that another one has.
    is_awaiting: bool,
    /// The shard that was handed over last, until its new owner is there.
    handed: Option<HandedShard>,
    /// Nodes that did not take what was handed to them, and until when they get nothing more from this one.
    shunned: BTreeMap<NodeId, Duration>,
}

/// One shard, as this node sees it.
#[derive(Debug, Default)]
struct HeldShard {
    holding: Holding,
    /// The time of the last change. What was read in a round that began before says nothing about it.
    changed_at: Duration,
    /// The time since when it was seen without a living owner.
    unowned_since: Option<Duration>,
    /// The time until which it is kept, though it falls to another node.
    kept_until: Duration,
    /// The time before which it is not opened again, and the failures that led to it.
    retry_at: Duration,
    failures: u32,
}

/// The state of a shard: see the table of the module.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Holding {
    #[default]
    Elsewhere,
    Opening,
    Own {
        term: i64,
    },
    HandingOver {
        term: i64,
    },
    Ending,
}

#[derive(Debug)]
struct HandedShard {
    shard: u16,
    to: Option<NodeId>,
    at: Duration,
}

/// A step that the driver takes with a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MemberAction {
    /// Open it: fence its owner, who gave it up or is the dead one, and replay its journal. Report with
    /// [`opened`](Membership::opened).
    Open { shard: u16, dead: Option<DeadOwner> },
    /// Take no more events, let the runs end for some seconds, and close it. Report with [`closed`](Membership::closed).
    HandOver { shard: u16 },
    /// Serve it no more from this moment, abort its runs, and close it. Report with [`closed`](Membership::closed).
    Abandon { shard: u16 },
    /// Give up the ownership of a shard that is not open here, if it has this term.
    GiveUp { shard: u16, term: i64 },
}

/// An owner that is dead as long as its beat stays this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeadOwner {
    pub(crate) node: NodeId,
    pub(crate) beat: i64,
}

/// The end of an opening that did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotOpened {
    /// Another node was faster, or its owner lives.
    InUse,
    /// Something else: it may be damaged, or the database is not reached.
    Failed,
}

/// The longest pause between two tries to open a shard, in beats.
const LONGEST_PAUSE: u32 = 32;

impl Membership {
    /// A node that has not joined yet, of a cluster with so many shards.
    pub(crate) fn new(node: NodeId, shards: u16, timing: Timing) -> Self {
        Self {
            node,
            timing,
            own: OwnLease::default(),
            liveness: Liveness::default(),
            rows: ClusterRows::default(),
            read_at: Duration::ZERO,
            shards: (0..shards).map(|_| HeldShard::default()).collect(),
            is_leaving: false,
            is_awaiting: false,
            handed: None,
            shunned: BTreeMap::new(),
        }
    }

    /// Returns the next statements, if it is time for them. One round ends before the next one begins.
    pub(crate) fn begin(&mut self, now: Duration) -> Option<Round> {
        self.own.begin(now, self.timing, self.is_leaving)
    }

    /// Reports the end of a round.
    pub(crate) fn end(&mut self, now: Duration, round: Round, end: RoundEnd) {
        let begun_at = round.begun_at;
        if let Some(rows) = self.own.end(now, self.timing, round, end) {
            self.liveness.see(now, self.timing.lease, &rows.nodes);
            (self.rows, self.read_at) = (rows, begun_at);
            self.note_unowned(now);
        }
        self.own.hurry(self.next_read(now));
    }

    /// Reports the end of an opening.
    pub(crate) fn opened(&mut self, now: Duration, shard: u16, opened: Result<i64, NotOpened>) {
        let beat = self.timing.beat;
        let Some(held) = self.shards.get_mut(usize::from(shard)) else { return };
        held.changed_at = now;
        match opened {
            Ok(term) => (held.holding, held.failures, held.unowned_since) = (Holding::Own { term }, 0, None),
            Err(NotOpened::InUse) => held.holding = Holding::Elsewhere,
            Err(NotOpened::Failed) => {
                held.retry_at = now + beat * (1 << held.failures.min(LONGEST_PAUSE.ilog2()));
                (held.holding, held.failures) = (Holding::Elsewhere, held.failures + 1);
            }
        }
    }

    /// Reports the term with which this node has fenced a shard last: an engine may open its journal again by itself.
    pub(crate) fn fenced_again(&mut self, now: Duration, shard: u16, fenced: i64) {
        let Some(held) = self.shards.get_mut(usize::from(shard)) else { return };
        if let Holding::Own { term } | Holding::HandingOver { term } = &mut held.holding
            && *term < fenced
        {
            (*term, held.changed_at) = (fenced, now);
        }
    }

    /// Reports that a shard is closed, and its engine gone.
    pub(crate) fn closed(&mut self, now: Duration, shard: u16) {
        if let Some(held) = self.shards.get_mut(usize::from(shard)) {
            (held.holding, held.changed_at) = (Holding::Elsewhere, now);
        }
    }

    /// Gives up all shards, one after the other while there are nodes to take them.
    pub(crate) fn leave(&mut self, now: Duration) {
        self.is_leaving = true;
        self.own.beat_soon(now);
    }

    /// Returns whether nothing is left here after [`leave`](Self::leave).
    pub(crate) fn has_left(&self) -> bool {
        self.is_leaving && self.shards.iter().all(|held| held.holding == Holding::Elsewhere)
    }

    /// Returns whether another process has the identity of this node: then it gives up everything, and must end.
    pub(crate) const fn is_superseded(&self) -> bool {
        self.own.is_superseded()
    }

    /// Returns whether this node serves a shard at this time: whether what it reads from its engine is what is true.
    pub(crate) fn serves(&self, now: Duration, shard: u16) -> bool {
        let held = self.shards.get(usize::from(shard));
        self.own.lasts(now) && held.is_some_and(|held| matches!(held.holding, Holding::Own { .. }))
    }

    /// Returns the time until which this node may serve what it owns, unless a beat is confirmed before.
    pub(crate) const fn serves_until(&self) -> Duration {
        self.own.until()
    }

    /// Returns whether a node is dead: its beat has not changed for a lease.
    pub(crate) fn is_dead(&self, node: &NodeId) -> bool {
        self.liveness.dead_since_beat(node).is_some()
    }

    /// Returns the highest beat that this node has sent; none before it has joined.
    pub(crate) const fn beat(&self) -> Option<i64> {
        self.own.sent()
    }

    /// Returns what was read last.
    pub(crate) const fn rows(&self) -> &ClusterRows {
        &self.rows
    }

    /// Returns the next time at which [`begin`](Self::begin) or [`decide`](Self::decide) has something new.
    pub(crate) fn wake_at(&self) -> Duration {
        let serves =
            self.shards.iter().any(|held| matches!(held.holding, Holding::Own { .. } | Holding::HandingOver { .. }));
        let end = self.own.until();
        if serves { self.own.next_at().min(end) } else { self.own.next_at() }
    }

    /// Notes which shards have no living owner.
    fn note_unowned(&mut self, now: Duration) {
        for (held, row) in self.shards.iter_mut().zip(&self.rows.shards) {
            let is_dead = |owner| self.liveness.dead_since_beat(owner).is_some();
            let is_owned = row.owner.as_ref().is_some_and(|owner| !is_dead(owner));
            held.unowned_since = if is_owned { None } else { held.unowned_since.or(Some(now)) };
        }
    }
}
