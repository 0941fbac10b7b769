//! Tickets: what is in the channel, as far as the engine can know.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::hash::{Hash as _, Hasher};
use core::mem;
use core::time::Duration;

use super::ids::Ticket;
use super::store::Slot;
use super::time::Timestamp;

/// The tickets that were sent and not yet presented, in the order of their numbers.
///
/// Tickets are sent in order by one sender and presented in order by one receiver. So a ticket
/// that is presented proves that every lower one that was not is lost.
#[derive(Debug)]
pub(super) struct Tickets {
    sent: VecDeque<TicketEntry>,
    /// The number of the next ticket.
    next: u64,
    /// Entries that have a record.
    live: usize,
    /// Entries that take room in the channel; the marker's slot does not count.
    outstanding: usize,
    marker: Option<Marker>,
    /// No marker is sent before this.
    marker_not_before: Timestamp,
}

#[derive(Debug, Clone, Copy)]
struct TicketEntry {
    number: u64,
    holder: Holder,
    sent_at: Timestamp,
}

/// The holder of a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    /// A waiting record.
    Record(Slot),
    /// No record any more, but it takes room in the channel.
    Void,
    /// No record: it puts the channel to the test.
    Marker,
}

#[derive(Debug, Clone, Copy)]
struct Marker {
    ticket: Ticket,
    due: Timestamp,
}

impl Tickets {
    pub(super) const fn new() -> Self {
        Self::starting_at(1)
    }

    const fn starting_at(next: u64) -> Self {
        Self { sent: VecDeque::new(), next, live: 0, outstanding: 0, marker: None, marker_not_before: Timestamp::EPOCH }
    }

    /// Records with a live ticket.
    pub(super) const fn live(&self) -> usize {
        self.live
    }

    /// Tickets that take room in the channel.
    pub(super) const fn outstanding(&self) -> usize {
        self.outstanding
    }

    pub(super) fn send(&mut self, slot: Slot, now: Timestamp) -> Ticket {
        self.live += 1;
        self.outstanding += 1;
        self.push(Holder::Record(slot), now)
    }

    pub(super) fn send_marker(&mut self, now: Timestamp, stuck_after: Duration) -> Ticket {
        let ticket = self.push(Holder::Marker, now);
        self.marker = Some(Marker { ticket, due: now + stuck_after });
        ticket
    }

    /// Tickets of records and void ones that are presented before this one.
    pub(super) fn ahead_of(&self, ticket: Ticket) -> usize {
        self.seek(ticket.number())
    }

    /// Returns the holder of a ticket; `None` when it was presented before, did not get into the channel, was lost
    /// with it, or was never sent.
    pub(super) fn holder(&self, ticket: Ticket) -> Option<Holder> {
        self.at(ticket).map(|entry| entry.holder)
    }

    /// Records whose tickets are below this one, the last sent first.
    pub(super) fn below(&self, ticket: Ticket) -> Vec<Slot> {
        let count = self.seek(ticket.number());
        // The last sent first, so that pushing each to the head of the line restores the order.
        self.sent.iter().take(count).rev().filter_map(TicketEntry::slot).collect()
    }

    /// Takes out this ticket, which has come through the channel, and all below it, which cannot
    /// come any more.
    pub(super) fn present(&mut self, ticket: Ticket) {
        // All lower tickets are settled with it: those that were not presented are lost.
        while self.sent.front().is_some_and(|first| first.number <= ticket.number())
            && let Some(entry) = self.sent.pop_front()
        {
            self.leave(entry);
        }
    }

    /// Voids a ticket: it has no record from now on, but is in the channel.
    pub(super) fn void(&mut self, ticket: Ticket) {
        let at = self.seek(ticket.number());
        // A ticket that is void already is not counted once more.
        if let Some(entry) = self.sent.get_mut(at).filter(|entry| entry.slot().is_some()) {
            entry.holder = Holder::Void;
            self.live -= 1;
        }
    }

    /// Records that a ticket did not get into the channel. If it is the marker, no other is sent before
    /// `marker_not_before`.
    pub(super) fn fail(&mut self, ticket: Ticket, marker_not_before: Timestamp) {
        // A channel that is full would refuse the next marker at once, too.
        if self.marker.is_some_and(|marker| marker.ticket == ticket) {
            self.marker_not_before = marker_not_before;
        }
        // `seek` alone would find the next higher ticket when this one has gone.
        if self.at(ticket).is_some()
            && let Some(entry) = self.sent.remove(self.seek(ticket.number()))
        {
            self.leave(entry);
        }
    }

    /// The channel is gone with all that was in it. Gives the records whose tickets are lost, the
    /// last sent first.
    pub(super) fn lose_all(&mut self) -> Vec<Slot> {
        let lost = self.below(Ticket::new(self.next));
        // Numbers continue, so that a late ticket of the old channel names nothing.
        *self = Self::starting_at(self.next);
        lost
    }

    /// Returns the time at which the channel is to be tested: the oldest ticket that takes room in it, void or not,
    /// reaches `stuck_after`.
    pub(super) fn stuck_at(&self, stuck_after: Duration) -> Option<Timestamp> {
        // One marker at a time: its fate decides for all tickets before it.
        if self.marker.is_some() {
            return None;
        }
        let oldest = self.sent.front()?;
        Some((oldest.sent_at + stuck_after).max(self.marker_not_before))
    }

    /// Returns the time at which the marker in the channel is overdue.
    pub(super) fn marker_due(&self) -> Option<Timestamp> {
        self.marker.map(|marker| marker.due)
    }

    pub(super) fn rearm_marker(&mut self, due: Timestamp) {
        if let Some(marker) = &mut self.marker {
            marker.due = due;
        }
    }

    /// Adds all that decides what becomes of the tickets to a hash.
    pub(super) fn fingerprint(&self, hasher: &mut impl Hasher) {
        (self.next, self.marker_not_before, self.marker_due()).hash(hasher);
        for entry in &self.sent {
            (entry.number, entry.sent_at, mem::discriminant(&entry.holder)).hash(hasher);
        }
    }

    /// Verifies the counts by a recount.
    pub(super) fn check(&self) -> Result<(), String> {
        let (mut live, mut void, mut markers) = (0, 0, 0);
        for entry in &self.sent {
            match entry.holder {
                Holder::Record(_) => live += 1,
                Holder::Void => void += 1,
                Holder::Marker => markers += 1,
            }
        }
        let rising = self.sent.iter().map(|entry| entry.number).is_sorted_by(|a, b| a < b);
        let sound = (live, live + void) == (self.live, self.outstanding)
            && markers == usize::from(self.marker.is_some())
            && rising
            && self.sent.back().is_none_or(|last| last.number < self.next);
        if sound { Ok(()) } else { Err(format!("the tickets do not add up: {self:?}")) }
    }

    fn push(&mut self, holder: Holder, now: Timestamp) -> Ticket {
        let number = self.next;
        self.next += 1;
        self.sent.push_back(TicketEntry { number, holder, sent_at: now });
        Ticket::new(number)
    }

    fn at(&self, ticket: Ticket) -> Option<&TicketEntry> {
        self.sent.get(self.seek(ticket.number())).filter(|entry| entry.number == ticket.number())
    }

    /// The position of the first entry with this number or a higher one. Numbers are mostly
    /// without gaps, so it is mostly where it would be without any.
    fn seek(&self, number: u64) -> usize {
        let first = self.sent.front().map_or(number, |first| first.number);
        let guess = usize::try_from(number.saturating_sub(first)).unwrap_or(usize::MAX);
        match self.sent.get(guess) {
            Some(entry) if entry.number == number => guess,
            _ => self.sent.partition_point(|entry| entry.number < number),
        }
    }

    /// Takes an entry that has left out of the counts.
    fn leave(&mut self, entry: TicketEntry) {
        match entry.holder {
            Holder::Record(_) => {
                self.live -= 1;
                self.outstanding -= 1;
            }
            Holder::Void => self.outstanding -= 1,
            Holder::Marker => self.marker = None,
        }
    }
}

impl TicketEntry {
    const fn slot(&self) -> Option<Slot> {
        match self.holder {
            Holder::Record(slot) => Some(slot),
            Holder::Void | Holder::Marker => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_that_is_not_among_the_tickets_is_found() {
        let mut tickets = with_marker_and_void();
        tickets.marker = None;
        assert!(tickets.check().is_err());
    }

    #[test]
    fn a_count_that_drifted_is_found() {
        let mut tickets = with_marker_and_void();
        tickets.outstanding += 1;
        assert!(tickets.check().is_err());
    }

    #[test]
    fn a_number_that_two_tickets_have_is_found() {
        let mut tickets = with_marker_and_void();
        tickets.sent[0].number = tickets.sent[1].number;
        assert!(tickets.check().is_err());
    }

    #[test]
    fn a_number_that_is_given_out_again_is_found() {
        let mut tickets = with_marker_and_void();
        tickets.next -= 1;
        assert!(tickets.check().is_err());
    }

    fn with_marker_and_void() -> Tickets {
        let mut tickets = Tickets::new();
        tickets.push(Holder::Void, Timestamp::EPOCH);
        tickets.outstanding += 1;
        tickets.send_marker(Timestamp::EPOCH, Duration::ZERO);
        assert_eq!(tickets.check(), Ok(()));
        tickets
    }
}
