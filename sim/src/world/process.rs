//! The process: how it ends, and how it starts again.

use std::time::Duration;

use eventful::{Command, Engine, Output, Phase};

use super::World;
use super::agenda::Task;
use super::channel::Channel;
use super::dispatcher::Dispatcher;
use crate::failure::Broken;
use crate::oracle::Said;
use crate::scenario::FaultKind;

/// A shutdown that has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Ending {
    asked_at: u64,
    /// The earliest deadline that anybody named.
    deadline: u64,
    /// Handlers were told to stop, and have until then.
    grace_until: Option<u64>,
    is_stopping: bool,
    is_over: bool,
}

impl World<'_> {
    pub(super) fn ask_to_end(&mut self, timeout: u64) -> Result<(), Broken> {
        let deadline = self.now + timeout;
        match &mut self.ending {
            None => {
                self.probes.fault(FaultKind::Shutdown);
                if self.engine.gauges().pending() > self.engine.gauges().inflight {
                    self.probes.fault(FaultKind::ShutdownInBacklog);
                }
                self.stood_still = 0;
                let asked_at = self.now;
                self.ending =
                    Some(Ending { asked_at, deadline, grace_until: None, is_stopping: false, is_over: false });
            }
            Some(ending) => {
                self.probes.fault(FaultKind::ShutdownTwice);
                ending.deadline = ending.deadline.min(deadline);
            }
        }
        if self.is_serving() {
            self.tell(Command::Shutdown, Said::Shutdown)?;
        }
        self.agenda.at(deadline, Task::DrainEnds);
        self.look_for_end();
        Ok(())
    }

    /// Goes on with the shutdown when what it waits for has happened.
    pub(super) fn look_for_end(&mut self) {
        let Some(ending) = self.ending.filter(|ending| !ending.is_over && !ending.is_stopping) else { return };
        match ending.grace_until {
            None if self.is_drained() => self.agenda.now(Task::DrainEnds),
            Some(_) if self.workers.is_empty() => self.stop_soon(),
            _ => {}
        }
    }

    /// Whether no run is in flight, and all that was decided is durable.
    fn is_drained(&self) -> bool {
        self.is_down() || (self.engine.gauges().inflight == 0 && self.is_synced())
    }

    fn stop_soon(&mut self) {
        if let Some(ending) = &mut self.ending
            && !ending.is_stopping
        {
            ending.is_stopping = true;
            self.agenda.now(Task::Stop);
        }
    }

    /// Nothing is in flight, or the time to drain is over: every handler that is left is to stop.
    pub(super) fn drain_ends(&mut self) -> Result<(), Broken> {
        let is_drained = self.is_drained();
        let Some(ending) = self.ending.as_mut().filter(|ending| ending.grace_until.is_none()) else { return Ok(()) };
        if !is_drained && self.now < ending.deadline {
            return Ok(());
        }
        let until = self.now + self.scenario.setup.settings.abort_grace;
        ending.grace_until = Some(until);
        self.note_world("the time to drain ends");
        self.stop_workers();
        self.agenda.at(until, Task::GraceEnds);
        self.look_for_end();
        Ok(())
    }

    pub(super) fn grace_ends(&mut self) -> Result<(), Broken> {
        self.note_world("the grace for handlers ends");
        self.stop_soon();
        Ok(())
    }

    pub(super) fn stop(&mut self) -> Result<(), Broken> {
        if self.is_serving() {
            self.tell(Command::AbortInflight, Said::AbortInflight)?;
        }
        let Some(ending) = &mut self.ending else { return Ok(()) };
        ending.is_over = true;
        self.dropped = 0;
        let took = self.now - ending.asked_at;
        let grace = self.scenario.setup.settings.abort_grace;
        let allowed = ending.deadline - ending.asked_at + 2 * grace + self.stood_still;
        if self.is_serving() {
            self.oracles.judge_end(Duration::from_micros(took), Duration::from_micros(allowed), &self.engine)?;
        }
        self.oracles.judge_phase(self.told, &self.engine, &self.roster)
    }

    /// The process dies, and with it the power if so told. Without a journal everything is gone.
    pub(super) fn kill_process(&mut self, lasts: u64, power: bool) -> Result<(), Broken> {
        self.oracles.judge_phase(self.told, &self.engine, &self.roster)?;
        let workers = std::mem::take(&mut self.workers);
        workers.iter().for_each(|worker| self.note_end(worker));
        self.agenda.lose_process();
        self.is_up = false;
        self.lose_memory(power);
        self.agenda.at(self.now + lasts, Task::Revive);
        Ok(())
    }

    /// It starts again, with an engine that remembers nothing.
    pub(super) fn revive(&mut self) -> Result<(), Broken> {
        if self.is_up {
            return Ok(());
        }
        if self.journal.is_some() {
            return self.revive_from_journal();
        }
        // An epoch is the time of the opening, and time has passed since the last one.
        self.told = self.told.max(self.clock()) + Duration::from_micros(1);
        self.skew = self.skew.max(self.lag());
        self.out = Output::with_facts();
        let engine = Engine::new(self.config.clone(), self.told, &mut self.out);
        self.engine = engine.map_err(|error| Broken::new("world", 1, error))?;
        let facts = super::drained(&mut self.out);
        self.oracles.reopen(&self.engine, facts.into_iter());
        self.channel = Channel::new(self.config.channel_capacity.get());
        self.dispatcher = Dispatcher::new(self.config.concurrency.get());
        self.ending = None;
        self.dropped = 0;
        self.is_up = true;
        self.note_world("the process starts again, with nothing in its memory");
        self.sweeper.arm(self.engine.next_deadline());
        Ok(())
    }

    /// How far the clock must be ahead of the world to show the latest time that the engine was told.
    pub(super) fn lag(&self) -> i64 {
        let shown = (super::STARTED_AT + self.now) as i64;
        self.told.as_micros() as i64 - shown
    }

    pub(super) fn is_ending(&self) -> bool {
        self.ending.is_some() && (self.engine.phase() != Phase::Running || !self.is_serving())
    }

    /// Whether the shutdown, if there is one, has come to its end.
    pub(super) fn has_ended(&self) -> bool {
        self.is_up && self.ending.is_some_and(|ending| ending.is_over) && self.is_synced()
    }
}
