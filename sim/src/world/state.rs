//! The state of the simulation.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, MutexGuard};

use eventful::node::{HookSet, Node};
use eventful::{
    Config, Timestamp,
    engine::{Engine, InvalidConfig, Output, RunId},
};

use super::event_queue::{EventQueue, STARTED_AT};
use super::handlers::Handlers;
use super::journal::WorldJournal;
use super::observer::{NodeObserver, ObservedNodes};
use super::parts::{Dispatcher, Ender, Sweeper};
use super::tasks::WorldTasks;
use super::trace_recorder::TraceRecorder;
use super::waits::Clients;
use super::worker::{Serial, WorldWorker};
use crate::key_table::KeyTable;
use crate::oracle::Oracles;
use crate::scenario::{Act, Behaviour, CoreScenario, EventNumber, FaultKind, Injection};
use crate::state_hash::StateHash;
use crate::tier::{Keep, Probes};

/// A node and its environment.
#[derive(Debug)]
pub struct World<'s> {
    pub(super) scenario: &'s CoreScenario,
    pub(super) key_table: Arc<KeyTable>,
    pub(super) config: Config,
    pub(super) node: Node,
    pub(super) observer: Arc<NodeObserver>,
    /// The time in microseconds since the start.
    pub(super) now: u64,
    /// The difference by which the node's clock is ahead of the simulation's.
    pub(super) skew: i64,
    /// The difference by which the machine's clock is ahead of the simulation's: the node's clock begins with it.
    pub(super) machine_skew: i64,
    /// The latest time that the node was given.
    pub(super) latest: Timestamp,
    pub(super) event_queue: EventQueue,
    pub(super) next_operation: usize,
    pub(super) next_fault: usize,
    pub(super) dispatcher: Dispatcher,
    pub(super) sweeper: Sweeper,
    pub(super) ender: Ender,
    pub(super) handlers: Handlers,
    pub(super) workers: Vec<WorldWorker>,
    pub(super) next_serial: Serial,
    pub(super) tasks: WorldTasks,
    pub(super) clients: Clients,
    pub(super) journal: Option<WorldJournal>,
    /// The time until which no ticket gets into the channel.
    pub(super) full_until: u64,
    /// True if the next marker that is sent gets lost.
    pub(super) loses_marker: bool,
    /// True if a call of the node may panic.
    pub(super) may_panic: bool,
    /// True if a call of the node has panicked.
    pub(super) is_broken: bool,
    /// Runs whose handlers were dropped by a shutdown that has not recorded it yet.
    pub(super) dropped: usize,
    /// Runs of all openings.
    pub(super) old_runs: Vec<RunId>,
    /// The time for which the process was suspended, or its clock stepped, since the shutdown was begun.
    pub(super) stood_still: u64,
    /// The last time at which a fault kept the sweeper from its work.
    pub(super) hindered: u64,
    pub(super) is_up: bool,
    pub(super) keeps_trace: bool,
    /// A hash over every step: two runs of one scenario have equal ones.
    pub(super) hash: StateHash,
    /// The hash after each step, if they are kept.
    pub(super) hashes: Option<Vec<u64>>,
    pub(super) steps: u32,
    /// The time now, and the number of the first step at it.
    pub(super) moment: (u64, u32),
    /// The number of steps since only the writer of the journal has something to do.
    pub(super) quiet_steps: u32,
    /// The number of times that time may still pass while a step is ready: then no step is certain to come first.
    pub(super) patience: u8,
}

impl<'s> World<'s> {
    /// Creates the simulation of a scenario. The probes that fire are added to `probes`.
    ///
    /// # Errors
    ///
    /// [`InvalidConfig`] if the engine refuses the scenario's configuration.
    pub fn new(scenario: &'s CoreScenario, keep: Keep, probes: Probes) -> Result<Self, InvalidConfig> {
        let mut config = scenario.setup.settings.config();
        config.seed = Some(scenario.seed);
        let mut out = Output::with_facts();
        let latest = Timestamp::from_micros(STARTED_AT);
        let engine = Engine::new(config.clone(), latest, &mut out)?;
        let key_table = Arc::new(KeyTable::of(events_of(scenario)));
        let mut oracles = Oracles::new(&engine, out.facts().iter().cloned());
        let mut journal = scenario.setup.journal.map(|settings| WorldJournal::of(scenario, settings));
        let node = match &mut journal {
            None => Node::in_memory(latest, engine, out),
            Some(journal) => {
                oracles.keep_journal(journal.limits(), journal.settings.relaxed_starts);
                journal.first_node(latest, engine, out, &config)
            }
        };
        let observer =
            NodeObserver::new(Arc::clone(&key_table), oracles, probes, TraceRecorder::new(keep.trace), latest);
        let observer = Arc::new(observer);
        let mut world = Self {
            key_table,
            node: node.probed(HookSet::new(Arc::clone(&observer) as _)),
            observer,
            now: 0,
            skew: 0,
            machine_skew: 0,
            latest,
            event_queue: EventQueue::default(),
            next_operation: 0,
            next_fault: 0,
            dispatcher: Dispatcher::default(),
            sweeper: Sweeper::default(),
            ender: Ender::default(),
            handlers: Handlers::of(scenario),
            workers: Vec::new(),
            next_serial: 0,
            tasks: WorldTasks::default(),
            clients: Clients::default(),
            journal,
            full_until: 0,
            loses_marker: false,
            may_panic: false,
            is_broken: false,
            dropped: 0,
            old_runs: Vec::new(),
            stood_still: 0,
            hindered: 0,
            is_up: true,
            keeps_trace: keep.trace,
            hash: StateHash::default(),
            hashes: keep.hashes.then(Vec::new),
            steps: 0,
            patience: scenario.setup.patience,
            moment: (0, 0),
            quiet_steps: 0,
            config,
            scenario,
        };
        if world.config.channel_capacity.get() == 1 {
            world.probe(FaultKind::CapacityOne);
        }
        world.write_first().expect("an empty disk has no fault").expect("a disk without faults");
        Ok(world)
    }

    /// Returns the time of the node's clock, which never goes back.
    pub(super) fn clock(&self) -> Timestamp {
        self.latest.max(Timestamp::from_micros((STARTED_AT + self.now).saturating_add_signed(self.skew)))
    }

    /// Returns the time of the simulation at which the node's clock shows `at`.
    pub(super) fn world_time(&self, at: Timestamp) -> u64 {
        at.as_micros().saturating_add_signed(-self.skew).saturating_sub(STARTED_AT)
    }

    #[track_caller]
    pub(super) fn seen(&self) -> MutexGuard<'_, ObservedNodes> {
        self.observer.see()
    }

    /// Counts an effect of a fault.
    pub(super) fn probe(&self, kind: FaultKind) {
        self.seen().probes.fault(kind);
    }

    /// Adds to the trace, if there is one.
    pub(super) fn note(&self, note: impl FnOnce(&mut TraceRecorder)) {
        if self.keeps_trace {
            note(&mut self.seen().trace);
        }
    }

    /// Returns the number of steps.
    pub(crate) const fn steps(&self) -> u32 {
        self.steps
    }

    /// Takes the probes that have fired.
    pub(crate) fn take_probes(&self) -> Probes {
        std::mem::take(&mut self.seen().probes)
    }

    /// Returns a hash of everything that decides what follows, for a search that visits each state once.
    pub(crate) fn fingerprint(&self) -> u64 {
        let mut mix = StateHash::default();
        self.node.fingerprint(&mut mix);
        (self.now, self.next_operation, self.next_fault, self.is_up, self.patience).hash(&mut mix);
        self.event_queue.ready.hash(&mut mix);
        self.event_queue.waiting().hash(&mut mix);
        self.workers.hash(&mut mix);
        self.tasks.fingerprint(&mut mix);
        (self.dispatcher.routine, self.sweeper.routine, &self.ender).hash(&mut mix);
        // Everything that decides later steps belongs here: else a search would skip a state that differs.
        self.clients.hash(&mut mix);
        self.journal.hash(&mut mix);
        let seen = self.seen();
        seen.oracles.ledger.hash(&mut mix);
        seen.oracles.departures.hash(&mut mix);
        mix.finish()
    }
}

/// Returns the number of events that a scenario names.
fn events_of(scenario: &CoreScenario) -> usize {
    let named = |act: &Act| match *act {
        Act::Submit { event, .. }
        | Act::Enter { event, .. }
        | Act::Redrive { event }
        | Act::Discard { event }
        | Act::PauseGroup { event, .. }
        | Act::Read { event }
        | Act::Watch { event, .. } => Some(event),
        Act::RedriveFirst => Some(0),
        Act::Reject { .. }
        | Act::Pause
        | Act::Resume
        | Act::List { .. }
        | Act::AwaitIdle { .. }
        | Act::Subscribe { .. } => None,
    };
    let named = scenario.operations.iter().filter_map(|operation| named(&operation.act));
    let follow_ups = scenario.faults.iter().filter_map(|fault| {
        let Injection::Handler { does: Behaviour::Follows { first, count, .. }, .. } = fault.what else { return None };
        Some(first + u16::from(count))
    });
    let last: Option<EventNumber> = named.chain(follow_ups).max();
    last.map_or(0, |last| usize::from(last) + 1)
}
