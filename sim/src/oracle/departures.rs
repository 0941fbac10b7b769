//! P10: tickets are sent in order, each after the facts that it follows from are durable; none stays behind.

use std::collections::VecDeque;

use eventful::engine::{Effect, Ticket};

use super::{CommandSummary, Observation};
use crate::failure::{Broken, holds};

/// The tickets that are still to be sent.
#[derive(Debug, Default, Hash)]
pub(crate) struct Departures {
    /// Tickets, each with the number of facts decided before it.
    waiting: VecDeque<(Ticket, usize)>,
    /// The last ticket that did not get in, since one was sent.
    reported: Option<Ticket>,
}

impl Departures {
    /// Adds the tickets of a step after which this many facts were decided.
    pub(super) fn decide(&mut self, seen: &Observation<'_>, decided: usize) {
        // Tickets of the old channel are void, and new ones follow.
        if seen.said == CommandSummary::ChannelLost {
            self.forget();
        }
        if let CommandSummary::EnqueueFailed(ticket, _) = seen.said {
            self.waiting.retain(|(held, _)| *held != ticket);
        }
        for effect in seen.effects {
            if let Effect::Enqueue(ticket) = effect {
                self.waiting.push_back((*ticket, decided));
            }
        }
    }

    /// Checks that tickets that do not get in are reported in reverse, so that they return to their order.
    pub(super) fn judge(&mut self, said: CommandSummary) -> Result<(), Broken> {
        let CommandSummary::EnqueueFailed(ticket, _) = said else { return Ok(()) };
        let before = self.reported.replace(ticket);
        holds(before.is_none_or(|before| ticket < before), || {
            broken(format_args!("ticket {} did not get in, but is reported after {before:?}", ticket.number()))
        })
    }

    /// Checks that this ticket may be sent now. Returns the number of facts decided before it.
    pub(crate) fn leave(&mut self, ticket: Ticket) -> Result<usize, Broken> {
        self.reported = None;
        match self.waiting.pop_front() {
            Some((first, decided)) if first == ticket => Ok(decided),
            first => Err(broken(format_args!("ticket {} is sent, but the next one is {first:?}", ticket.number()))),
        }
    }

    /// Checks that this ticket, which was taken from the channel, was sent before.
    pub(crate) fn judge_taken(&self, ticket: Ticket) -> Result<(), Broken> {
        holds(self.waiting.iter().all(|(waiting, _)| *waiting != ticket), || {
            broken(format_args!("ticket {} was taken from the channel, but was not sent", ticket.number()))
        })
    }

    /// Drops all tickets: the channel is gone, or the engine.
    pub(crate) fn forget(&mut self) {
        self.waiting.clear();
    }

    /// Checks that no ticket stays behind once everything is durable.
    pub(super) fn judge_rest(&self) -> Result<(), Broken> {
        holds(self.waiting.is_empty(), || {
            broken(format_args!("everything is durable, but these tickets were not sent: {:?}", self.waiting))
        })
    }

    /// Returns whether tickets wait to be sent.
    pub(crate) fn any(&self) -> bool {
        !self.waiting.is_empty()
    }
}

fn broken(what: impl core::fmt::Display) -> Broken {
    Broken::new("departures", 10, what)
}
