//! One group of events: its policy, the records that it has and where they are, and whether its gate is open.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;

use super::group_policies::GroupOrder;
use super::ids::Seq;
use super::store::{List, LiveRecord, LiveState, Slot, WaitingState};
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
    /// First in, first out. If failed records stop the others, without those that were redriven.
    pub(super) waiting: List,
    /// Those that wait in front of the others, as they were redriven: first in, first out.
    pub(super) redriven: List,
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
                // One record has the turn from the gate to its end, so neither starts nor runs need be counted.
                GroupOrder::Fifo => self.turn_waits || self.turn.is_none() && self.failed.is_empty(),
                GroupOrder::Free => self.unstarted.is_none() && self.running < self.limit,
            }
    }

    pub(super) const fn count(&self) -> GroupCount {
        let unstarted = self.unstarted.is_some() as usize;
        GroupCount { pending: self.pending, waiting: self.waiting(), unstarted, running: self.running }
    }

    /// Returns the number of records that wait at the gate.
    pub(super) const fn waiting(&self) -> usize {
        self.redriven.len() + self.waiting.len()
    }

    /// Returns the record that waits in front of all others.
    pub(super) fn first(&self) -> Option<Slot> {
        self.redriven.head().or(self.waiting.head())
    }

    /// Returns the list in which a record waits at the gate.
    pub(super) fn list_of(&mut self, record: &LiveRecord) -> &mut List {
        if self.is_in_front(record) { &mut self.redriven } else { &mut self.waiting }
    }

    /// Returns whether a waiting record comes before the others.
    pub(super) const fn is_in_front(&self, record: &LiveRecord) -> bool {
        self.halts && is_redriven(record)
    }
}

/// Returns whether a record in this state is past the gate of its group.
pub(super) const fn is_past(state: &LiveState) -> bool {
    is_unstarted(state) || matches!(state, LiveState::Processing(_))
}

/// Returns whether a record in this state is past the gate of its group, and has not started.
pub(super) const fn is_unstarted(state: &LiveState) -> bool {
    let LiveState::Waiting(waiting) = state else { return false };
    matches!(waiting.place, Some(Place::Gated(Gate::Type) | Place::Line | Place::Queued(_)))
}

/// Returns whether a record was redriven, and has not started since.
pub(super) const fn is_redriven(record: &LiveRecord) -> bool {
    record.attempt > 0 && matches!(record.state, LiveState::Waiting(WaitingState { retry: false, .. }))
}

/// Returns whether a record in this state waits at the gate of its group.
pub(super) const fn is_waiting(state: &LiveState) -> bool {
    matches!(state, LiveState::Waiting(waiting) if matches!(waiting.place, Some(Place::Gated(Gate::Group))))
}

impl GroupCount {
    pub(super) const fn add(&mut self, state: &LiveState) {
        self.pending += 1;
        match state {
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
