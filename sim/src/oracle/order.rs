//! P3: the line is first in, first out, whatever happens to the channel.
//!
//! Tickets that do not get in, and all that are lost with their channel, go back to where they came
//! from. Only an event whose ticket was lost or held is overtaken.

use std::collections::VecDeque;

use eventful::{Answer, Change, Fact, SweptReason, Timestamp};

use super::tickets::Sent;
use super::{Said, Seen};
use crate::failure::Broken;
use crate::scenario::EventNumber;
use crate::spec::{Book, Lifecycle};

/// The events that have never started, in the order in which they were accepted.
#[derive(Debug, Default)]
pub(super) struct Line {
    waiting: VecDeque<Waiting>,
    places: Vec<u64>,
    accepted: u64,
    /// Tickets that were lost so far.
    lost: u64,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    /// How many were accepted until it was.
    place: u64,
    event: EventNumber,
    accepted_at: Timestamp,
}

impl Line {
    pub(super) fn judge(&mut self, book: &Book, tickets: &Sent, seen: &Seen<'_>) -> Result<(), Broken> {
        let lost = seen.engine.tallies().swept(SweptReason::LostTicket);
        let overtaken = matches!(seen.said, Said::Start(_)) && (lost > self.lost || *seen.answer == Answer::Held);
        // With a journal, tickets behind it may be on their way when one does not get in.
        let passed = matches!(seen.said, Said::EnqueueFailed(ticket, _) if tickets.is_followed(ticket));
        self.lost = lost;
        if overtaken || passed {
            // Which ones it is cannot be seen from outside.
            self.waiting.clear();
        }
        seen.facts.iter().try_for_each(|fact| self.judge_fact(book, seen, fact))
    }

    fn judge_fact(&mut self, book: &Book, seen: &Seen<'_>, fact: &Fact) -> Result<(), Broken> {
        match &fact.change {
            Change::Accepted(event) => self.join(seen.roster.number(event.key()), fact.at),
            Change::Discarded(key) => drop(self.leave(seen.roster.number(key))),
            Change::Started { key, .. } => return self.start(book, seen.roster.number(key)),
            Change::Finished { .. }
            | Change::Redriven(_)
            | Change::Forgotten(_)
            | Change::Paused
            | Change::Resumed
            | Change::Epoch(_) => {}
        }
        Ok(())
    }

    fn join(&mut self, event: Option<EventNumber>, at: Timestamp) {
        let Some(event) = event else { return };
        self.accepted += 1;
        if self.places.len() <= usize::from(event) {
            self.places.resize(usize::from(event) + 1, 0);
        }
        self.places[usize::from(event)] = self.accepted;
        self.waiting.push_back(Waiting { place: self.accepted, event, accepted_at: at });
    }

    /// Its place, if it has never started and was not overtaken.
    fn leave(&mut self, event: Option<EventNumber>) -> Option<u64> {
        let place = *self.places.get(usize::from(event?))?;
        let at = self.waiting.binary_search_by_key(&place, |waiting| waiting.place).ok()?;
        self.waiting.remove(at).map(|_| place)
    }

    fn start(&mut self, book: &Book, event: Option<EventNumber>) -> Result<(), Broken> {
        let place = self.leave(event);
        let retried_from = event.and_then(|event| match book.record(event)?.stage {
            Lifecycle::FailedRetry(eligible_at) => Some(eligible_at),
            Lifecycle::Received(_)
            | Lifecycle::Processing { .. }
            | Lifecycle::Completed(_)
            | Lifecycle::Failed(_)
            | Lifecycle::Discarded(_) => None,
        });
        let ahead = self.waiting.front().filter(|first| {
            place.is_some_and(|place| first.place < place) || retried_from.is_some_and(|at| first.accepted_at < at)
        });
        if let Some(Waiting { event: other, .. }) = ahead {
            let what = format!("event {event:?} started before event {other}, which was in the line before it");
            return Err(Broken::new("order", 3, what));
        }
        Ok(())
    }
}
