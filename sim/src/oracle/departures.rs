//! P10: no ticket leaves before what it follows from is durable, in its order; and none stays behind.

use std::collections::VecDeque;

use eventful::engine::{Effect, Ticket};

use super::{CommandSummary, Observation};
use crate::failure::{Broken, holds};

/// The tickets that are to be sent and were not.
#[derive(Debug, Default, Hash)]
pub(crate) struct Departures {
    /// Each with the number of facts that were decided until it was.
    waiting: VecDeque<(Ticket, usize)>,
    /// The last one that did not get in, since one was sent.
    reported: Option<Ticket>,
}

impl Departures {
    /// Takes in the tickets of a step after which so many facts were decided.
    pub(super) fn decide(&mut self, seen: &Observation<'_>, decided: usize) {
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

    /// Judges that tickets which do not get in are reported the last one first: so they get back into their order.
    pub(super) fn judge(&mut self, said: CommandSummary) -> Result<(), Broken> {
        let CommandSummary::EnqueueFailed(ticket, _) = said else { return Ok(()) };
        let before = self.reported.replace(ticket);
        holds(before.is_none_or(|before| ticket < before), || {
            broken(format_args!("ticket {} did not get in, and is reported after {before:?}", ticket.number()))
        })
    }

    /// Judges that this ticket may be sent now. Returns how many facts were decided before it.
    pub(crate) fn leave(&mut self, ticket: Ticket) -> Result<usize, Broken> {
        self.reported = None;
        match self.waiting.pop_front() {
            Some((first, decided)) if first == ticket => Ok(decided),
            first => Err(broken(format_args!("ticket {} leaves, and the next one is {first:?}", ticket.number()))),
        }
    }

    /// Judges that this ticket, which was taken from the channel, has left before.
    pub(crate) fn judge_taken(&self, ticket: Ticket) -> Result<(), Broken> {
        holds(self.waiting.iter().all(|(waiting, _)| *waiting != ticket), || {
            broken(format_args!("ticket {} is in the channel, and has not left", ticket.number()))
        })
    }

    /// The channel is gone, or the engine.
    pub(crate) fn forget(&mut self) {
        self.waiting.clear();
    }

    /// Judges that no ticket stays behind: everything is durable.
    pub(super) fn judge_rest(&self) -> Result<(), Broken> {
        holds(self.waiting.is_empty(), || {
            broken(format_args!("all is durable, and these tickets were not sent: {:?}", self.waiting))
        })
    }

    /// Returns whether some wait.
    pub(crate) fn any(&self) -> bool {
        !self.waiting.is_empty()
    }
}

fn broken(what: impl core::fmt::Display) -> Broken {
    Broken::new("departures", 10, what)
}
