//! The process: its end, and its next start.

use std::time::Duration;

use eventful::journal::WriteError;
use eventful::node::{HookSet, Node};
use eventful::{
    Timestamp,
    engine::{Engine, Output, Phase},
};

use super::event_queue::{STARTED_AT, Task};
use super::parts::{BegunShutdown, Dispatcher, Ender, Stopped};
use super::routine::Routine;
use super::state::World;
use super::stop::Stop;
use crate::failure::{Broken, holds};
use crate::oracle::ShutdownEnded;
use crate::scenario::FaultKind;

/// The time after which an operator kills a process that no longer decides anything: long enough for the node to
/// report that.
const OPERATOR_MICROS: u64 = 50_000;

impl World<'_> {
    pub(super) fn ask_to_end(&mut self, timeout: u64) -> Result<(), Stop> {
        let (now, timeout) = (self.clock(), Duration::from_micros(timeout));
        let deadline = now + timeout;
        match &mut self.ender.ending {
            None => {
                let gauges = self.node.engine().gauges();
                self.stood_still = 0;
                self.ender.ending = Some(BegunShutdown {
                    asked_at: now,
                    deadline,
                    was_drained: false,
                    stopped: None,
                    has_ended: false,
                });
                self.dispatcher.routine.hurry();
                self.sweeper.routine.hurry();
                self.probe(FaultKind::Shutdown);
                if gauges.pending() > gauges.inflight {
                    self.probe(FaultKind::ShutdownInBacklog);
                }
            }
            Some(ending) => {
                ending.deadline = ending.deadline.min(deadline);
                self.probe(FaultKind::ShutdownTwice);
            }
        }
        self.drive(|node, now| node.shut_down(now, timeout))
    }

    /// Begins the shutdown that was scheduled for a reopening of the journal.
    pub(super) fn ask_to_end_amid_opening(&mut self) -> Result<(), Stop> {
        let Some(timeout) = self.ender.armed.take().filter(|_| self.is_up) else { return Ok(()) };
        self.probe(FaultKind::ShutdownAmidOpening);
        self.ask_to_end(timeout)
    }

    pub(super) fn end_time(&self) -> Option<u64> {
        self.ender.routine.due(|at| self.world_time(at))
    }

    /// Takes the shutdown as far as it goes.
    pub(super) fn see_to_end(&mut self) -> Result<(), Stop> {
        self.ender.routine.doze();
        if self.ender.ending.is_none() {
            return Ok(());
        }
        match self.drive(|node, now| node.see_to_end(now))? {
            Some(until) => self.ender.routine.sleep(Some(until)),
            None if self.ender.has_ended() => self.ender.routine = Routine::Ended,
            None => {
                return Err(Broken::new("shutdown", 6, "the shutdown has ended, but there is no report").into());
            }
        }
        Ok(())
    }

    /// Follows the progress of the node's shutdown.
    pub(super) fn follow_end(&mut self, now: Timestamp) -> Result<(), Broken> {
        if self.ender.ending.is_none() {
            return Ok(());
        }
        let unsynced = self.unsynced();
        let Some(ending) = self.ender.ending.as_mut().filter(|ending| !ending.has_ended) else { return Ok(()) };
        ending.was_drained |= unsynced == 0 && self.node.engine().gauges().inflight == 0;
        if ending.stopped.is_none() && self.node.has_stopped() {
            let pending = self.observer.see().oracles.expected.pending();
            let (workers, is_usable) = (self.workers.len(), self.node.unavailable().is_none());
            holds(ending.was_drained || !is_usable || now >= ending.deadline, || {
                let left = ending.deadline.since(now);
                Broken::new(
                    "shutdown",
                    6,
                    format_args!("stopped with {unsynced} facts that are not durable, and {left:?} left"),
                )
            })?;
            ending.stopped = Some(Stopped { at: now, workers, pending, is_usable });
            self.dropped = 0;
        }
        let Some(report) = self.node.report() else { return Ok(()) };
        ending.has_ended = true;
        let BegunShutdown { asked_at, deadline, stopped, .. } = *ending;
        let Stopped { at, workers: abandoned, pending: left, is_usable } = stopped.unwrap_or_default();
        let is_closed = self.journal.as_ref().is_none_or(|journal| journal.routine == Routine::Ended);
        let is_alive = self.dispatcher.routine.is_alive() || self.sweeper.routine.is_alive();
        holds(is_closed && !is_alive || now >= at + self.config.sync_grace, || {
            Broken::new(
                "shutdown",
                6,
                format_args!("the shutdown has ended; the journal is closed: {is_closed}, tasks are left: {is_alive}"),
            )
        })?;
        let took = now.since(asked_at);
        let graces = self.config.abort_grace + self.config.sync_grace;
        let limit = deadline.since(asked_at) + graces + Duration::from_micros(self.stood_still);
        let seen = self.observer.see();
        let ended = ShutdownEnded { report, took, limit, abandoned, left, is_usable };
        seen.oracles.judge_end(&ended)?;
        drop(seen);
        self.note(|trace| trace.note_world(&format!("the shutdown has ended: {report:?}")));
        Ok(())
    }

    /// Kills the process, and cuts the power if `power` is set. Without a journal everything is lost.
    pub(super) fn kill_process(&mut self, lasts: u64, power: bool) -> Result<(), Broken> {
        self.judge_phase()?;
        let workers = std::mem::take(&mut self.workers);
        self.note(|trace| workers.iter().for_each(|worker| trace.note_end(worker)));
        self.tasks.clear();
        self.event_queue.lose_process();
        self.clients.forget_process();
        self.is_up = false;
        self.free_channel_now();
        (self.may_panic, self.loses_marker) = (false, false);
        self.observer.switches().calm();
        self.ender = Ender::default();
        self.lose_memory(power);
        self.event_queue.at(self.now + lasts, Task::Revive);
        Ok(())
    }

    /// Schedules an operator to kill a process that no longer decides anything.
    pub(super) fn call_operator(&mut self) {
        if self.is_lost() && self.ender.ending.is_none() && !std::mem::replace(&mut self.ender.operator_comes, true) {
            self.event_queue.at(self.now + OPERATOR_MICROS, Task::Restart);
        }
    }

    pub(super) fn restart(&mut self) -> Result<(), Stop> {
        match self.is_lost() && self.ender.ending.is_none() {
            true => Ok(self.kill_process(OPERATOR_MICROS, false)?),
            false => Ok(()),
        }
    }

    /// Starts the process again; without a journal, with an empty engine.
    pub(super) fn revive(&mut self) -> Result<(), Broken> {
        if self.is_up {
            return Ok(());
        }
        if self.journal.is_some() {
            return self.revive_from_journal();
        }
        // An epoch is the time of the opening, and time has passed since the last one.
        self.latest = self.latest.max(self.clock()) + Duration::from_micros(1);
        self.skew = self.skew.max(self.lag());
        let mut out = Output::with_facts();
        let engine = Engine::new(self.config.clone(), self.latest, &mut out);
        let engine = engine.map_err(|error| Broken::new("world", 1, error))?;
        let mut seen = self.observer.see();
        seen.oracles.reopen(&engine, out.facts().iter().cloned());
        seen.latest = self.latest;
        drop(seen);
        let probe = HookSet::new(std::sync::Arc::clone(&self.observer) as _);
        self.node = Node::in_memory(self.latest, engine, out).probed(probe);
        self.become_new();
        self.note(|trace| trace.note_world("the process starts again, with nothing in its memory"));
        Ok(())
    }

    /// Ends what a panic of the node has left of its caller's task.
    pub(super) fn mourn(&mut self, task: Task) -> Result<(), Stop> {
        if task == Task::Dispatch {
            self.kill_dispatcher(0);
        } else if task == Task::Sweep {
            self.kill_sweeper(0);
        } else if task == Task::SeeToEnd {
            self.ender.routine = Routine::Awake;
        } else if task == Task::Write {
            return self.fail(&WriteError::Unknown { cause: "the node panicked".to_owned() });
        }
        Ok(())
    }

    /// Returns the difference by which the clock must be ahead of the simulation to show the latest time that the node
    /// was given.
    pub(super) fn lag(&self) -> i64 {
        let shown = (STARTED_AT + self.now) as i64;
        self.latest.as_micros() as i64 - shown
    }

    pub(super) fn is_ending(&self) -> bool {
        self.is_up && self.ender.ending.is_some() && (self.node.phase() != Phase::Running || !self.is_serving())
    }

    /// Returns whether the shutdown, if there is one, has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.is_up && self.ender.has_ended()
    }

    /// Checks the state at the end of a phase.
    pub(super) fn judge_phase(&self) -> Result<(), Broken> {
        self.seen().oracles.judge_phase(self.latest, self.node.engine(), &self.key_table)
    }

    /// Returns the dispatcher.
    pub(super) const fn dispatcher(&self) -> &Dispatcher {
        &self.dispatcher
    }
}
