//! The tickets in the channel, and their contents.

use eventful::Timestamp;

use crate::scenario::EventNumber;

/// The tickets that were sent and not yet presented.
#[derive(Debug, Clone, Default)]
pub struct ModelChannel {
    /// The tickets by their numbers, which is the order in which they were sent.
    pub entries: Vec<ModelTicket>,
    /// The highest number ever given to a ticket.
    pub last_sent: u64,
    /// The time since which nothing is sent, because a ticket did not get in.
    pub blocked_at: Option<Timestamp>,
    /// The time since which no marker is sent, because one did not get in.
    pub marker_failed_at: Option<Timestamp>,
}

/// One ticket in the channel.
#[derive(Debug, Clone)]
pub struct ModelTicket {
    /// The ticket's number.
    pub number: u64,
    /// The time at which it was sent.
    pub sent_at: Timestamp,
    /// The content.
    pub holds: TicketContent,
}

/// The content of a ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TicketContent {
    /// A waiting record.
    Record(EventNumber),
    /// No record: the ticket is void, and takes room until it is presented.
    Nothing,
    /// The marker, which is overdue at this time.
    Marker(Timestamp),
}

impl ModelChannel {
    /// Returns the tickets that take room. The marker has a slot of its own.
    pub fn tickets(&self) -> impl Iterator<Item = &ModelTicket> {
        self.entries.iter().filter(|entry| !matches!(entry.holds, TicketContent::Marker(_)))
    }

    /// Returns the time at which the marker in the channel is overdue.
    pub fn marker_due(&self) -> Option<Timestamp> {
        self.entries.iter().find_map(|entry| match &entry.holds {
            TicketContent::Marker(due) => Some(*due),
            TicketContent::Record(_) | TicketContent::Nothing => None,
        })
    }

    /// Returns the number of the ticket of an event.
    pub fn number_of(&self, event: EventNumber) -> Option<u64> {
        self.entries.iter().find(|entry| entry.holds == TicketContent::Record(event)).map(|entry| entry.number)
    }
}
