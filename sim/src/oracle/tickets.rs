//! P3: tickets rise, fit the channel, and are stale only for a reason.

use std::collections::VecDeque;

use eventful::{
    RecordView, Timestamp,
    engine::{Answer, Effect, Place, Ticket},
};

use super::{CommandSummary, Observation};
use crate::failure::Broken;
use crate::scenario::EventNumber;
use crate::spec::ReferenceState;

const ORACLE: &str = "tickets";

/// The tickets that were sent, and neither presented nor proved lost.
#[derive(Debug, Default)]
pub(super) struct SentTickets {
    outstanding: VecDeque<(Ticket, Timestamp)>,
    last: Option<Ticket>,
    /// The greatest number of outstanding tickets that no longer have a record.
    void: usize,
    /// True if one of the outstanding tickets may be a marker.
    marker: bool,
    /// The time at which a ticket that may have been a marker did not get in.
    marker_failed_at: Option<Timestamp>,
    /// The time at which a ticket did not get in; none is sent until a ticket is presented, or a sweep.
    blocked_since: Option<Timestamp>,
}

impl SentTickets {
    pub(super) fn judge(&mut self, expected: &ReferenceState, seen: &Observation<'_>) -> Result<(), Broken> {
        self.leave(expected, seen)?;
        match (seen.said, seen.answer) {
            (CommandSummary::EnqueueFailed(..), Answer::Noted) => self.blocked_since = Some(seen.now),
            (CommandSummary::Start(_) | CommandSummary::Sweep | CommandSummary::ChannelLost, _) => {
                self.blocked_since = None
            }
            _ => {}
        }
        for effect in seen.effects {
            match effect {
                Effect::Enqueue(ticket) => self.send(*ticket, seen)?,
                Effect::Abort(_) => {}
            }
        }
        self.judge_counts(seen)
    }

    /// Returns the latest time at which the channel must be tested: the oldest ticket is old then, or a marker that
    /// did not get in is tried again.
    pub(super) fn test_due(&self, seen: &Observation<'_>) -> Option<Timestamp> {
        let (_, sent_at) = self.outstanding.front()?;
        let retried = self.marker_failed_at.map(|at| at + seen.config.sweep_interval);
        let stuck = (*sent_at + seen.config.stuck_after).max(retried.unwrap_or_default());
        (!self.marker).then_some(stuck)
    }

    /// Returns the number of tickets in the channel before this one.
    pub(super) fn ahead_of(&self, ticket: Ticket) -> usize {
        self.outstanding.iter().take_while(|(sent, _)| *sent < ticket).count()
    }

    /// Returns the time at which a ticket did not get in, if none was sent since.
    pub(super) const fn blocked_since(&self) -> Option<Timestamp> {
        self.blocked_since
    }

    /// Returns whether one of the outstanding tickets may have no record.
    pub(super) const fn may_be_empty(&self) -> bool {
        self.marker || self.void > 0
    }

    /// Returns whether a ticket that was sent after this one is on its way.
    pub(super) fn is_followed(&self, ticket: Ticket) -> bool {
        self.outstanding.back().is_some_and(|(last, _)| *last > ticket)
    }

    fn holds(&self, ticket: Ticket) -> bool {
        self.outstanding.iter().any(|(sent, _)| *sent == ticket)
    }

    fn send(&mut self, ticket: Ticket, seen: &Observation<'_>) -> Result<(), Broken> {
        if self.last.is_some_and(|last| ticket <= last) {
            return broken(format!(
                "ticket {} was sent after ticket {:?}, but tickets must rise",
                ticket.number(),
                self.last
            ));
        }
        if book_is_closed(seen) {
            return broken(format!("ticket {} was sent while nothing may start", ticket.number()));
        }
        self.last = Some(ticket);
        self.outstanding.push_back((ticket, seen.now));
        Ok(())
    }

    /// Removes the tickets that left the channel by this command.
    fn leave(&mut self, expected: &ReferenceState, seen: &Observation<'_>) -> Result<(), Broken> {
        match seen.said {
            CommandSummary::Start(ticket) => self.present(ticket, seen),
            CommandSummary::EnqueueFailed(ticket, _) => {
                self.outstanding.retain(|(sent, _)| *sent != ticket);
                if self.marker {
                    self.marker_failed_at = Some(seen.now);
                }
                Ok(())
            }
            CommandSummary::ChannelLost => {
                (self.void, self.marker, self.marker_failed_at) = (0, false, None);
                self.outstanding.clear();
                Ok(())
            }
            CommandSummary::Discard(event) => {
                let waits =
                    expected.present(event, seen.now).is_some_and(|record| record.stage.eligible_at().is_some());
                // The ticket of a discarded event stays in the channel without a record.
                self.void += usize::from(waits);
                Ok(())
            }
            CommandSummary::PauseGroup { paused } => {
                // One event at most returns to the gate of its group.
                self.void += usize::from(paused);
                Ok(())
            }
            CommandSummary::Sweep => {
                // A ticket that a sweep sends may be a marker, which cannot be seen from outside.
                self.marker |= !seen.effects.is_empty();
                Ok(())
            }
            CommandSummary::Submit { .. }
            | CommandSummary::Reject(_)
            | CommandSummary::Settle(..)
            | CommandSummary::Heartbeat(_)
            | CommandSummary::Redrive(_)
            | CommandSummary::Pause
            | CommandSummary::Resume
            | CommandSummary::HoldExpiry
            | CommandSummary::ReleaseExpiry
            | CommandSummary::Shutdown
            | CommandSummary::AbortInflight
            | CommandSummary::SetSchedules
            | CommandSummary::Tick
            | CommandSummary::Open => Ok(()),
        }
    }

    /// Removes a presented ticket. It proves that those before it that were not presented are lost.
    fn present(&mut self, ticket: Ticket, seen: &Observation<'_>) -> Result<(), Broken> {
        let was_there = self.holds(ticket);
        while was_there && self.outstanding.front().is_some_and(|(first, _)| *first <= ticket) {
            self.outstanding.pop_front();
        }
        let number = ticket.number();
        let is_marker = *seen.answer == Answer::Marked;
        if *seen.answer == Answer::Stale {
            // A ticket may be stale only if it has lost its record.
            if was_there && self.void == 0 {
                return broken(format!("ticket {number} was sent, but has no record"));
            }
            self.void -= usize::from(was_there);
            return Ok(());
        }
        let fits = matches!(seen.answer, Answer::Running(_) | Answer::Held) || (is_marker && self.marker);
        self.marker &= !is_marker;
        match was_there && fits {
            true => Ok(()),
            false => broken(format!("ticket {number} (in the channel: {was_there}) returned {:?}", seen.answer)),
        }
    }

    fn judge_counts(&self, seen: &Observation<'_>) -> Result<(), Broken> {
        let (queued, capacity) = (seen.gauges.queued as usize, seen.config.channel_capacity.get());
        let (sent, spare) = (self.outstanding.len(), usize::from(self.marker));
        if sent > capacity + spare {
            return broken(format!("{sent} tickets are in a channel of {capacity}"));
        }
        if queued > sent {
            return broken(format!("{queued} records are queued, with {sent} tickets in the channel"));
        }
        if sent > queued + self.void + spare {
            return broken(format!("of {sent} tickets in the channel only {queued} have a record"));
        }
        Ok(())
    }

    /// Checks that the touched record's ticket is in the channel.
    pub(super) fn judge_touched(&self, event: EventNumber, view: &RecordView) -> Result<(), Broken> {
        match view.place {
            Some(Place::Queued(ticket)) if !self.holds(ticket) => {
                broken(format!("event {event} is queued with ticket {}, which is not in the channel", ticket.number()))
            }
            _ => Ok(()),
        }
    }
}

fn book_is_closed(seen: &Observation<'_>) -> bool {
    seen.engine.phase() != eventful::engine::Phase::Running || seen.engine.is_paused()
}

fn broken(what: String) -> Result<(), Broken> {
    Err(Broken::new(ORACLE, 3, what))
}
