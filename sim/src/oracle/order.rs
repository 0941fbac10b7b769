//! P3: the line is first in, first out, whatever happens to the channel.
//!
//! Tickets that do not get in, and all that are lost with their channel, return to their place. Only an event whose
//! ticket was lost or held is overtaken.

use std::collections::VecDeque;

use eventful::{
    Config, Event, Timestamp,
    engine::{
        Answer,
        facts::{Change, Fact},
    },
    metrics::SweptReason,
};

use super::tickets::SentTickets;
use super::{CommandSummary, Observation};
use crate::failure::Broken;
use crate::scenario::EventNumber;
use crate::spec::{Lifecycle, ReferenceRecord, ReferenceState, gate_of, not_before};

/// The events that wait in the line, in its order.
///
/// An event whose next attempt is due, or its first one after a delay, joins the line when the engine notices that;
/// such events are not checked here unless the engine was opened after they were due.
#[derive(Debug, Default)]
pub(super) struct ExpectedLine {
    waiting: VecDeque<WaitingEvent>,
    joined: u64,
    /// The number of lost tickets so far.
    lost: u64,
}

#[derive(Debug, Clone, Copy)]
struct WaitingEvent {
    /// The number of events that joined the line before it.
    place: u64,
    event: EventNumber,
    eligible_at: Timestamp,
}

impl ExpectedLine {
    pub(super) fn judge(
        &mut self,
        expected: &ReferenceState,
        tickets: &SentTickets,
        seen: &Observation<'_>,
    ) -> Result<(), Broken> {
        let lost = seen.engine.tallies().swept(SweptReason::LostTicket);
        let overtaken =
            matches!(seen.said, CommandSummary::Start(_)) && (lost > self.lost || *seen.answer == Answer::Held);
        // With a journal, tickets behind it may be on their way when one does not get in.
        let passed = matches!(seen.said, CommandSummary::EnqueueFailed(ticket, _) if tickets.is_followed(ticket));
        self.lost = lost;
        if overtaken || passed {
            // The lost tickets cannot be identified from outside.
            self.waiting.clear();
        }
        seen.facts.iter().try_for_each(|fact| self.judge_fact(expected, seen, fact))
    }

    fn judge_fact(&mut self, expected: &ReferenceState, seen: &Observation<'_>, fact: &Fact) -> Result<(), Broken> {
        match &fact.change {
            Change::Accepted(event) => {
                // A delayed or gated event joins when the engine notices that it may start, which cannot be seen.
                if not_before(event).is_none_or(|at| at <= fact.at) && !may_be_gated(seen.config, event) {
                    self.join(seen.key_table.number(event.key()), fact.at);
                }
            }
            Change::Redriven(key) => {
                let event = seen.key_table.number(key);
                let record = event.and_then(|event| expected.record(event));
                if !record.is_some_and(|record| may_be_gated(seen.config, &record.event)) {
                    self.join(event, fact.at);
                }
            }
            Change::Discarded(key) => drop(self.leave(seen.key_table.number(key))),
            Change::Started { key, .. } => return self.start(expected, seen.key_table.number(key)),
            Change::Finished { .. }
            | Change::Forgotten(_)
            | Change::Paused
            | Change::Resumed
            | Change::Epoch(_)
            | Change::GroupPaused { .. }
            | Change::Scheduled { .. } => {}
        }
        Ok(())
    }

    /// Begins with an engine opened at `now` from the facts of this state: all due events are in the line, by their
    /// times, and equal times in the order of acceptance.
    pub(super) fn reopen(&mut self, expected: &ReferenceState, now: Timestamp) {
        let due =
            |(event, record): (EventNumber, &ReferenceRecord)| Some((record.stage.eligible_at()?, record.seq, event));
        let ungated = expected.all().filter(|(_, record)| !may_be_gated(&expected.config, &record.event));
        let mut due: Vec<_> = ungated.filter_map(due).filter(|(at, ..)| *at <= now).collect();
        due.sort_unstable();
        for (eligible_at, _, event) in due {
            self.joined += 1;
            self.waiting.push_back(WaitingEvent { place: self.joined, event, eligible_at });
        }
    }

    fn join(&mut self, event: Option<EventNumber>, eligible_at: Timestamp) {
        let Some(event) = event else { return };
        self.joined += 1;
        self.waiting.push_back(WaitingEvent { place: self.joined, event, eligible_at });
    }

    /// Removes an event. Returns its place, if it was in the line and was not overtaken.
    fn leave(&mut self, event: Option<EventNumber>) -> Option<u64> {
        let event = event?;
        let at = self.waiting.iter().position(|waiting| waiting.event == event)?;
        self.waiting.remove(at).map(|waiting| waiting.place)
    }

    fn start(&mut self, expected: &ReferenceState, event: Option<EventNumber>) -> Result<(), Broken> {
        let place = self.leave(event);
        let retried_from = event.and_then(|event| match expected.record(event)?.stage {
            Lifecycle::FailedRetry(eligible_at) | Lifecycle::Received(eligible_at) => Some(eligible_at),
            Lifecycle::Processing { .. } | Lifecycle::Completed(_) | Lifecycle::Failed(_) | Lifecycle::Discarded(_) => {
                None
            }
        });
        let ahead = self.waiting.front().filter(|first| {
            place.is_some_and(|place| first.place < place) || retried_from.is_some_and(|at| first.eligible_at < at)
        });
        if let Some(WaitingEvent { event: other, .. }) = ahead {
            let what = format!("event {event:?} started before event {other}, which was in the line before it");
            return Err(Broken::new("order", 3, what));
        }
        Ok(())
    }
}

/// Returns whether events of its group or policy wait for each other.
fn may_be_gated(config: &Config, event: &Event) -> bool {
    event.group().is_some() || gate_of(config, event).is_some_and(|(_, limit)| limit < usize::MAX)
}
