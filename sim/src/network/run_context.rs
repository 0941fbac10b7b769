//! State that all hosts of a run and its driver share.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use eventful::journal::{frame, wire};
use eventful::{
    Notice, Subscription, Timestamp,
    clock::Clock as _,
    engine::{
        Epoch,
        facts::{AttemptEnd, Change, Fact},
    },
};

use super::armed::Armed;
use super::calm::Calm;
use super::clock::VirtualClock;
use super::connection_owners::{self, ConnectionOwners};
use super::oracle::payloads::OwedPayload;
use super::oracle::waits::Absence;
use super::oracle::{OracleResult, ProcessOracles};
use super::scenario::HandlerScript;
use super::step::NetworkStep;
use super::tier::NetworkScenario;
use super::trace::StepTrace;
use super::window::Windows;
use crate::disk::{Ailment, FaultInjector, SharedDisk, SimulatedDisk};
use crate::failure::Broken;
use crate::seeded_rng::SeededRng;
use crate::spelling::variant;
use crate::tier::Probes;

/// The space on the disk under a journal, unless it is full: more than any run writes.
pub(super) const CAPACITY_BYTES: u64 = 64 << 20;

/// One run. Everything in it happens on one thread, so its lock is never contended.
pub(super) struct RunContext {
    pub(super) scenario: NetworkScenario,
    pub(super) clock: Arc<VirtualClock>,
    notes: Mutex<RunNotes>,
    /// The facts of the current engine that are not read yet.
    facts: Mutex<Option<Subscription>>,
    /// The disk under the journal, if there is one.
    pub(super) drive: Option<SharedDisk>,
    pub(super) windows: Windows,
}

/// Observations of the run, and armed faults.
pub(super) struct RunNotes {
    pub(super) trace: StepTrace,
    pub(super) coverage: Probes,
    pub(super) armed: Armed,
    pub(super) absence: Absence,
    pub(super) ledger: ConnectionOwners,
    pub(super) oracles: ProcessOracles,
    pub(super) broken: Option<Broken>,
    /// Set while a process is torn down. Its destructors run in no particular order, which those of a killed process
    /// do not at all, so their effects are ignored.
    pub(super) muted: bool,
    /// Panics that the handler's script injected.
    pub(super) script_panics: u64,
    /// Set once the shutdown of the current engine has panicked.
    pub(super) shutdown_panicked: bool,
    /// The number of callers that have shut this process down and wait for the report.
    pub(super) shutdowns_waiting: u32,
    pub(super) calm: Calm,
    /// The number of callers in this process that wait for the end of an event.
    pub(super) ends_awaited: u32,
}

impl RunContext {
    pub(super) fn new(scenario: &NetworkScenario, trace: StepTrace) -> Arc<Self> {
        let yields = SeededRng::of(scenario.seed).stream("yields");
        let notes = RunNotes {
            trace,
            coverage: Probes::default(),
            armed: Armed::new(yields, scenario.setup.yields_per_mille),
            absence: Absence::default(),
            ledger: ConnectionOwners::default(),
            oracles: ProcessOracles::new(&scenario.setup),
            broken: None,
            muted: false,
            script_panics: 0,
            shutdown_panicked: false,
            shutdowns_waiting: 0,
            calm: Calm::new(),
            ends_awaited: 0,
        };
        let clock = Arc::new(VirtualClock::new());
        let drive = scenario.setup.journal.map(|_| drive(scenario.seed));
        Arc::new(Self {
            scenario: scenario.clone(),
            clock,
            notes: Mutex::new(notes),
            facts: Mutex::default(),
            drive,
            windows: Windows::default(),
        })
    }

    /// Begins another engine, with these facts.
    pub(super) fn open(&self, facts: Subscription) {
        *lock(&self.facts) = Some(facts);
        self.with(|notes, now| {
            notes.oracles.begin_process();
            notes.armed.open();
            notes.shutdown_panicked = false;
            (notes.shutdowns_waiting, notes.ends_awaited) = (0, 0);
            // Processes are numbered from 1, so that 0 means none.
            notes.ledger.generation += 1;
            notes.calm.process(true);
            notes.trace.note(now, &NetworkStep::Opened { generation: notes.ledger.generation });
        });
    }

    /// Notes that the engine is gone.
    pub(super) fn close(&self) {
        if lock(&self.facts).take().is_some() {
            self.with(|notes, now| notes.trace.note(now, &NetworkStep::Closed { generation: notes.ledger.generation }));
        }
    }

    /// Counts the faults that struck the disk.
    pub(super) fn count_disk_faults(&self) {
        let Some(drive) = &self.drive else { return };
        let probes = drive.probes();
        for trouble in Ailment::ALL {
            let struck = 0..probes.count(trouble.fault());
            self.with(|notes, _| struck.for_each(|_| notes.coverage.reach(&variant(&trouble, ' '))));
        }
    }

    /// Ignores what is observed, or no longer ignores it.
    pub(super) fn mute(&self, muted: bool) {
        self.with(|notes, _| notes.muted = muted);
    }

    /// Reads the facts that are ready.
    pub(super) fn see_facts(&self) {
        let mut facts = lock(&self.facts);
        let Some(facts) = facts.as_mut() else { return };
        let mut context = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(notice)) = pin!(facts.recv()).poll(&mut context) {
            self.with(|notes, _| match &notice {
                Notice::Fact(fact) => notes.read(fact),
                Notice::Reopened => notes.oracles.durable.reopening_delivered(),
                Notice::Lagged(lost) => notes.judge(Err(Broken::new("expected", 7, format_args!("{lost} facts lost")))),
            });
        }
    }

    /// Gives access to the notes, with the current time. `act` must not call the adapter, whose hooks take the same
    /// lock.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut RunNotes, Timestamp) -> T) -> T {
        let now = self.clock.now();
        act(&mut lock(&self.notes), now)
    }

    /// Returns the promises to clients, without those whose records may be forgotten by now.
    pub(super) fn owed(&self) -> OwedPayload {
        self.with(|notes, now| {
            let mut owed = notes.oracles.payloads.owed();
            owed.items.retain(|item| !notes.oracles.may_be_gone(now, item.key));
            owed.discarded.retain(|key| !notes.oracles.may_be_gone(now, *key));
            owed
        })
    }

    pub(super) fn note(&self, step: &NetworkStep<'_>) {
        self.with(|notes, now| notes.trace.note(now, step));
    }

    pub(super) fn judge(&self, verdict: OracleResult) {
        if verdict.is_err() {
            self.with(|notes, _| notes.judge(verdict));
        }
    }

    /// Returns the script of the handler for this event, if there is one.
    pub(super) fn script(&self, key: u8) -> Option<&HandlerScript> {
        self.scenario.setup.scripts.iter().find(|script| script.key == key)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RunNotes {
    /// Checks a fact that a reader received. With a journal its effects were checked when it became durable.
    fn read(&mut self, fact: &Fact) {
        if !self.oracles.is_durable() {
            return self.see(fact);
        }
        // Readers of an engine that a fault broke may lack facts that are durable.
        if !self.armed.has_broken() {
            let verdict = self.oracles.durable.delivered(fact);
            self.judge(verdict);
        }
    }

    /// Checks and applies the facts of a durable frame, and returns them.
    pub(super) fn kept(&mut self, frame: &[u8]) -> Result<Vec<Fact>, Broken> {
        let (epoch, facts) = facts(frame).map_err(|error| Broken::new("durable", 10, error))?;
        self.oracles.durable.is_of_epoch(epoch, &facts)?;
        for fact in &facts {
            self.see(fact);
            if let Change::Finished { end: AttemptEnd::Crashed, .. } = fact.change
                // Runs that crash in the frame that begins with an epoch were in flight before the opening.
                && let Some(Change::Epoch(_)) = facts.first().map(|first| &first.change)
            {
                self.coverage.reach("run crashed at opening");
            }
        }
        self.oracles.follow_ups.end_frame()?;
        if facts.iter().any(|fact| matches!(fact.change, Change::Epoch(_))) {
            self.oracles.calls.opened();
            self.oracles.expected.judge_opened()?;
        }
        Ok(facts)
    }

    /// Does the same for a frame that was just appended, and notes that readers must receive its facts.
    pub(super) fn kept_and_owed(&mut self, frame: &[u8], now: Timestamp) -> OracleResult {
        let facts = self.kept(frame)?;
        self.oracles.durable.leave(&facts)?;
        self.judge_absence(&facts, now)?;
        self.oracles.durable.owe(&facts);
        Ok(())
    }

    /// Checks that no new event among these durable facts was accepted while the disk was out of reach.
    fn judge_absence(&mut self, facts: &[Fact], now: Timestamp) -> OracleResult {
        let timeout = self.oracles.answer_timeout();
        facts.iter().try_for_each(|fact| {
            self.absence.held_up(now, fact.at);
            let is_new = matches!(fact.change, Change::Accepted(_));
            if is_new { self.absence.taken(fact.at, timeout) } else { Ok(()) }
        })
    }

    fn see(&mut self, fact: &Fact) {
        let verdict = self.oracles.see(fact);
        self.judge(verdict);
        steps(&fact.change).iter().for_each(|step| self.trace.note(fact.at, step));
        match &fact.change {
            Change::Redriven(key) => {
                let number = connection_owners::number(key).unwrap_or_default();
                self.oracles.calls.live_again(number);
            }
            Change::Forgotten(keys) => {
                self.coverage.reach(if keys.len() == 1 { "forgotten" } else { "forgotten many at once" });
                keys.iter().for_each(|key| self.oracles.forget_key(connection_owners::number(key).unwrap_or_default()));
            }
            Change::Finished { key, run, end: AttemptEnd::Done, .. } => {
                let verdict = self.oracles.calls.done(connection_owners::number(key).unwrap_or_default(), *run);
                self.judge(verdict);
            }
            Change::Finished { key, end: AttemptEnd::Interrupted, .. } => {
                self.oracles.calls.interrupted(connection_owners::number(key).unwrap_or_default());
            }
            Change::Accepted(_)
            | Change::Started { .. }
            | Change::Finished { .. }
            | Change::Discarded(_)
            | Change::Paused
            | Change::Resumed
            | Change::GroupPaused { .. }
            | Change::Scheduled { .. }
            | Change::Epoch(_) => {}
        }
    }

    /// Keeps the first violation.
    pub(super) fn judge(&mut self, verdict: OracleResult) {
        if let Err(broken) = verdict {
            self.broken.get_or_insert(broken);
        }
    }
}

/// Decodes the epoch and the facts of a frame.
fn facts(bytes: &[u8]) -> Result<(Epoch, Vec<Fact>), String> {
    let frame = frame::decode(bytes).map_err(|error| error.to_string())?;
    let mut body = frame.body;
    let mut facts = Vec::new();
    while !body.is_empty() {
        let (fact, rest) = wire::decode(body).map_err(|error| error.to_string())?;
        facts.push(fact);
        body = rest;
    }
    Ok((frame.header.epoch, facts))
}

/// Returns the disk of a run.
fn drive(seed: u64) -> SharedDisk {
    SharedDisk::new(SimulatedDisk::new(CAPACITY_BYTES, FaultInjector::none(SeededRng::of(seed).stream("disk trouble"))))
}

/// Returns the changes of a fact, one step for each event.
fn steps(change: &Change) -> Vec<NetworkStep<'static>> {
    let number = |key| connection_owners::number(key).unwrap_or_default();
    let step = match change {
        Change::Accepted(event) => NetworkStep::Accepted { key: number(event.key()) },
        Change::Started { key, run } => NetworkStep::Started { key: number(key), run: run.number() },
        Change::Finished { key, run, end, .. } => {
            NetworkStep::Finished { key: number(key), run: run.number(), end: *end }
        }
        Change::Redriven(key) => NetworkStep::Redriven { key: number(key) },
        Change::Discarded(key) => NetworkStep::Discarded { key: number(key) },
        Change::Forgotten(keys) => return keys.iter().map(|key| NetworkStep::Forgotten { key: number(key) }).collect(),
        Change::Paused => NetworkStep::Paused,
        Change::Resumed => NetworkStep::Resumed,
        // No step of this tier pauses a group or has a schedule.
        Change::GroupPaused { .. } | Change::Scheduled { .. } => return Vec::new(),
        Change::Epoch(_) => NetworkStep::Reopened,
    };
    vec![step]
}
