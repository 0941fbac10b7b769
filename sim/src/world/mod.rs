//! The core tier: the engine in a world of discrete events.
//!
//! Everything around the engine is simulated, and nothing else is: clients, channel, dispatcher,
//! workers, sweeper, the clock and the process. A step is one of all that are ready, whichever the
//! [`Choices`] say, so that every order of them can occur; time passes only when none is ready.
//!
//! | file | part |
//! |---|---|
//! | `agenda` | what happens when, and which of the ready steps comes first |
//! | `command` | tells the engine something, does what it wants done, and has it judged |
//! | `client`, `channel`, `dispatcher`, `worker`, `handling`, `sweeper`, `process` | the parts around the engine |
//! | `journal`, `writer`, `recovery`, `damage` | group commit, and what comes back after a death, or of a journal that is damaged |
//! | `trouble` | the faults |
//! | `phases` | chaos, then healing, then a bounded time to finish, then the audit |
//! | `diary`, `wording` | what people get to see of it |

mod agenda;
mod channel;
mod client;
mod command;
mod damage;
mod diary;
mod dispatcher;
mod handling;
mod journal;
mod phases;
mod process;
mod recovery;
mod rot;
mod sweeper;
mod trouble;
mod wording;
mod worker;
mod writer;

pub use agenda::Choices;
pub(crate) use agenda::Visited;
pub use phases::Ended;
pub(crate) use phases::Halt;

use std::hash::{Hash, Hasher};

use eventful::{Config, Effect, Engine, Fact, InvalidConfig, Output, RunId, Timestamp};

use crate::failure::Broken;
use crate::mix::Mix;
use crate::oracle::Oracles;
use crate::roster::Roster;
use crate::scenario::{Act, EventNumber, Fault, FaultKind, Scenario};
use crate::tier::{Keep, Part as _, Probes};
use crate::trace::Trace;
use agenda::{Agenda, Task};
use channel::Channel;
use dispatcher::Dispatcher;
use handling::Handlers;
use journal::Journal;
use process::Ending;
use sweeper::Sweeper;
use worker::{Serial, Worker};

/// When every run starts, in microseconds since the Unix epoch.
const STARTED_AT: u64 = 1_700_000_000_000_000;

/// How far time may pass while something is ready.
const PATIENCE_MICROS: u64 = 60_000;

/// An engine and everything around it.
#[derive(Debug)]
pub struct World<'s> {
    scenario: &'s Scenario,
    roster: Roster,
    config: Config,
    engine: Engine,
    out: Output,
    /// Room for the effects of a command, empty between commands.
    effects: Vec<Effect>,
    /// Microseconds since the start.
    now: u64,
    /// What the engine's clock shows more than the world's.
    skew: i64,
    /// What the machine's clock shows more than the world's: the engine's clock begins with it.
    machine_skew: i64,
    /// The latest time that the engine was told.
    told: Timestamp,
    agenda: Agenda,
    next_operation: usize,
    next_fault: usize,
    /// The client whose operation is carried out now.
    caller: Option<u8>,
    channel: Channel,
    dispatcher: Dispatcher,
    sweeper: Sweeper,
    handlers: Handlers,
    journal: Option<Journal>,
    /// Sweeps are to forget nothing.
    holds_expiry: bool,
    workers: Vec<Worker>,
    next_serial: Serial,
    clients_stalled_until: u64,
    /// Runs whose handlers were dropped by a shutdown that has not told the engine yet.
    dropped: usize,
    /// Runs of earlier openings, and of this one.
    old_runs: Vec<RunId>,
    ending: Option<Ending>,
    /// Time in which the process stood still, since the end was asked for.
    stood_still: u64,
    is_up: bool,
    oracles: Oracles,
    probes: Probes,
    /// Over every step: two runs of one scenario have equal ones.
    hash: Mix,
    /// The hash after each step, where they are kept.
    hashes: Option<Vec<u64>>,
    steps: u32,
    /// The time now, and the step at which it was first seen.
    moment: (u64, u32),
    /// How often time may still pass while something is ready: no step is certain to come first.
    patience: u8,
    trace: Option<Trace>,
}

impl<'s> World<'s> {
    /// The world at the start of a scenario. What fires in it is added to `probes`.
    ///
    /// # Errors
    ///
    /// [`InvalidConfig`] when the engine refuses the scenario's configuration.
    pub fn new(scenario: &'s Scenario, keep: Keep, probes: Probes) -> Result<Self, InvalidConfig> {
        let mut config = scenario.setup.settings.config();
        config.seed = Some(scenario.seed);
        let mut out = Output::with_facts();
        let told = Timestamp::from_micros(STARTED_AT);
        let engine = Engine::new(config.clone(), told, &mut out)?;
        let oracles = Oracles::new(&engine, out.drain_facts());
        let mut world = Self {
            roster: Roster::of(events_of(scenario)),
            engine,
            out,
            effects: Vec::new(),
            now: 0,
            skew: 0,
            machine_skew: 0,
            told,
            agenda: Agenda::default(),
            next_operation: 0,
            next_fault: 0,
            caller: None,
            channel: Channel::new(config.channel_capacity.get()),
            dispatcher: Dispatcher::new(config.concurrency.get()),
            sweeper: Sweeper::default(),
            handlers: Handlers::of(scenario),
            holds_expiry: false,
            journal: scenario.setup.journal.map(|settings| Journal::of(scenario, settings)),
            workers: Vec::new(),
            next_serial: 0,
            clients_stalled_until: 0,
            dropped: 0,
            old_runs: Vec::new(),
            ending: None,
            stood_still: 0,
            is_up: true,
            oracles,
            probes,
            hash: Mix::default(),
            hashes: keep.hashes.then(Vec::new),
            steps: 0,
            patience: scenario.setup.patience,
            moment: (0, 0),
            trace: keep.trace.then(Trace::default),
            config,
            scenario,
        };
        if world.config.channel_capacity.get() == 1 {
            world.probes.fault(FaultKind::CapacityOne);
        }
        world.sweeper.arm(world.engine.next_deadline());
        world.begin_journal();
        Ok(world)
    }

    /// Takes one step. Whether there was one.
    ///
    /// # Errors
    ///
    /// [`Broken`] when a promise does not hold after it.
    pub(crate) fn step(&mut self, choices: &mut Choices) -> Result<bool, Broken> {
        let Some((dispatcher, sweeper)) = self.wake() else { return Ok(false) };
        let waiting = self.agenda.ready.len();
        let count = waiting + usize::from(dispatcher) + usize::from(sweeper);
        let later = self.later();
        let choice = choices.choose(count + usize::from(later.is_some()));
        if let Some(later) = later.filter(|_| choice == count) {
            self.stood_still += later - self.now;
            (self.now, self.patience) = (later, self.patience - 1);
            return Ok(true);
        }
        let task = match choice.checked_sub(waiting) {
            None => self.agenda.ready.remove(choice),
            Some(0) if dispatcher => Task::Dispatch,
            Some(_) => Task::Sweep,
        };
        self.steps += 1;
        self.hash.word(self.now);
        task.hash(&mut self.hash);
        self.perform(task)?;
        if self.is_up {
            let workers = self.workers.len();
            // An engine that was given up has runs of which no worker knows any more.
            let dropped = if self.is_serving() { self.dropped } else { usize::MAX / 2 };
            self.oracles.judge_world(&self.engine, self.dispatcher.free, workers, dropped)?;
        }
        if let Some(hashes) = &mut self.hashes {
            hashes.push(self.hash.finish());
        }
        Ok(true)
    }

    /// Lets time pass until something is ready. Whether the dispatcher and the sweeper are, unless
    /// nothing ever will be.
    fn wake(&mut self) -> Option<(bool, bool)> {
        loop {
            self.agenda.wake(self.now);
            self.wake_scheduled();
            let (dispatcher, sweeper) = (self.may_dispatch(), self.may_sweep());
            if dispatcher || sweeper || !self.agenda.ready.is_empty() {
                return Some((dispatcher, sweeper));
            }
            self.now = self.now.max(self.next_time()?);
        }
    }

    /// Operations and faults of the scenario that are due.
    fn wake_scheduled(&mut self) {
        while let Some(operation) = self.scenario.operations.get(self.next_operation)
            && operation.at <= self.now
        {
            self.agenda.now(Task::Operation(self.next_operation as u32));
            self.next_operation += 1;
        }
        while let Some(fault) = self.scenario.faults.get(self.next_fault)
            && fault.at().is_none_or(|at| at <= self.now)
        {
            if fault.at().is_some() {
                self.agenda.now(Task::Fault(self.next_fault as u32));
            }
            self.next_fault += 1;
        }
    }

    fn next_time(&self) -> Option<u64> {
        let operation = self.scenario.operations.get(self.next_operation).map(|operation| operation.at);
        let fault = self.scenario.faults.get(self.next_fault).and_then(Fault::at);
        let sweep = if self.is_serving() { self.sweep_time() } else { None };
        let dispatch = self.dispatch_time();
        [self.agenda.next_time(), operation, fault, sweep, dispatch].iter().flatten().min().copied()
    }

    /// When something else gets ready soon, while time may pass before all that is ready is done.
    fn later(&self) -> Option<u64> {
        if self.patience == 0 {
            return None;
        }
        let soon = self.now + PATIENCE_MICROS;
        self.next_time().filter(|time| *time > self.now && *time <= soon)
    }

    fn perform(&mut self, task: Task) -> Result<(), Broken> {
        match task {
            Task::Operation(at) => self.operate(at),
            Task::Fault(at) => self.begin_fault(at),
            Task::Dispatch => self.dispatch(),
            Task::PresentAgain(ticket) => self.present(ticket),
            Task::PresentLate(ticket) => self.present_late(ticket),
            Task::Sweep => self.sweep(),
            Task::Begin(worker) => self.begin(worker),
            Task::Beat(worker) => self.beat(worker),
            Task::End(worker) => self.end(worker),
            Task::Yield(worker) => self.drop_handler(worker),
            Task::Settle(worker) => self.settle(worker),
            Task::SettleAgain(run) => self.settle_again(run),
            Task::ReplaceChannel(number) => self.replace_channel(number),
            Task::DrainEnds => self.drain_ends(),
            Task::GraceEnds => self.grace_ends(),
            Task::Stop => self.stop(),
            Task::Revive => self.revive(),
            Task::Write => self.write(),
            Task::Seal => self.seal(),
            Task::DiskFreed => {
                self.free_disk();
                Ok(())
            }
        }
    }

    /// The time by the engine's clock.
    fn clock(&self) -> Timestamp {
        Timestamp::from_micros((STARTED_AT + self.now).saturating_add_signed(self.skew))
    }

    /// The time of the world at which the engine's clock shows `at`.
    fn world_time(&self, at: Timestamp) -> u64 {
        at.as_micros().saturating_add_signed(-self.skew).saturating_sub(STARTED_AT)
    }

    /// The steps that were taken.
    pub(crate) const fn steps(&self) -> u32 {
        self.steps
    }

    /// What has fired.
    pub(crate) fn into_probes(self) -> Probes {
        self.probes
    }

    /// A hash of all that decides how it goes on, for a search that visits each state once.
    pub(crate) fn fingerprint(&self) -> u64 {
        let mut mix = Mix::default();
        self.engine.fingerprint(&mut mix);
        let (tickets, has_receiver) = self.channel.content();
        tickets.for_each(|ticket| ticket.hash(&mut mix));
        has_receiver.hash(&mut mix);
        (self.now, self.next_operation, self.next_fault, self.is_up, self.patience).hash(&mut mix);
        self.agenda.ready.hash(&mut mix);
        self.agenda.waiting().hash(&mut mix);
        self.workers.hash(&mut mix);
        self.ending.hash(&mut mix);
        self.journal.hash(&mut mix);
        self.oracles.ledger.hash(&mut mix);
        mix.finish()
    }
}

/// How many events a scenario names.
fn events_of(scenario: &Scenario) -> usize {
    let named = |act: &Act| match *act {
        Act::Submit { event, .. } | Act::Redrive { event } | Act::Discard { event } => Some(event),
        Act::RedriveFirst => Some(0),
        Act::Reject { .. } | Act::Pause | Act::Resume => None,
    };
    let last: Option<EventNumber> = scenario.operations.iter().filter_map(|operation| named(&operation.act)).max();
    last.map_or(0, |last| usize::from(last) + 1)
}

/// Facts are kept only until they are judged.
fn drained(out: &mut Output) -> Vec<Fact> {
    out.drain_facts().collect()
}
