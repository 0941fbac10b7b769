//! Gates: what a record passes between its time and the line.
//!
//! ```text
//! delayed ──due──▶ type gate ──▶ line ──▶ queued ──▶ run
//! ```
//!
//! An event with a type policy has a gate; others have none, and pay for none. What may not start never stands in the
//! line, so that the head of the line can always start and holds up nothing behind it.
//!
//! A *pass* is one place in a gate. Who holds one is written nowhere: it follows from where a record is, so that no way
//! out of a place can leak one.
//!
//! | a record is | passes of its gate | it leaves by |
//! |---|---|---|
//! | delayed | none | its time: to the tail of the gate's list |
//! | gated | none | the gate, when a pass is free: to the tail of the line |
//! | in the line, queued | one, not started | its start. Held, lost and failed tickets change nothing |
//! | processing | one, running | the end of its run, which returns the pass and opens the gate |
//! | terminal | none | redrive: to the tail of the gate's list |
//!
//! After each command a gate with waiters has no pass left. At an opening the passes of runs are counted first, then what
//! waits is let through in the order of times and of acceptance; so a limit that was lowered or raised holds from then on.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::config::Config;
use super::patterns::PolicyId;
use super::store::{List, LiveRecord, LiveState, Slab, Slot};
use super::types::Unmatched;
use super::view::{Gate, Place};

/// The gates of all policies.
#[derive(Debug, Default)]
pub(super) struct Gates {
    /// By the number of the policy; behind the last the gate that opens for nothing, where unmatched events wait.
    of_types: Vec<TypeGate>,
    /// Records in the lists of all gates.
    waiting: usize,
}

/// A gate that lets so many records through at once.
#[derive(Debug, Default)]
struct TypeGate {
    limit: usize,
    /// Passes of records that have not started: in the line, or queued.
    unstarted: usize,
    /// Passes of runs.
    running: usize,
    /// First in, first out.
    waiting: List,
}

impl TypeGate {
    fn of(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    const fn is_open(&self) -> bool {
        self.unstarted + self.running < self.limit
    }
}

impl Gates {
    pub(super) fn new(config: &Config) -> Self {
        // Also for policies without a limit: a gate is found by the number of its policy.
        let limits = config.types.iter().map(|(_, policy)| policy.concurrency.unwrap_or(usize::MAX));
        let closed = (config.unmatched == Unmatched::Wait).then_some(0);
        Self { of_types: limits.chain(closed).map(TypeGate::of).collect(), waiting: 0 }
    }

    /// Returns the number of records that wait at gates.
    pub(super) const fn waiting(&self) -> usize {
        self.waiting
    }

    /// Counts the pass of a run that is in flight when the engine is opened.
    pub(super) fn count_run(&mut self, gate: PolicyId) {
        self.of_types[gate.index()].running += 1;
    }

    /// Counts the start of a record that is past the gate.
    pub(super) fn start(&mut self, gate: PolicyId) {
        let gate = &mut self.of_types[gate.index()];
        gate.unstarted -= 1;
        gate.running += 1;
    }

    /// Takes back the pass of a run that has ended. The caller opens the gate when the record is in its next place.
    pub(super) fn end_run(&mut self, gate: PolicyId) {
        self.of_types[gate.index()].running -= 1;
    }

    /// Takes back the pass of a record that leaves before its start. The caller opens the gate.
    pub(super) fn leave(&mut self, gate: PolicyId) {
        self.of_types[gate.index()].unstarted -= 1;
    }

    /// Adds a record behind those that wait at a gate.
    pub(super) fn push(&mut self, gate: PolicyId, live: &mut Slab<LiveRecord>, slot: Slot) {
        self.of_types[gate.index()].waiting.push_back(live, slot);
        self.waiting += 1;
    }

    /// Takes a record out of the list of its gate.
    pub(super) fn remove(&mut self, gate: PolicyId, live: &mut Slab<LiveRecord>, slot: Slot) {
        self.of_types[gate.index()].waiting.remove(live, slot);
        self.waiting -= 1;
    }

    /// Lets the first record through that waits at a gate, if there is one and a pass.
    pub(super) fn let_through(&mut self, gate: PolicyId, live: &mut Slab<LiveRecord>) -> Option<Slot> {
        let TypeGate { waiting, .. } = &self.of_types[gate.index()];
        let slot = waiting.head().filter(|_| self.of_types[gate.index()].is_open())?;
        self.remove(gate, live, slot);
        self.of_types[gate.index()].unstarted += 1;
        Some(slot)
    }

    /// Returns the numbers of records at a gate and past it.
    pub(super) fn count(&self, gate: PolicyId) -> GateCount {
        let TypeGate { unstarted, running, waiting, .. } = &self.of_types[gate.index()];
        GateCount { waiting: waiting.len(), unstarted: *unstarted, running: *running }
    }

    /// Returns the number of records at the gate that opens for nothing.
    pub(super) fn unmatched(&self) -> usize {
        // A policy lets one through at least.
        self.of_types.last().filter(|gate| gate.limit == 0).map_or(0, |gate| gate.waiting.len())
    }

    /// Returns the lists of what waits, in the order of the policies.
    pub(super) fn lists(&self) -> impl Iterator<Item = &List> {
        self.of_types.iter().map(|gate| &gate.waiting)
    }

    /// Verifies the passes by what was recounted, and that no gate is open while something waits at it.
    pub(super) fn check(&self, recounted: &[GateCount]) -> Result<(), String> {
        for (number, gate) in self.of_types.iter().enumerate() {
            let counted = recounted.get(number).copied().unwrap_or_default();
            let shown = GateCount { waiting: gate.waiting.len(), unstarted: gate.unstarted, running: gate.running };
            if shown != counted {
                return Err(format!(
                    "the passes of type policy {number} do not add up: {shown:?}, recounted {counted:?}"
                ));
            }
            if gate.is_open() && !gate.waiting.is_empty() {
                return Err(format!("the gate of type policy {number} is open, and {} wait", gate.waiting.len()));
            }
        }
        match self.waiting == self.lists().map(List::len).sum::<usize>() {
            true => Ok(()),
            false => Err(format!("the lists of the gates do not hold {} records", self.waiting)),
        }
    }
}

/// Records of one policy by where they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct GateCount {
    pub(super) waiting: usize,
    pub(super) unstarted: usize,
    pub(super) running: usize,
}

impl GateCount {
    /// Counts a record in this state.
    pub(super) const fn add(&mut self, state: &LiveState) {
        match state {
            LiveState::Processing(_) => self.running += 1,
            // A record that waits for its time is not at the gate yet.
            LiveState::Waiting(waiting) => match waiting.place {
                Some(Place::Gated(Gate::Type)) => self.waiting += 1,
                Some(Place::Line | Place::Queued(_)) => self.unstarted += 1,
                Some(Place::Delayed | Place::Gated(Gate::Group)) | None => {}
            },
            LiveState::Failed { .. } => {}
        }
    }
}
