//! One group of events: its policy, the records that it has and where they are, and whether its gate is open.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;

use super::group_policies::GroupOrder;
use super::ids::Seq;
use super::store::{List, LiveState, Slot};
use super::view::{Gate, Place};

/// A group that has records.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) name: Box<str>,
    pub(super) limit: usize,
    pub(super) max_pending: usize,
    pub(super) order: GroupOrder,
    /// Records that are not terminal.
    pub(super) pending: usize,
    /// Records that are past the gate and have not started: one at most.
    pub(super) unstarted: Option<Slot>,
    pub(super) running: usize,
    /// True if an operator has stopped it: none passes its gate, and none is past it that has not started.
    pub(super) paused: bool,
    pub(super) turn: Option<Slot>,
    /// True if the one that has the turn waits at the gate, as it does after a pause.
    pub(super) turn_waits: bool,
    /// True if a failed record stops the others.
    pub(super) halts: bool,
    /// The failed records, when they stop the others, in the order of acceptance.
    pub(super) failed: BTreeSet<(Option<Seq>, Slot)>,
    /// First in, first out.
    pub(super) waiting: List,
}

/// Records of one group by where they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct GroupCount {
    pub(super) pending: usize,
    pub(super) waiting: usize,
    pub(super) unstarted: usize,
    pub(super) running: usize,
}

impl Group {
    /// Returns whether the gate lets the next one through.
    pub(super) fn is_open(&self) -> bool {
        !self.paused
            && match self.order {
                GroupOrder::Fifo => self.turn_waits || self.turn.is_none() && self.failed.is_empty(),
                GroupOrder::Free => self.unstarted.is_none() && self.running < self.limit,
            }
    }

    pub(super) const fn count(&self) -> GroupCount {
        let unstarted = self.unstarted.is_some() as usize;
        GroupCount { pending: self.pending, waiting: self.waiting.len(), unstarted, running: self.running }
    }
}

/// Returns whether a record in this stage is past the gate of its group.
pub(super) const fn is_past(stage: &LiveState) -> bool {
    is_unstarted(stage) || matches!(stage, LiveState::Processing(_))
}

/// Returns whether a record in this stage is past the gate of its group, and has not started.
pub(super) const fn is_unstarted(stage: &LiveState) -> bool {
    let LiveState::Waiting(waiting) = stage else { return false };
    matches!(waiting.place, Some(Place::Gated(Gate::Type) | Place::Line | Place::Queued(_)))
}

/// Returns whether a record in this stage waits at the gate of its group.
pub(super) const fn is_waiting(stage: &LiveState) -> bool {
    matches!(stage, LiveState::Waiting(waiting) if matches!(waiting.place, Some(Place::Gated(Gate::Group))))
}

impl GroupCount {
    pub(super) const fn add(&mut self, stage: &LiveState) {
        self.pending += 1;
        match stage {
            LiveState::Processing(_) => self.running += 1,
            LiveState::Waiting(waiting) => match waiting.place {
                Some(Place::Gated(Gate::Group)) => self.waiting += 1,
                Some(Place::Gated(Gate::Type) | Place::Line | Place::Queued(_)) => self.unstarted += 1,
                Some(Place::Delayed) | None => {}
            },
            LiveState::Failed { .. } => {}
        }
    }
}
