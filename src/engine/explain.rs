//! The explanation why an event is not running now.

use alloc::format;
use alloc::string::String;
use core::time::Duration;

use super::ids::Ticket;
use super::key::Key;
use super::store::{ActiveRun, LiveRecord, LiveState, Location, WaitingState};
use super::time::Timestamp;
use super::view::{Gate, Place};
use super::{Engine, Phase};

impl Engine {
    /// Says in one sentence why an event is not running at `now`, or that it is. Absent when
    /// there is no record of it.
    pub fn explain(&self, now: Timestamp, key: &Key) -> Option<String> {
        let now = now.max(self.now);
        let location = self.locate(now, key)?;
        let left = self.ends_at(location).map(|end| end.since(now));
        Some(match location {
            Location::Tombstone(id) => {
                let status = self.state.store.tombstone(id).status();
                format!("It is {status}, and is remembered for another {:?}.", left.unwrap_or_default())
            }
            Location::Live(slot) => self.explain_live(now, left, &self.state.store.live[slot]),
        })
    }

    fn explain_live(&self, now: Timestamp, left: Option<Duration>, record: &LiveRecord) -> String {
        match record.state {
            LiveState::Processing(run) => explain_run(now, record.attempt, run),
            LiveState::Failed { .. } => {
                let error = record.last_error().map_or("no error was recorded", |error| error.as_str());
                let end = left.map_or_else(String::new, |left| format!(" It is kept for another {left:?}."));
                let halts = record.group.map_or_else(String::new, |group| {
                    format!(" Its group {} is halted until then, or until it is discarded.", self.groups.name(group))
                });
                format!("It has failed at attempt {}: {error}; redrive it to try again.{halts}{end}", record.attempt)
            }
            LiveState::Waiting(waiting) => self.explain_waiting(now, record, waiting),
        }
    }

    fn explain_waiting(&self, now: Timestamp, record: &LiveRecord, waiting: WaitingState) -> String {
        // Before the pause: to resume an engine that shuts down would start nothing.
        if self.phase != Phase::Running {
            return "It waits because the engine is shutting down and starts nothing.".into();
        }
        if self.state.paused {
            return "It waits because the engine is paused; resume it.".into();
        }
        match waiting.place {
            Some(Place::Delayed) if record.attempt == 0 => {
                format!("It waits for {:?} until its first attempt may start.", waiting.eligible_at.since(now))
            }
            Some(Place::Delayed) => {
                format!("It waits for {:?} until its next attempt may start.", waiting.eligible_at.since(now))
            }
            Some(Place::Gated(Gate::Group)) => {
                record.group.map_or_else(String::new, |group| self.explain_grouped(now, group))
            }
            Some(Place::Gated(Gate::Type)) => {
                record.policy.map_or_else(String::new, |gate| self.explain_gated(gate, record.event.event_type()))
            }
            Some(Place::Queued(ticket)) => self.explain_queued(ticket),
            Some(Place::Line) | None => self.explain_line(),
        }
    }

    fn explain_queued(&self, ticket: Ticket) -> String {
        let ahead = self.tickets.ahead_of(ticket);
        let (running, limit) = (self.runs.len(), self.config.concurrency);
        format!("It is in the channel with {ahead} ahead of it, while {running} of at most {limit} run.")
    }

    fn explain_line(&self) -> String {
        let (line, capacity) = (self.line.len(), self.config.channel_capacity);
        match self.blocked_since {
            Some(since) => format!(
                "It is one of {line} in the line, and none gets a ticket until {}, because the channel took none.",
                since + self.config.sweep_interval
            ),
            None => format!("It is one of {line} in the line, and the channel is full with {capacity}."),
        }
    }
}

fn explain_run(now: Timestamp, attempt: u32, run: ActiveRun) -> String {
    let (lasts, left) = (now.since(run.started_at), run.deadline.since(now));
    format!("It is running: attempt {attempt} for {lasts:?} now, with {left:?} left until its deadline.")
}
