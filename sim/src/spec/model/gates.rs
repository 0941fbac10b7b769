//! Gates: the number of events past a gate is counted each time.

use eventful::{
    Status, Timestamp, Unmatched,
    engine::{GroupOrder, PolicyId},
};

use super::{Model, TicketContent};
use crate::scenario::EventNumber;
use crate::spec::{EventLimits, gate_of, group_policy_of, policy_of};

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

    /// Adds a record that is new or was redriven, to wait until it is eligible. One of a group in order waits behind
    /// those that are due and were not swept.
    pub(super) fn enter(&mut self, event: EventNumber, eligible_at: Timestamp) {
        let is_late = self.delayed.first().is_some_and(|(at, _)| *at <= self.now);
        if is_late && eligible_at <= self.now && self.is_fifo(event) {
            return self.delay(event, eligible_at);
        }
        self.wait(event, eligible_at);
    }

    /// Adds a record that was redriven. One that stopped its group comes before the others, and behind those that were
    /// redriven before.
    pub(super) fn enter_again(&mut self, event: EventNumber) {
        let group = self.group(event).filter(|group| group_policy_of(self.config(), group).halts()).map(str::to_owned);
        let Some(group) = group.filter(|_| !self.is_alone(event)) else { return self.enter(event, self.now) };
        let is_of = |other: &EventNumber| self.group(*other) == Some(&group);
        if self.turns.iter().any(is_of) {
            let is_behind = |other: &EventNumber| is_of(other) && self.known(*other).redriven == 0;
            let at = self.grouped.iter().position(is_behind).unwrap_or(self.grouped.len());
            return self.grouped.insert(at, event);
        }
        self.turns.push(event);
        self.arrive(event);
    }

    /// Adds an eligible record to the gate of its group, unless it has the turn there.
    pub(super) fn arrive(&mut self, event: EventNumber) {
        let Some(group) = self.group(event).filter(|_| !self.is_alone(event)) else { return self.pass_group(event) };
        if self.turns.contains(&event) {
            return if self.is_paused(group) { self.grouped.insert(0, event) } else { self.pass_group(event) };
        }
        self.grouped.push(event);
        self.open_groups();
    }

    /// Takes the record of a group that is past its gate and has not started back to it.
    pub(super) fn take_back(&mut self, group: &str) {
        let queued = self.queued();
        let unstarted = self.gated.iter().chain(&self.line).chain(&queued);
        let is_of = |other: &&EventNumber| self.group(**other) == Some(group) && !self.is_alone(**other);
        if let Some(event) = unstarted.copied().find(|event| is_of(&event)) {
            self.leave_places(event);
            self.grouped.insert(0, event);
        }
    }

    fn is_paused(&self, group: &str) -> bool {
        self.expected.paused_groups.contains(group)
    }

    /// A record comes to the gate of its type, or to the line when it has none.
    fn pass_group(&mut self, event: EventNumber) {
        match gate_of(self.config(), &self.known(event).event) {
            None => self.line.push(event),
            Some((gate, _)) => {
                self.gated.push(event);
                self.open_gates(Some(gate));
            }
        }
    }

    /// Opens all gates, as far as limits allow.
    pub(super) fn open_all(&mut self) {
        self.open_groups();
        self.open_gates(None);
    }

    /// Lets through what waits at gates of groups, in its order, as far as limits allow.
    pub(super) fn open_groups(&mut self) {
        while let Some(at) = self.grouped.iter().position(|event| self.may_pass_group(*event)) {
            let event = self.grouped.remove(at);
            if self.is_fifo(event) && !self.turns.contains(&event) {
                self.turns.push(event);
            }
            self.pass_group(event);
        }
    }

    fn may_pass_group(&self, event: EventNumber) -> bool {
        let Some(group) = self.group(event) else { return true };
        if self.is_paused(group) {
            return false;
        }
        let is_of = |other: &&EventNumber| self.group(**other) == Some(group) && !self.is_alone(**other);
        if self.turns.contains(&event) {
            return true;
        }
        if self.is_fifo(event) {
            return self.turns.iter().filter(is_of).count() == 0 && self.expected.halted_by(group).is_none();
        }
        let limit = group_policy_of(self.config(), group).concurrency.unwrap_or(usize::MAX);
        let queued = self.queued();
        let unstarted = self.gated.iter().chain(&self.line).chain(&queued).filter(is_of).count();
        let running = self.expected.inflight.iter().filter(|(_, other)| self.group(*other) == Some(group)).count();
        unstarted == 0 && running < limit
    }

    /// Returns whether an event waits for a policy of its type that there is not: then no other waits for it.
    fn is_alone(&self, event: EventNumber) -> bool {
        let event = &self.known(event).event;
        self.config().unmatched == Unmatched::Wait && policy_of(self.config(), event.event_type()).is_none()
    }

    fn group(&self, event: EventNumber) -> Option<&str> {
        self.expected.record(event)?.event.group()
    }

    fn is_fifo(&self, event: EventNumber) -> bool {
        self.group(event).is_some_and(|group| group_policy_of(self.config(), group).order == GroupOrder::Fifo)
    }

    /// Events whose tickets are in the channel.
    fn queued(&self) -> Vec<EventNumber> {
        let entries = self.channel.entries.iter();
        let records = entries.filter_map(|entry| match entry.holds {
            TicketContent::Record(event) => Some(event),
            TicketContent::Nothing | TicketContent::Marker(_) => None,
        });
        records.collect()
    }

    /// Lets through what waits at this gate of a type, or at any, in its order, as far as limits allow.
    fn open_gates(&mut self, only: Option<usize>) {
        let is_of = |model: &Self, event| {
            let gate = gate_of(model.config(), &model.known(event).event).map(|(gate, _)| gate);
            only.is_none() || gate == only
        };
        while let Some(at) = self.gated.iter().position(|event| is_of(self, *event) && self.may_pass(*event)) {
            let event = self.gated.remove(at);
            self.line.push(event);
        }
    }

    fn may_pass(&self, event: EventNumber) -> bool {
        let Some((gate, limit)) = gate_of(self.config(), &self.known(event).event) else { return true };
        self.past(gate) < limit
    }

    /// Returns the numbers of events that wait at the gate of each policy, that are past it and have not started, and that
    /// run.
    pub fn type_numbers(&self) -> Vec<[u64; 3]> {
        let count = |events: &mut dyn Iterator<Item = EventNumber>, gate| {
            events.filter(|event| self.gate(*event) == Some(gate)).count() as u64
        };
        let numbers = 0..self.config().types.iter().count();
        let queued = self.queued();
        numbers
            .map(|gate| {
                let gated = count(&mut self.gated.iter().copied(), gate);
                let unstarted = count(&mut self.line.iter().chain(&queued).copied(), gate);
                [gated, unstarted, count(&mut self.expected.inflight.iter().map(|(_, event)| *event), gate)]
            })
            .collect()
    }

    /// Returns the number of events that wait because no policy fits them.
    pub fn unmatched(&self) -> u64 {
        self.gated.iter().filter(|event| self.is_alone(**event)).count() as u64
    }

    fn gate(&self, event: EventNumber) -> Option<usize> {
        gate_of(self.config(), &self.known(event).event).map(|(gate, _)| gate)
    }

    /// Returns the number of events past a gate: in the line, in the channel, or running.
    fn past(&self, gate: usize) -> usize {
        let queued = self.queued();
        let running = self.expected.inflight.iter().map(|(_, event)| *event);
        let past = self.line.iter().copied().chain(queued).chain(running);
        let is_of = |event: &EventNumber| {
            let record = self.expected.record(*event).filter(|record| record.status() != Status::Failed);
            record.and_then(|record| gate_of(self.config(), &record.event)).is_some_and(|(of, _)| of == gate)
        };
        past.filter(is_of).count()
    }
}
