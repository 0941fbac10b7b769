//! Telling the engine something: doing what it wants done, and judging the step.

use std::hash::Hash as _;

use eventful::{Answer, Command, Effect, EnqueueFailure, ErrorText, Outcome, RunId, Ticket};

use super::World;
use super::agenda::Task;
use super::journal::Journal;
use crate::failure::Broken;
use crate::oracle::{Said, Seen, Told};
use crate::scenario::FaultKind;

/// Tickets that did not get into the channel.
struct Unsent {
    tickets: Vec<Ticket>,
    cause: EnqueueFailure,
}

impl World<'_> {
    /// Tells the engine something, and has its answer judged.
    pub(super) fn tell(&mut self, command: Command, said: Said) -> Result<Answer, Broken> {
        let answer = self.execute(command, said)?;
        self.perform_effects()?;
        Ok(answer)
    }

    fn execute(&mut self, command: Command, said: Said) -> Result<Answer, Broken> {
        self.gate_expiry()?;
        self.execute_as_it_is(command, said)
    }

    /// Sweeps forget only while the journal keeps up.
    pub(super) fn gate_expiry(&mut self) -> Result<(), Broken> {
        let hold = self.journal.as_ref().is_some_and(Journal::is_behind);
        if hold == std::mem::replace(&mut self.holds_expiry, hold) {
            return Ok(());
        }
        let (command, said) = match hold {
            true => {
                self.probes.fault(FaultKind::ExpiryHeld);
                (Command::HoldExpiry, Said::HoldExpiry)
            }
            false => (Command::ReleaseExpiry, Said::ReleaseExpiry),
        };
        self.execute_as_it_is(command, said).map(drop)
    }

    fn execute_as_it_is(&mut self, command: Command, said: Said) -> Result<Answer, Broken> {
        let before = self.state_of(said);
        let now = self.clock();
        self.told = self.told.max(now);
        self.oracles.expect(now, &command);
        let answer = self.engine.execute(now, command, &mut self.out);
        let (gauges, deadline) = (self.engine.gauges(), self.engine.next_deadline());
        self.sweeper.arm(deadline);
        let seen = Seen {
            step: self.steps,
            now: self.told,
            said,
            answer: &answer,
            facts: self.out.facts(),
            effects: self.out.effects(),
            dropped: self.out.dropped(),
            gauges: &gauges,
            deadline,
            holds_expiry: self.holds_expiry,
            engine: &self.engine,
            config: &self.config,
            roster: &self.roster,
        };
        let verdict = self.oracles.judge(&seen);
        std::mem::discriminant(&answer).hash(&mut self.hash);
        self.hash.word(self.out.facts().len() as u64);
        self.hash.word(gauges.queued << 32 | gauges.line << 16 | gauges.delayed);
        self.out.effects().hash(&mut self.hash);
        // What gates expiry is the same in every state, and so no edge.
        if !matches!(said, Said::HoldExpiry | Said::ReleaseExpiry) {
            self.probes.edge(before, &said, &answer);
        }
        self.note_command(said, &answer);
        if self.journal.is_some() {
            self.journal_facts();
        }
        self.oracles.keep(self.out.drain_facts());
        self.out.drain_dropped().for_each(drop);
        verdict.map(|()| answer)
    }

    pub(super) fn perform_effects(&mut self) -> Result<(), Broken> {
        while !self.out.effects().is_empty() {
            let mut effects = std::mem::take(&mut self.effects);
            effects.extend(self.out.drain_effects());
            let mut unsent = Unsent { tickets: Vec::new(), cause: EnqueueFailure::Full };
            for effect in effects.drain(..) {
                match effect {
                    Effect::Abort(run) => {
                        self.note_abort(run);
                        self.cancel(run);
                    }
                    Effect::Enqueue(ticket) if self.journal.is_some() && !self.may_leave(ticket) => {}
                    Effect::Enqueue(ticket) => self.send_after(ticket, &mut unsent)?,
                }
            }
            self.effects = effects;
            self.report_unsent(unsent)?;
        }
        Ok(())
    }

    /// Sends tickets that have waited until they may leave.
    pub(super) fn send_released(&mut self, tickets: Vec<Ticket>) -> Result<(), Broken> {
        let mut unsent = Unsent { tickets: Vec::new(), cause: EnqueueFailure::Full };
        tickets.into_iter().try_for_each(|ticket| self.send_after(ticket, &mut unsent))?;
        self.report_unsent(unsent)?;
        self.perform_effects()
    }

    /// After the first ticket that does not get in none of the rest is sent.
    fn send_after(&mut self, ticket: Ticket, unsent: &mut Unsent) -> Result<(), Broken> {
        self.judge_ticket(ticket)?;
        let sent = if unsent.tickets.is_empty() { self.send(ticket) } else { Err(unsent.cause) };
        if let Err(cause) = sent {
            unsent.cause = cause;
            unsent.tickets.push(ticket);
        }
        Ok(())
    }

    /// Reports all that did not get in, the last one first.
    fn report_unsent(&mut self, Unsent { mut tickets, cause }: Unsent) -> Result<(), Broken> {
        while let Some(ticket) = tickets.pop() {
            self.execute(Command::EnqueueFailed { ticket, cause }, Said::EnqueueFailed(ticket, cause))?;
        }
        Ok(())
    }

    /// Tells the outcome of a run, whoever's it is.
    pub(super) fn report(&mut self, run: RunId, told: Told) -> Result<Answer, Broken> {
        let outcome = match told {
            Told::Done => Outcome::Done,
            Told::Retry { after } => Outcome::Retry { error: ErrorText::new("not now"), after },
            Told::Permanent => Outcome::Permanent { error: ErrorText::new("never") },
            Told::Snooze { delay, has_reason } => {
                Outcome::Snooze { delay, reason: has_reason.then(|| ErrorText::new("no descriptor is left")) }
            }
            Told::Crashed => Outcome::Crashed { error: ErrorText::new("the handler panicked") },
        };
        self.tell(Command::Settle { run, outcome }, Said::Settle(run, told))
    }

    /// A run no longer counts: its handler is to stop, if it listens.
    fn cancel(&mut self, run: RunId) {
        let Some(worker) = self.workers.iter_mut().find(|worker| worker.run == run) else { return };
        let waits = worker.outcome.is_none() && worker.heeds() && !worker.cancelled;
        worker.cancelled = true;
        if waits {
            let serial = worker.serial;
            self.agenda.now(Task::Yield(serial));
        }
    }
}
