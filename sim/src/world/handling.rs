//! How workers go about their runs.

use std::time::Duration;

use eventful::node::{Launch, Worker as Holder};
use eventful::{Epoch, ErrorText, Outcome, RunId};

use super::agenda::Task;
use super::state::World;
use super::stop::Stop;
use super::worker::{Does, Serial, Worker};
use crate::failure::Broken;
use crate::mix::Mix;
use crate::oracle::Told;
use crate::scenario::{Behaviour, FaultKind};
use std::hash::Hasher as _;

/// How long a process is down that a handler has killed.
const KILL_MICROS: u64 = 10_000;

impl World<'_> {
    /// A worker takes up a run.
    pub(super) fn start_worker(&mut self, Launch { worker: holder, run, lsn }: Launch) -> Result<(), Broken> {
        let event = self.roster.number(run.event.key()).unwrap_or_default();
        let serial = self.next_serial;
        self.next_serial += 1;
        let worker = Worker {
            serial,
            holder,
            run: run.id,
            event,
            attempt: run.attempt,
            does: self.handlers.plan(event, run.attempt),
            ends_at: u64::MAX,
            begun: false,
            cancelled: None,
            decided: self.seen().oracles.decided(),
            outcome: None,
        };
        if self.old_runs.len() < 8 {
            self.old_runs.push(run.id);
        }
        self.note(|diary| diary.note_begin(&worker));
        self.workers.push(worker);
        let is_relaxed = self.journal.as_ref().is_some_and(|journal| journal.settings.relaxed_starts);
        match lsn.filter(|_| !is_relaxed) {
            Some(lsn) => self.await_start(serial, lsn),
            None => {
                if is_relaxed {
                    self.probe(FaultKind::Relaxed);
                }
                self.agenda.now(Task::Begin(serial));
            }
        }
        Ok(())
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
    pub(super) fn begin(&mut self, serial: Serial) -> Result<(), Stop> {
        let Some(mut worker) = self.worker(serial, Task::Begin(serial)) else { return Ok(()) };
        if worker.cancelled.is_some() {
            return Ok(());
        }
        worker.begun = true;
        self.probe_behaviour(&worker);
        let mut seen = self.observer.see();
        if seen.oracles.book.of_run(worker.run).is_some() {
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
            worker.outcome = Some(Told::Crashed);
            self.agenda.now(Task::Settle(serial));
        } else if let Some(lasts) = self.lasts(&worker) {
            worker.ends_at = self.now + lasts;
            self.agenda.at(worker.ends_at, Task::End(serial));
        }
        self.change(worker);
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

    pub(super) fn beat(&mut self, serial: Serial) -> Result<(), Stop> {
        let Some(worker) = self.worker(serial, Task::Beat(serial)) else { return Ok(()) };
        let Some(Behaviour::Beating { every, .. }) = worker.behaviour() else { return Ok(()) };
        if worker.cancelled.is_some() || worker.outcome.is_some() {
            return Ok(());
        }
        if self.drive(|node, now| node.heartbeat(now, worker.run))?.is_some() {
            self.agenda.at(self.now + every.max(1), Task::Beat(serial));
        }
        Ok(())
    }

    /// The handler ends: its side effect is done, or it has failed.
    pub(super) fn end(&mut self, serial: Serial) -> Result<(), Stop> {
        let Some(mut worker) = self.worker(serial, Task::End(serial)) else { return Ok(()) };
        if worker.cancelled.is_some() && worker.heeds() {
            return Ok(());
        }
        let outcome = self.outcome(&worker);
        if matches!(outcome, Told::Done | Told::Crashed) {
            self.seen().oracles.ledger.affect(worker.event);
        }
        worker.outcome = Some(outcome);
        self.change(worker);
        self.agenda.now(Task::Settle(serial));
        Ok(())
    }

    fn outcome(&self, worker: &Worker) -> Told {
        if self.now < self.handlers.all_fail_until {
            self.probe(FaultKind::AllFail);
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

    /// A cancelled handler is dropped at the point where it waits, or is not called at all.
    pub(super) fn drop_handler(&mut self, serial: Serial) -> Result<(), Stop> {
        let Some(worker) = self.worker(serial, Task::Yield(serial)) else { return Ok(()) };
        self.release(worker, None)
    }

    /// The worker settles the run.
    pub(super) fn settle(&mut self, serial: Serial) -> Result<(), Stop> {
        let Some(worker) = self.worker(serial, Task::Settle(serial)) else { return Ok(()) };
        let Some(told) = worker.outcome else { return Ok(()) };
        let again = match worker.behaviour() {
            Some(Behaviour::ReportsTwice) => Some(worker.run),
            Some(Behaviour::ReportsForeign) => Some(self.foreign_run()),
            _ => None,
        };
        if let Some(run) = again {
            self.clients.holder = Some(worker.holder);
            self.agenda.at(self.now + self.pause(&worker) * 10, Task::SettleAgain(run));
        }
        self.release(worker, Some(told))
    }

    /// The worker has ended its run, and takes up the next one, if there is one.
    fn release(&mut self, worker: Worker, told: Option<Told>) -> Result<(), Stop> {
        let Worker { serial, holder, run, .. } = worker;
        self.workers.retain(|other| other.serial != serial);
        self.clients.waits.retain(|wait| !wait.is_of_worker(serial));
        let counts = self.is_serving() && self.seen().oracles.book.of_run(run).is_some();
        self.dropped += usize::from(counts && told.is_none());
        let settled = self.drive(|node, now| node.settle_and_start(now, holder, run, told.map(outcome)));
        self.note(|diary| diary.note_end(&worker));
        let (status, launch) = match settled {
            Err(Stop::Panicked) => {
                // A run that is dropped before it is settled has crashed.
                let crashed = outcome(Told::Crashed);
                self.drive(|node, now| node.settle(now, holder, run, Some(crashed)))?;
                return Err(Stop::Panicked);
            }
            settled => settled?,
        };
        if counts && told.is_some() != status.is_some() {
            let what = format!("{run} was current and has ended with {told:?}, and made its event {status:?}");
            return Err(Broken::new("runs", 4, what).into());
        }
        if told == Some(Told::Done) && !counts {
            self.probe(FaultKind::Late);
        }
        launch.map_or(Ok(()), |launch| Ok(self.start_worker(launch)?))
    }

    /// A worker that does not know better is still alive, and then has done its work.
    pub(super) fn settle_again(&mut self, run: RunId) -> Result<(), Stop> {
        let Some(holder) = self.clients.holder else { return Ok(()) };
        self.drive(|node, now| node.heartbeat(now, run))?;
        let told = match run.number() % 5 {
            0 => Told::Done,
            1 => Told::Retry { after: None },
            2 => Told::Permanent,
            3 => Told::Snooze { delay: Duration::from_millis(1), has_reason: true },
            _ => Told::Crashed,
        };
        self.drive(|node, now| node.settle(now, holder, run, Some(outcome(told)))).map(drop)
    }

    /// A run of an earlier opening of the engine, or of none.
    fn foreign_run(&self) -> RunId {
        let epoch = self.node.engine().epoch();
        let old = self.old_runs.iter().find(|run| run.epoch() != epoch);
        old.copied().unwrap_or(RunId::new(Epoch::new(epoch.number() + 1), 1))
    }

    /// A worker is to stop, and does if it listens.
    pub(super) fn cancel(&mut self, holder: Holder) {
        let now = self.clock();
        let Some(worker) = self.workers.iter_mut().find(|worker| worker.holder == holder) else { return };
        let stops = worker.outcome.is_none() && worker.heeds() && worker.cancelled.is_none();
        worker.cancelled.get_or_insert(now);
        if stops {
            let worker = *worker;
            self.agenda.now(Task::Yield(worker.serial));
            self.note(|diary| diary.note_stop(&worker));
        }
    }
}

/// What a worker settles its run with.
fn outcome(told: Told) -> Outcome {
    match told {
        Told::Done => Outcome::Done,
        Told::Retry { after } => Outcome::Retry { error: ErrorText::new("not now"), after },
        Told::Permanent => Outcome::Permanent { error: ErrorText::new("never") },
        Told::Snooze { delay, has_reason } => {
            Outcome::Snooze { delay, reason: has_reason.then(|| ErrorText::new("no descriptor is left")) }
        }
        Told::Crashed => Outcome::Crashed { error: ErrorText::new("the handler panicked") },
    }
}
