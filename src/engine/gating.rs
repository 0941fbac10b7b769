//! The way of records to their gates, and past them.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::Engine;
use super::event::Event;
use super::gates::GateCount;
use super::metrics::TypeStats;
use super::store::Slot;
use super::types::PolicyId;
use super::view::Place;

impl Engine {
    /// An eligible record comes to its gate.
    #[inline(never)]
    pub(super) fn reach_gate(&mut self, slot: Slot, gate: PolicyId) {
        self.gates.push(gate, &mut self.state.store.live, slot);
        self.put(slot, Place::Gated);
        self.open_gate(gate);
    }

    /// Takes a record out of the list of its gate.
    pub(super) fn leave_gate(&mut self, slot: Slot) {
        if let Some(gate) = self.state.store.live[slot].policy {
            self.gates.remove(gate, &mut self.state.store.live, slot);
        }
    }

    /// Lets through what waits at a gate, as far as there are passes.
    pub(super) fn open_gate(&mut self, gate: PolicyId) {
        while let Some(slot) = self.gates.let_through(gate, &mut self.state.store.live) {
            self.line_up(slot);
        }
    }

    /// The policy of an event.
    pub(super) fn policy_of(&self, event: &Event) -> Option<PolicyId> {
        match self.config.types.is_empty() {
            true => None,
            false => self.config.policy_of(event.event_type()),
        }
    }

    /// Returns the numbers of each type policy, in the order in which they were added.
    pub fn type_stats(&self) -> Vec<TypeStats> {
        let policies = self.config.types.ids().zip(self.config.types.iter());
        policies
            .map(|(id, (pattern, policy))| {
                let GateCount { waiting, unstarted, running } = self.gates.count(id);
                let [gated, unstarted, running] = [waiting, unstarted, running].map(|count| count as u64);
                TypeStats { pattern, concurrency: policy.concurrency, gated, unstarted, running }
            })
            .collect()
    }

    /// Says why a record waits at its gate.
    pub(super) fn explain_gated(&self, gate: PolicyId, event_type: Option<&str>) -> String {
        let GateCount { waiting, unstarted, running } = self.gates.count(gate);
        let limit = self.config.types.policy(gate).and_then(|policy| policy.concurrency).unwrap_or(usize::MAX);
        match (self.config.types.pattern(gate), event_type) {
            (Some(pattern), _) => format!(
                "It is one of {waiting} that wait for type {pattern}, of which {running} run and {unstarted} are next, of at \
                 most {limit}."
            ),
            (None, Some(event_type)) => format!(
                "It waits because no policy fits its type {event_type}: start the engine with one that does, or discard it."
            ),
            (None, None) => {
                "It waits because it has no type, and no policy is for such events: discard it, or let unmatched events run."
                    .into()
            }
        }
    }
}
