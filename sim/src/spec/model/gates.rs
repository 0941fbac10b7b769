//! Gates: the number of events past a gate is counted each time.

use eventful::{Status, engine::PolicyId};

use super::{Model, TicketContent};
use crate::scenario::EventNumber;
use crate::spec::{EventLimits, gate_of, policy_of};

impl Model {
    /// Returns the bounds of an event's runs.
    pub(super) fn limits(&self, event: EventNumber) -> EventLimits {
        EventLimits::of(self.config(), self.known(event).event.event_type())
    }

    /// Returns the id of an event's policy: found by the patterns, named as in the engine.
    pub(super) fn policy_id(&self, event: EventNumber) -> Option<PolicyId> {
        let event_type = self.known(event).event.event_type();
        let (number, _) = policy_of(self.config(), event_type)?;
        self.config().types.find(event_type?).filter(|id| id.index() == number)
    }

    /// Adds an eligible record to its gate, or to the line if it has none.
    pub(super) fn arrive(&mut self, event: EventNumber) {
        match gate_of(self.config(), &self.known(event).event) {
            None => self.line.push(event),
            Some(_) => {
                self.gated.push(event);
                self.open_gates();
            }
        }
    }

    /// Opens the gates for waiting records, in the order in which they wait, as far as limits allow.
    pub(super) fn open_gates(&mut self) {
        while let Some(at) = self.gated.iter().position(|event| self.may_pass(*event)) {
            let event = self.gated.remove(at);
            self.line.push(event);
        }
    }

    fn may_pass(&self, event: EventNumber) -> bool {
        let Some((gate, limit)) = gate_of(self.config(), &self.known(event).event) else { return true };
        self.past(gate) < limit
    }

    /// Returns the number of events past a gate: in the line, in the channel, or running.
    fn past(&self, gate: usize) -> usize {
        let queued = self.channel.entries.iter().filter_map(|entry| match entry.holds {
            TicketContent::Record(event) => Some(event),
            TicketContent::Nothing | TicketContent::Marker(_) => None,
        });
        let running = self.expected.inflight.iter().map(|(_, event)| *event);
        let past = self.line.iter().copied().chain(queued).chain(running);
        let is_of = |event: &EventNumber| {
            let record = self.expected.record(*event).filter(|record| record.status() != Status::Failed);
            record.and_then(|record| gate_of(self.config(), &record.event)).is_some_and(|(of, _)| of == gate)
        };
        past.filter(is_of).count()
    }
}
