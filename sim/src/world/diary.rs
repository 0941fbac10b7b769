//! What people get to see of a run.

use std::fmt::Write as _;

use eventful::{Answer, EnqueueFailure, RunId, Ticket};

use super::World;
use super::worker::Worker;
use crate::failure::Broken;
use crate::oracle::{Known, Said};
use crate::probe::Standing;
use crate::scenario::{EventNumber, Fault, Operation};
use crate::trace::{Entry, Lane, What};

impl World<'_> {
    fn note(&mut self, lane: Lane, what: What, event: Option<EventNumber>, note: impl FnOnce() -> String) {
        if self.trace.is_none() {
            return;
        }
        let record = event.and_then(|event| self.describe(event));
        let entry = Entry { step: self.steps, at: self.now, lane, what, event, note: note(), record };
        if let Some(trace) = &mut self.trace {
            trace.entries.push(entry);
        }
    }

    /// How a record stands, in a line.
    fn describe(&self, event: EventNumber) -> Option<String> {
        let view = self.engine.get(self.told, self.roster.key(event))?;
        let mut line = format!("{}, attempt {}", view.status, view.attempt);
        let _ = match (view.place, view.run) {
            (Some(place), _) => write!(line, ", {place:?}"),
            (None, Some(run)) => write!(line, ", run {}", run.id),
            (None, None) => Ok(()),
        };
        let _ = match view.last_error {
            Some(error) => write!(line, ", {error}"),
            None => Ok(()),
        };
        Some(line)
    }

    /// Where the record stands that a command names, before it.
    pub(super) fn state_of(&self, said: Said) -> Standing {
        let book = &self.oracles.book;
        let event = said.event().or_else(|| book.of_run(said.run()?));
        let (now, retention) = (self.told.max(self.clock()), self.config.retention);
        let expired = |known: &&Known| known.stage.terminal_at().is_some_and(|at| at + retention <= now);
        let known = event.and_then(|event| book.known(event)).filter(|known| !expired(known));
        Standing {
            phase: self.engine.phase(),
            is_paused: self.engine.is_paused(),
            status: known.map(|known| known.stage.status()),
        }
    }

    pub(super) fn note_command(&mut self, said: Said, answer: &Answer) {
        if self.trace.is_none() {
            return;
        }
        let event = if let Answer::Running(run) = answer {
            self.roster.number(run.event.key())
        } else {
            said.event().or_else(|| self.handled_by(said.run()?))
        };
        let from = self.speaker(said);
        self.note(from, What::Message(Lane::Engine), event, || format!("{} → {}", tell(said), short(answer)));
    }

    /// The event that a worker works on under this run.
    fn handled_by(&self, run: RunId) -> Option<EventNumber> {
        self.workers.iter().find(|worker| worker.run == run).map(|worker| worker.event)
    }

    /// Who says it.
    fn speaker(&self, said: Said) -> Lane {
        match said {
            Said::Submit { .. }
            | Said::Reject { .. }
            | Said::Redrive(_)
            | Said::Discard(_)
            | Said::Pause
            | Said::Resume => {
                let operation = self.scenario.operations.get(self.next_operation.saturating_sub(1));
                Lane::Client(operation.map_or(0, |operation| operation.client))
            }
            Said::Start(_) => Lane::Dispatcher,
            Said::Settle(run, _) | Said::Heartbeat(run) => {
                let worker = self.workers.iter().find(|worker| worker.run == run);
                worker.map_or(Lane::World, |worker| Lane::Worker(worker.permit))
            }
            Said::EnqueueFailed(..) => Lane::Channel,
            Said::Sweep => Lane::Sweeper,
            Said::ChannelLost | Said::Shutdown | Said::AbortInflight => Lane::World,
        }
    }

    pub(super) fn note_send(&mut self, ticket: Ticket, sent: Result<(), EnqueueFailure>) {
        self.note(Lane::Engine, What::Message(Lane::Channel), None, || match sent {
            Ok(()) => format!("ticket {}", ticket.number()),
            Err(cause) => format!("ticket {} does not get in: {cause:?}", ticket.number()),
        });
    }

    pub(super) fn note_begin(&mut self, worker: &Worker) {
        let note = || format!("attempt {} of event {}, run {}", worker.attempt, worker.event, worker.run);
        self.note(Lane::Worker(worker.permit), What::Begin, Some(worker.event), note);
    }

    pub(super) fn note_end(&mut self, worker: &Worker) {
        let note = || match worker.outcome {
            Some(outcome) => format!("{outcome:?}"),
            None => "dropped".to_owned(),
        };
        self.note(Lane::Worker(worker.permit), What::End, Some(worker.event), note);
    }

    pub(super) fn note_fault(&mut self, fault: &Fault) {
        self.note(Lane::World, What::Fault, None, || format!("{fault:?}"));
    }

    pub(super) fn note_unreachable(&mut self, operation: &Operation) {
        let lane = Lane::Client(operation.client);
        self.note(lane, What::Note, None, || format!("{:?}: nobody answers", operation.act));
    }

    pub(super) fn note_broken(&mut self, broken: &Broken) {
        self.note(Lane::Engine, What::Broken, None, || broken.to_string());
    }
}

fn tell(said: Said) -> String {
    if let Said::Submit { event, digest, .. } = said {
        return format!("submit event {event} {}", &digest.to_string()[..15]);
    }
    match said.run() {
        Some(run) => format!("{said:?}").replace(&format!("{run:?}"), &run.to_string()),
        None => format!("{said:?}"),
    }
}

fn short(answer: &Answer) -> String {
    if let Answer::Running(run) = answer { format!("Running({})", run.id) } else { format!("{answer:?}") }
}
