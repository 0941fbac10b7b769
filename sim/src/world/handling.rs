//! The steps of workers on their runs.

use std::time::Duration;

use eventful::engine::{Epoch, RunId};
use eventful::node::{Launch, Lsn, WorkerId as Holder};

use super::event_queue::Task;
use super::state::World;
use super::stop::Stop;
use super::worker::{Does, Serial, TaskNumber, WorldWorker};
use crate::oracle::OutcomeSummary;
use crate::scenario::{Behaviour, FaultKind};
use crate::state_hash::StateHash;
use std::hash::Hasher as _;

/// The time for which a process is down that a handler has killed: short, so that clients soon reach the next one.
const KILL_MICROS: u64 = 10_000;

impl World<'_> {
    /// Adds a worker for a run that was started. No task handles it yet.
    pub(super) fn add_worker(&mut self, Launch { worker: holder, run, .. }: Launch) -> Serial {
        let event = self.key_table.number(run.event.key()).unwrap_or_default();
        let serial = self.next_serial;
        self.next_serial += 1;
        let worker = WorldWorker {
            serial,
            task: None,
            holder,
            run: run.id,
            event,
            attempt: run.attempt,
            does: self.handlers.plan(event, run.attempt),
            ends_at: u64::MAX,
            begun: false,
            cancelled: None,
            decided: self.seen().oracles.decided(),
            has_ended: false,
            outcome: None,
        };
        if self.old_runs.len() < 8 {
            self.old_runs.push(run.id);
        }
        self.note(|trace| trace.note_begin(&worker));
        self.workers.push(worker);
        serial
    }

    /// Gives this run to a task.
    pub(super) fn assign(&mut self, serial: Serial, task: TaskNumber) {
        if let Some(worker) = self.workers.iter_mut().find(|worker| worker.serial == serial) {
            worker.task = Some(task);
        }
    }

    /// Schedules the handler's call: when the start of the run is durable, or at once.
    pub(super) fn begin_when_durable(&mut self, serial: Serial, lsn: Option<Lsn>) {
        let is_relaxed = self.journal.as_ref().is_some_and(|journal| journal.settings.relaxed_starts);
        match lsn.filter(|_| !is_relaxed) {
            Some(lsn) => self.await_start(serial, lsn),
            None => {
                if is_relaxed {
                    self.probe(FaultKind::Relaxed);
                }
                self.event_queue.now(Task::Begin(serial));
            }
        }
    }

    /// Removes a worker that is about to be settled, with all that it waits for.
    pub(super) fn remove_worker(&mut self, serial: Serial) -> Option<WorldWorker> {
        let at = self.workers.iter().position(|worker| worker.serial == serial)?;
        self.clients.waits.retain(|wait| !wait.is_of_worker(serial));
        Some(self.workers.remove(at))
    }

    /// Returns the worker, unless it has ended or workers are stalled.
    fn worker(&mut self, serial: Serial, task: Task) -> Option<WorldWorker> {
        let worker = self.workers.iter().find(|worker| worker.serial == serial && !worker.has_ended).copied()?;
        let until = self.handlers.workers_stalled_until;
        if self.now < until {
            self.event_queue.at(until, task);
            return None;
        }
        Some(worker)
    }

    fn change(&mut self, changed: WorldWorker) {
        if let Some(worker) = self.workers.iter_mut().find(|worker| worker.serial == changed.serial) {
            *worker = changed;
        }
    }

    /// Calls the handler.
    pub(super) fn begin(&mut self, serial: Serial) -> Result<(), Stop> {
        let Some(mut worker) = self.worker(serial, Task::Begin(serial)) else { return Ok(()) };
        if worker.cancelled.is_some() {
            return self.end_with(worker, None);
        }
        self.probe_behaviour(&worker);
        if worker.does == Does::As(Behaviour::NotCalled) {
            let task = worker.task.and_then(|task| self.tasks.take(task));
            return task.map_or(Ok(()), |task| self.end_task(task));
        }
        worker.begun = true;
        self.change(worker);
        let mut seen = self.observer.see();
        if seen.oracles.expected.of_run(worker.run).is_some() {
            seen.oracles.ledger.call(worker.event);
        }
        seen.oracles.journal.as_ref().map_or(Ok(()), |journal| journal.judge_call(worker.decided))?;
        drop(seen);
        if worker.does == Does::As(Behaviour::KillsProcess) {
            if self.journal.as_ref().is_none_or(|journal| journal.settings.relaxed_starts) {
                self.handlers.calm(worker.event, worker.attempt);
            }
            return Ok(self.kill_process(KILL_MICROS, false)?);
        }
        if matches!(worker.does, Does::Poison | Does::As(Behaviour::PanicBefore)) {
            return self.end_with(worker, Some(OutcomeSummary::Crashed));
        }
        let lasts = self.lasts(&worker);
        if lasts == Some(0) {
            return self.end(serial);
        }
        if let Some(lasts) = lasts {
            worker.ends_at = self.now + lasts;
            self.event_queue.at(worker.ends_at, Task::End(serial));
            self.change(worker);
        }
        if let Some(Behaviour::Beating { every, .. }) = worker.behaviour() {
            self.event_queue.at(self.now + every.max(1), Task::Beat(serial));
        }
        // A handler that blocks its thread never reaches a point at which it would wait.
        let blocks = matches!(worker.behaviour(), Some(Behaviour::Blocks { .. }));
        worker.task.filter(|_| !blocks).map_or(Ok(()), |task| self.share_out(task))
    }

    /// Ends a worker's handler with this outcome; without one it was dropped, or is not called.
    fn end_with(&mut self, worker: WorldWorker, outcome: Option<OutcomeSummary>) -> Result<(), Stop> {
        self.change(WorldWorker { has_ended: true, outcome, ..worker });
        worker.task.into_iter().for_each(|task| self.advance(task, worker.serial));
        Ok(())
    }

    /// Returns the duration of the handler; none if it never ends by itself.
    fn lasts(&self, worker: &WorldWorker) -> Option<u64> {
        match worker.behaviour() {
            Some(Behaviour::Hang | Behaviour::Stuck) => None,
            Some(
                Behaviour::Slow { lasts }
                | Behaviour::Blocks { lasts }
                | Behaviour::Beating { lasts, .. }
                | Behaviour::Deaf { lasts },
            ) => Some(lasts),
            _ => Some(self.pause(worker)),
        }
    }

    /// Returns a short duration that follows from seed, event and attempt.
    fn pause(&self, worker: &WorldWorker) -> u64 {
        let mut mix = StateHash::default();
        mix.word(self.scenario.seed);
        mix.word(u64::from(worker.event) << 32 | u64::from(worker.attempt));
        let drawn = mix.finish();
        if self.scenario.setup.quick && drawn % 8 != 0 { 0 } else { drawn / 8 % 20 * 1_000 }
    }

    pub(super) fn beat(&mut self, serial: Serial) -> Result<(), Stop> {
        let Some(worker) = self.worker(serial, Task::Beat(serial)) else { return Ok(()) };
        let Some(Behaviour::Beating { every, .. }) = worker.behaviour() else { return Ok(()) };
        if worker.cancelled.is_some() {
            return Ok(());
        }
        if self.drive(|node, now| node.heartbeat(now, worker.run))?.is_some() {
            self.event_queue.at(self.now + every.max(1), Task::Beat(serial));
        }
        Ok(())
    }

    /// Ends the handler: its side effect happens, or it fails.
    pub(super) fn end(&mut self, serial: Serial) -> Result<(), Stop> {
        let Some(worker) = self.worker(serial, Task::End(serial)) else { return Ok(()) };
        if worker.cancelled.is_some() && worker.heeds() {
            return Ok(());
        }
        let outcome = self.outcome(&worker);
        if matches!(outcome, OutcomeSummary::Done | OutcomeSummary::DoneWith { .. } | OutcomeSummary::Crashed) {
            self.seen().oracles.ledger.affect(worker.event);
        }
        self.end_with(worker, Some(outcome))
    }

    fn outcome(&self, worker: &WorldWorker) -> OutcomeSummary {
        if self.now < self.handlers.all_fail_until {
            self.probe(FaultKind::AllFail);
            return OutcomeSummary::Retry { after: None };
        }
        match worker.behaviour() {
            Some(Behaviour::Retry { after }) => OutcomeSummary::Retry { after: after.map(Duration::from_micros) },
            Some(Behaviour::Permanent) => OutcomeSummary::Permanent,
            Some(Behaviour::Snooze { delay }) => {
                OutcomeSummary::Snooze { delay: Duration::from_micros(delay), has_reason: false }
            }
            Some(Behaviour::Shortage { delay }) => {
                OutcomeSummary::Snooze { delay: Duration::from_micros(delay), has_reason: true }
            }
            Some(Behaviour::PanicAfter) => OutcomeSummary::Crashed,
            Some(Behaviour::Follows { first, count, payload }) => OutcomeSummary::DoneWith { first, count, payload },
            _ => OutcomeSummary::Done,
        }
    }

    /// Drops a cancelled handler at the point where it waits, or before it is called.
    pub(super) fn drop_handler(&mut self, serial: Serial) -> Result<(), Stop> {
        let Some(worker) = self.worker(serial, Task::Yield(serial)) else { return Ok(()) };
        self.end_with(worker, None)
    }

    /// Schedules a second settlement: of the same run, or of a run that is not the worker's.
    pub(super) fn plan_to_settle_again(&mut self, worker: &WorldWorker) {
        let again = match worker.behaviour().filter(|_| worker.outcome.is_some()) {
            Some(Behaviour::ReportsTwice) => Some(worker.run),
            Some(Behaviour::ReportsForeign) => Some(self.foreign_run()),
            _ => None,
        };
        if let Some(run) = again {
            self.clients.holder = Some(worker.holder);
            self.event_queue.at(self.now + self.pause(worker) * 10, Task::SettleAgain(run));
        }
    }

    /// Sends a heartbeat and an outcome for a run that was settled before.
    pub(super) fn settle_again(&mut self, run: RunId) -> Result<(), Stop> {
        let Some(holder) = self.clients.holder else { return Ok(()) };
        self.drive(|node, now| node.heartbeat(now, run))?;
        let outcome = match run.number() % 7 {
            6 => OutcomeSummary::DoneWith { first: 0, count: 1, payload: 0 },
            5 => OutcomeSummary::NotCalled,
            0 => OutcomeSummary::Done,
            1 => OutcomeSummary::Retry { after: None },
            2 => OutcomeSummary::Permanent,
            3 => OutcomeSummary::Snooze { delay: Duration::from_millis(1), has_reason: true },
            _ => OutcomeSummary::Crashed,
        };
        let outcome = self.outcome_of(outcome);
        self.drive(|node, now| node.settle(now, holder, run, Some(outcome))).map(drop)
    }

    /// Returns a run of an earlier opening of the engine, or of none.
    fn foreign_run(&self) -> RunId {
        let epoch = self.node.engine().epoch();
        let old = self.old_runs.iter().find(|run| run.epoch() != epoch);
        old.copied().unwrap_or(RunId::new(Epoch::new(epoch.number() + 1), 1))
    }

    /// Cancels a worker, which stops unless it ignores that.
    pub(super) fn cancel(&mut self, holder: Holder) {
        let now = self.clock();
        let Some(worker) = self.workers.iter_mut().find(|worker| worker.holder == holder) else { return };
        let stops = !worker.has_ended && worker.heeds() && worker.cancelled.is_none();
        worker.cancelled.get_or_insert(now);
        // A worker whose run waits behind another one learns of it then.
        if stops && worker.task.is_some() {
            let worker = *worker;
            self.event_queue.now(Task::Yield(worker.serial));
            self.note(|trace| trace.note_stop(&worker));
        }
    }
}
