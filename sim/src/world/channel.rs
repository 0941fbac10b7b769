//! The channel: it loses tickets, takes none, or has no receiver, as the faults say.

use std::collections::VecDeque;

use eventful::{EnqueueFailure, Ticket};

use crate::scenario::Loss;

/// The end of a time that does not end.
pub(super) const FOR_GOOD: u64 = u64::MAX;

/// The tickets on their way from the engine to the dispatcher.
#[derive(Debug)]
pub(super) struct Channel {
    tickets: VecDeque<Ticket>,
    /// Slots: one more than the engine's capacity, for the marker.
    slots: usize,
    pub(super) full_until: u64,
    has_receiver: bool,
    /// How many channels there were before this one.
    pub(super) number: u32,
}

impl Channel {
    pub(super) fn new(capacity: usize) -> Self {
        Self { tickets: VecDeque::new(), slots: capacity + 1, full_until: 0, has_receiver: true, number: 0 }
    }

    pub(super) fn send(&mut self, now: u64, ticket: Ticket) -> Result<(), EnqueueFailure> {
        if !self.has_receiver {
            return Err(EnqueueFailure::Closed);
        }
        if now < self.full_until || self.tickets.len() >= self.slots {
            return Err(EnqueueFailure::Full);
        }
        self.tickets.push_back(ticket);
        Ok(())
    }

    pub(super) fn take(&mut self) -> Option<Ticket> {
        self.tickets.pop_front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tickets.is_empty()
    }

    pub(super) fn drop_receiver(&mut self) {
        self.has_receiver = false;
        self.tickets.clear();
    }

    /// A new channel takes its place.
    pub(super) fn replace(&mut self) {
        self.tickets.clear();
        self.has_receiver = true;
        self.number += 1;
    }

    /// Loses a ticket; whether there was one to lose.
    pub(super) fn lose(&mut self, which: Loss) -> bool {
        let last = self.tickets.len().checked_sub(1);
        match (which, last) {
            (_, None) => false,
            (Loss::Middle, Some(last)) => last > 0 && self.tickets.remove(last / 2).is_some(),
            (Loss::Tail, Some(_)) => self.tickets.pop_back().is_some(),
            (Loss::All, Some(_)) => {
                self.tickets.clear();
                true
            }
        }
    }

    /// Loses this very ticket; whether it was there.
    pub(super) fn lose_ticket(&mut self, ticket: Ticket) -> bool {
        let before = self.tickets.len();
        self.tickets.retain(|held| *held != ticket);
        self.tickets.len() < before
    }

    /// What is in it, and whether it has a receiver.
    pub(super) fn content(&self) -> (impl Iterator<Item = Ticket> + '_, bool) {
        (self.tickets.iter().copied(), self.has_receiver)
    }
}
