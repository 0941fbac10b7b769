//! Tickets: sending, presenting, losing them, and the marker that distinguishes a slow channel from a
//! broken one.

use eventful::{
    Key, Timestamp,
    engine::{Answer, Effect, EnqueueFailure, Gate, Phase, Place, Ticket},
    metrics::SweptReason,
};

use super::Model;
use super::counts::cause_name;
use super::tickets::{ModelTicket, TicketContent};
use crate::scenario::EventNumber;

impl Model {
    /// Gives tickets to the head of the line while the channel has room.
    pub(super) fn feed(&mut self) {
        let capacity = self.config().channel_capacity.get();
        while self.phase == Phase::Running
            && !self.expected.paused
            && self.channel.blocked_at.is_none()
            && self.channel.tickets().count() < capacity
            && !self.line.is_empty()
        {
            let event = self.line.remove(0);
            self.send(TicketContent::Record(event));
        }
    }

    fn send(&mut self, holds: TicketContent) {
        self.channel.last_sent += 1;
        let number = self.channel.last_sent;
        self.channel.entries.push(ModelTicket { number, sent_at: self.now, holds });
        self.effects.push(Effect::Enqueue(Ticket::new(number)));
    }

    /// Presents a ticket. A ticket that comes out of the channel proves all lower ones lost. One that is not in this
    /// channel proves nothing.
    pub(super) fn start(&mut self, ticket: Ticket) -> Answer {
        self.channel.blocked_at = None;
        let at = self.channel.entries.iter().position(|entry| entry.number == ticket.number());
        // This channel does not have the ticket.
        let Some(at) = at else { return self.stale_ticket() };
        let presented = self.channel.entries.remove(at);
        let lost = self.channel.entries.drain(..at).collect();
        let answer = match presented.holds {
            TicketContent::Record(event) => self.start_or_hold(event),
            TicketContent::Marker(_) => Answer::Marked,
            TicketContent::Nothing => self.stale_ticket(),
        };
        self.put_back(lost);
        // The next one of the group of what has started may pass.
        self.open_groups();
        answer
    }

    fn stale_ticket(&mut self) -> Answer {
        self.tallies.one("tickets_stale");
        Answer::Stale
    }

    fn start_or_hold(&mut self, event: EventNumber) -> Answer {
        if self.phase == Phase::Running && !self.expected.paused {
            return self.start_run(event);
        }
        self.line.insert(0, event);
        Answer::Held
    }

    /// Returns the records of lost tickets to the head of the line, in their order.
    fn put_back(&mut self, lost: Vec<ModelTicket>) {
        let mut events = Vec::new();
        for entry in lost {
            if let TicketContent::Record(event) = entry.holds {
                events.push(event);
            }
        }
        self.tallies.add(("swept", SweptReason::LostTicket.as_str()), events.len() as u64);
        self.line.splice(0..0, events);
    }

    pub(super) fn enqueue_failed(&mut self, ticket: Ticket, cause: EnqueueFailure) -> Answer {
        let failed = self.channel.entries.iter().position(|entry| entry.number == ticket.number());
        let Some(entry) = failed.map(|at| self.channel.entries.remove(at)) else { return Answer::Stale };
        self.tallies.add(("enqueue_failures", cause_name(cause)), 1);
        self.channel.blocked_at = Some(self.now);
        match entry.holds {
            TicketContent::Record(event) => self.line.insert(0, event),
            TicketContent::Nothing => {}
            TicketContent::Marker(_) => self.channel.marker_failed_at = Some(self.now),
        }
        Answer::Noted
    }

    pub(super) fn channel_lost(&mut self) -> Answer {
        let lost = std::mem::take(&mut self.channel.entries);
        self.put_back(lost);
        self.channel.blocked_at = None;
        self.channel.marker_failed_at = None;
        Answer::Noted
    }

    /// Returns whether the marker has been in the channel for too long; its time then begins again.
    pub(super) fn marker_overdue(&mut self) -> bool {
        let overdue = self.channel.marker_due().is_some_and(|due| due <= self.now);
        if overdue {
            self.rearm_marker();
        }
        overdue
    }

    /// Begins the time of the marker in the channel again.
    pub(super) fn rearm_marker(&mut self) {
        let again = self.now + self.config().stuck_after;
        for entry in &mut self.channel.entries {
            if let TicketContent::Marker(due) = &mut entry.holds {
                *due = again;
            }
        }
    }

    pub(super) fn send_due_marker(&mut self) {
        if self.stuck_at().is_some_and(|at| at <= self.now) {
            self.send(TicketContent::Marker(self.now + self.config().stuck_after));
        }
    }

    /// Returns the time at which the channel must be tested: when its oldest ticket has been in it for too long. A
    /// void ticket counts too, as it takes the room of another one.
    pub(super) fn stuck_at(&self) -> Option<Timestamp> {
        if self.channel.marker_due().is_some() {
            return None;
        }
        let oldest = self.channel.tickets().next()?.sent_at;
        let quiet_until = self.channel.marker_failed_at.map(|at| at + self.config().sweep_interval);
        Some((oldest + self.config().stuck_after).max(quiet_until.unwrap_or_default()))
    }

    /// Makes the ticket of an event void, if it has one.
    pub(super) fn void_ticket(&mut self, event: EventNumber) {
        for entry in &mut self.channel.entries {
            if entry.holds == TicketContent::Record(event) {
                entry.holds = TicketContent::Nothing;
            }
        }
    }

    /// Returns the place of a waiting record: exactly one of four.
    pub fn place(&self, key: &Key) -> Option<Place> {
        let event = self.find(key)?;
        self.known(event).stage.eligible_at()?;
        let delayed = self.delayed.iter().any(|(_, other)| *other == event).then_some(Place::Delayed);
        let grouped = self.grouped.contains(&event).then_some(Place::Gated(Gate::Group));
        let gated = self.gated.contains(&event).then_some(Place::Gated(Gate::Type));
        let line = self.line.contains(&event).then_some(Place::Line);
        let queued = self.channel.number_of(event).map(|number| Place::Queued(Ticket::new(number)));
        let places: Vec<Place> = [delayed, grouped, gated, line, queued].into_iter().flatten().collect();
        assert_eq!(places.len(), 1, "{key} is in {places:?}");
        places.first().copied()
    }
}
