//! How workers go about their runs.

use std::time::Duration;

use eventful::{Answer, Command, Run, RunId};

use super::World;
use super::agenda::Task;
use super::worker::{Does, Serial, Worker};
use crate::failure::Broken;
use crate::mix::Mix;
use crate::oracle::{Said, Told};
use crate::scenario::{Behaviour, EventNumber, FaultKind, Injection, Scenario};
use std::hash::Hasher as _;

/// How long a process is down that a handler has killed.
const KILL_MICROS: u64 = 10_000;

/// What handlers do, as the scenario has it.
#[derive(Debug)]
pub(super) struct Handlers {
    /// By event and attempt.
    planned: Vec<(EventNumber, u32, Behaviour)>,
    poison: Vec<EventNumber>,
    /// Until when all that end fail.
    pub(super) all_fail_until: u64,
    pub(super) workers_stalled_until: u64,
}

impl Handlers {
    pub(super) fn of(scenario: &Scenario) -> Self {
        let mut handlers =
            Self { planned: Vec::new(), poison: Vec::new(), all_fail_until: 0, workers_stalled_until: 0 };
        for fault in &scenario.faults {
            if let Injection::Handler { event, attempt, does } = fault.what {
                handlers.planned.push((event, attempt, does));
            } else if let Injection::Poison { event } = fault.what {
                handlers.poison.push(event);
            }
        }
        handlers.planned.sort_by_key(|(event, attempt, _)| (*event, *attempt));
        handlers
    }

    /// What a handler does now. It is stuck once at most: else an event that is forgotten and comes
    /// again would take one permit after the other for good.
    fn plan(&mut self, event: EventNumber, attempt: u32) -> Does {
        if self.poison.contains(&event) {
            return Does::Poison;
        }
        let at = self.planned.partition_point(|(e, a, _)| (*e, *a) < (event, attempt));
        match self.planned.get_mut(at) {
            Some((e, a, behaviour)) if (*e, *a) == (event, attempt) => {
                let does = Does::As(*behaviour);
                if *behaviour == Behaviour::Stuck {
                    *behaviour = Behaviour::Hang;
                }
                does
            }
            _ => Does::Succeed,
        }
    }

    /// This attempt kills no process any more. Where starts are relaxed it may come back with every
    /// process that it kills, without end.
    fn calm(&mut self, event: EventNumber, attempt: u32) {
        let killer = self.planned.iter_mut().find(|(e, a, _)| (*e, *a) == (event, attempt));
        killer.into_iter().for_each(|(.., does)| *does = Behaviour::PanicBefore);
    }
}

impl World<'_> {
    pub(super) fn start_worker(&mut self, run: &Run) {
        let event = self.roster.number(run.event.key()).unwrap_or_default();
        let serial = self.next_serial;
        self.next_serial += 1;
        let worker = Worker {
            serial,
            permit: self.dispatcher.take_permit(),
            run: run.id,
            event,
            attempt: run.attempt,
            does: self.handlers.plan(event, run.attempt),
            ends_at: u64::MAX,
            cancelled: false,
            decided: self.oracles.decided(),
            outcome: None,
        };
        if self.old_runs.len() < 8 {
            self.old_runs.push(run.id);
        }
        self.note_begin(&worker);
        self.workers.push(worker);
        if self.starts_at_once(serial) {
            self.agenda.now(Task::Begin(serial));
        }
    }

    /// The worker, unless it has ended; it waits while workers are stalled.
    fn worker(&mut self, serial: Serial, task: Task) -> Option<Worker> {
        let worker = self.workers.iter().find(|worker| worker.serial == serial).copied()?;
        let until = self.handlers.workers_stalled_until;
        if self.now < until {
            self.agenda.at(until, task);
            return None;
        }
        Some(worker)
    }

    fn change(&mut self, changed: Worker) {
        if let Some(worker) = self.workers.iter_mut().find(|worker| worker.serial == changed.serial) {
            *worker = changed;
        }
    }

    /// The handler is called.
    pub(super) fn begin(&mut self, serial: Serial) -> Result<(), Broken> {
        let Some(mut worker) = self.worker(serial, Task::Begin(serial)) else { return Ok(()) };
        if worker.cancelled && worker.heeds() {
            return Ok(());
        }
        self.probe_behaviour(&worker);
        if self.oracles.book.of_run(worker.run).is_some() {
            self.oracles.ledger.call(worker.event);
        }
        if let Some(journal) = &self.oracles.journal {
            journal.judge_call(worker.decided)?;
        }
        if worker.does == Does::As(Behaviour::KillsProcess) {
            if self.journal.as_ref().is_none_or(|journal| journal.settings.relaxed_starts) {
                self.handlers.calm(worker.event, worker.attempt);
            }
            return self.kill_process(KILL_MICROS, false);
        }
        if matches!(worker.does, Does::Poison | Does::As(Behaviour::PanicBefore)) {
            worker.outcome = Some(Told::Crashed);
            self.change(worker);
            self.agenda.now(Task::Settle(serial));
            return Ok(());
        }
        if let Some(lasts) = self.lasts(&worker) {
            worker.ends_at = self.now + lasts;
            self.change(worker);
            self.agenda.at(worker.ends_at, Task::End(serial));
        }
        if let Some(Behaviour::Beating { every, .. }) = worker.behaviour() {
            self.agenda.at(self.now + every.max(1), Task::Beat(serial));
        }
        Ok(())
    }

    /// How long the handler takes; absent when it never ends by itself.
    fn lasts(&self, worker: &Worker) -> Option<u64> {
        match worker.behaviour() {
            Some(Behaviour::Hang | Behaviour::Stuck) => None,
            Some(Behaviour::Slow { lasts } | Behaviour::Beating { lasts, .. } | Behaviour::Deaf { lasts }) => {
                Some(lasts)
            }
            _ => Some(self.pause(worker)),
        }
    }

    /// A short while that follows from seed, event and attempt.
    fn pause(&self, worker: &Worker) -> u64 {
        let mut mix = Mix::default();
        mix.word(self.scenario.seed);
        mix.word(u64::from(worker.event) << 32 | u64::from(worker.attempt));
        mix.finish() % 20 * 1_000
    }

    pub(super) fn beat(&mut self, serial: Serial) -> Result<(), Broken> {
        let Some(worker) = self.worker(serial, Task::Beat(serial)) else { return Ok(()) };
        let Some(Behaviour::Beating { every, .. }) = worker.behaviour() else { return Ok(()) };
        if worker.cancelled || worker.outcome.is_some() {
            return Ok(());
        }
        if !self.is_serving() {
            return Ok(());
        }
        if let Answer::Alive(_) = self.tell(Command::Heartbeat(worker.run), Said::Heartbeat(worker.run))? {
            self.agenda.at(self.now + every.max(1), Task::Beat(serial));
        }
        Ok(())
    }

    /// The handler ends: its side effect is done, or it has failed.
    pub(super) fn end(&mut self, serial: Serial) -> Result<(), Broken> {
        let Some(mut worker) = self.worker(serial, Task::End(serial)) else { return Ok(()) };
        if worker.cancelled && worker.heeds() {
            return Ok(());
        }
        let outcome = self.outcome(&worker);
        if matches!(outcome, Told::Done | Told::Crashed) {
            self.oracles.ledger.affect(worker.event);
        }
        worker.outcome = Some(outcome);
        self.change(worker);
        self.agenda.now(Task::Settle(serial));
        Ok(())
    }

    fn outcome(&mut self, worker: &Worker) -> Told {
        if self.now < self.handlers.all_fail_until {
            self.probes.fault(FaultKind::AllFail);
            return Told::Retry { after: None };
        }
        match worker.behaviour() {
            Some(Behaviour::Retry { after }) => Told::Retry { after: after.map(Duration::from_micros) },
            Some(Behaviour::Permanent) => Told::Permanent,
            Some(Behaviour::Snooze { delay }) => {
                Told::Snooze { delay: Duration::from_micros(delay), has_reason: false }
            }
            Some(Behaviour::Shortage { delay }) => {
                Told::Snooze { delay: Duration::from_micros(delay), has_reason: true }
            }
            Some(Behaviour::PanicAfter) => Told::Crashed,
            _ => Told::Done,
        }
    }

    /// A cancelled handler is dropped at the point where it waits.
    pub(super) fn drop_handler(&mut self, serial: Serial) -> Result<(), Broken> {
        let Some(worker) = self.worker(serial, Task::Yield(serial)) else { return Ok(()) };
        if self.is_serving() {
            self.dropped += usize::from(self.oracles.book.of_run(worker.run).is_some());
        }
        self.release(&worker);
        Ok(())
    }

    /// The worker tells the outcome and gives its permit back.
    pub(super) fn settle(&mut self, serial: Serial) -> Result<(), Broken> {
        let Some(worker) = self.worker(serial, Task::Settle(serial)) else { return Ok(()) };
        let Some(told) = worker.outcome else { return Ok(()) };
        match worker.behaviour() {
            Some(Behaviour::ReportsTwice) => {
                self.agenda.at(self.now + self.pause(&worker) * 10, Task::SettleAgain(worker.run))
            }
            Some(Behaviour::ReportsForeign) => {
                self.agenda.at(self.now + self.pause(&worker) * 10, Task::SettleAgain(self.foreign_run()));
            }
            _ => {}
        }
        if !self.is_serving() {
            self.release(&worker);
            return Ok(());
        }
        let answer = self.report(worker.run, told)?;
        if answer == Answer::Stale && told == Told::Done {
            self.probes.fault(FaultKind::Late);
        }
        self.release(&worker);
        Ok(())
    }

    /// A worker that does not know better is still alive, and then has done its work.
    pub(super) fn settle_again(&mut self, run: RunId) -> Result<(), Broken> {
        if !self.is_serving() {
            return Ok(());
        }
        self.tell(Command::Heartbeat(run), Said::Heartbeat(run))?;
        let told = match run.number() % 5 {
            0 => Told::Done,
            1 => Told::Retry { after: None },
            2 => Told::Permanent,
            3 => Told::Snooze { delay: Duration::from_millis(1), has_reason: true },
            _ => Told::Crashed,
        };
        self.report(run, told).map(drop)
    }

    /// A run of an earlier opening of the engine, or of none.
    fn foreign_run(&self) -> RunId {
        let epoch = self.engine.epoch();
        let old = self.old_runs.iter().find(|run| run.epoch() != epoch);
        old.copied().unwrap_or(RunId::new(eventful::Epoch::new(epoch.number() + 1), 1))
    }

    pub(super) fn release(&mut self, worker: &Worker) {
        self.note_end(worker);
        self.workers.retain(|other| other.serial != worker.serial);
        self.dispatcher.give_back(worker.permit);
        self.look_for_end();
    }
}
