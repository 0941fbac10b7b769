//! The channel of tickets.

use alloc::collections::VecDeque;

use super::hooks::{Action, HookSet, Point};
use crate::engine::{Config, EnqueueFailure, Ticket};

/// The channel of tickets. It has one slot more than the engine feeds, for the marker.
///
/// Both ends are used under one lock, so a queue is all that a channel needs to be, and tickets are presented in the
/// order of their numbers, whichever task presents them.
#[derive(Debug)]
pub(super) struct TicketChannel {
    slots: usize,
    /// The tickets; absent when the receiver is gone, and with it all tickets.
    tickets: Option<VecDeque<Ticket>>,
}

/// The error for a channel that has no receiver any more.
#[derive(Debug)]
pub(super) struct ChannelGone;

impl TicketChannel {
    pub(super) fn new(config: &Config) -> Self {
        let slots = config.channel_capacity.get().saturating_add(1);
        Self { slots, tickets: Some(VecDeque::new()) }
    }

    /// Sends a ticket.
    pub(super) fn send(&mut self, ticket: Ticket, probe: &HookSet) -> Result<(), EnqueueFailure> {
        match probe.locked(Point::Enqueue) {
            Action::Fail => return Err(EnqueueFailure::Full),
            Action::DropReceiver => self.tickets = None,
            Action::Continue | Action::Yield | Action::Stall(_) | Action::Panic => {}
        }
        let tickets = self.tickets.as_mut().ok_or(EnqueueFailure::Closed)?;
        if tickets.len() == self.slots {
            return Err(EnqueueFailure::Full);
        }
        tickets.push_back(ticket);
        Ok(())
    }

    /// Takes out the next ticket, if there is one.
    pub(super) fn take(&mut self, probe: &HookSet) -> Result<Option<Ticket>, ChannelGone> {
        loop {
            let Some(ticket) = self.tickets.as_mut().ok_or(ChannelGone)?.pop_front() else {
                return Ok(None);
            };
            probe.taken(ticket);
            match probe.locked(Point::Present) {
                // Lost, which the engine must find out by itself: the next ticket is presented.
                Action::Fail => {}
                Action::DropReceiver => self.tickets = None,
                Action::Continue | Action::Yield | Action::Stall(_) | Action::Panic => return Ok(Some(ticket)),
            }
        }
    }

    /// Returns the number of tickets in it, measured.
    pub(super) fn depth(&self) -> usize {
        self.tickets.as_ref().map_or(0, VecDeque::len)
    }

    /// Returns whether [`TicketChannel::take`] would return a ticket, or find that the receiver is gone.
    pub(super) fn has_news(&self) -> bool {
        self.tickets.as_ref().is_none_or(|tickets| !tickets.is_empty())
    }

    /// Returns its tickets, for a simulator that loses, doubles or delays some of them, or removes the receiver.
    #[cfg(feature = "sim")]
    pub(super) const fn tickets_mut(&mut self) -> &mut Option<VecDeque<Ticket>> {
        &mut self.tickets
    }

    /// Returns its tickets, in their order.
    #[cfg(feature = "sim")]
    pub(super) const fn tickets(&self) -> Option<&VecDeque<Ticket>> {
        self.tickets.as_ref()
    }
}
