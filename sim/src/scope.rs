//! The small scope: every interleaving of a tiny case, each state visited once.
//!
//! Most bugs show in small cases (Jackson, "Software Abstractions", on the small scope hypothesis), and random search
//! may miss the one order that matters. The search runs the simulation again from its start for each order of choices;
//! from a state that was reached before it does not search again.

use std::num::NonZeroUsize;

use crate::disk::Ailment;
use crate::failure::Broken;
use crate::scenario::{
    Act, Behaviour, CoreScenario, CoreSetup, EventNumber, Injection, Journaling, Operation, Settings,
};
use crate::tier::{Keep, Probes};
use crate::world::{Halt, StepSchedule, Visited, World};

/// The result of a search.
#[derive(Debug, Clone)]
pub struct Explored {
    /// The number of different states that were reached.
    pub states: usize,
    /// The number of orders that were followed to their ends, or to a state that was reached before.
    pub orders: usize,
    /// The length of the longest order, in steps.
    pub depth: u32,
    /// The first broken promise, and a scenario with the choices that lead to it: it runs as any other.
    pub broken: Option<(Broken, CoreScenario)>,
}

/// Returns every case that is explored. Their sizes are bounded by the time that a search takes: one more submission,
/// or late steps beside a journal, take ten times as many orders.
pub fn cases() -> [CoreScenario; 2] {
    [small_case(), crash_case()]
}

/// Returns a case with an event that is submitted twice, with another payload the second time; a journal whose disk
/// fails, so that it is opened again; a power cut, so that the process starts again; and a shutdown. No step is late.
pub fn crash_case() -> CoreScenario {
    let mut scenario = small_case();
    scenario.about = "a conflict, a journal that fails, a power cut and a shutdown, all at once".to_owned();
    scenario.operations = [0, 1].map(|payload| submit(1, payload)).to_vec();
    scenario.faults.push(Injection::DiskFails { how: Ailment::SyncFails }.at(0));
    scenario.faults.push(Injection::PowerCut { lasts: 0 }.at(0));
    scenario.setup.patience = 0;
    scenario.setup.journal = Some(Journaling {
        relaxed_starts: false,
        snapshot_after_bytes: 1 << 20,
        reserve_bytes: 0,
        max_unsynced_bytes: 1 << 20,
        group_bytes: None,
        answer_timeout: None,
        hides_room: true,
        part_bytes: None,
        failures: None,
    });
    scenario
}

/// Returns a case with three events, one of them submitted twice; two workers, a channel of capacity one, a crash, and
/// a shutdown. All of it can happen at one time.
pub fn small_case() -> CoreScenario {
    let operations = [0, 1, 0, 2].map(|event| submit(event, 0)).to_vec();
    let at_once = Behaviour::Slow { lasts: 0 };
    let handler = |event, attempt, does| Injection::Handler { event, attempt, does }.at(0);
    let mut faults = vec![handler(0, 1, Behaviour::PanicBefore), handler(1, 1, Behaviour::Slow { lasts: 1_000 })];
    faults.extend([(0, 2), (1, 2), (2, 1), (2, 2)].map(|(event, attempt)| handler(event, attempt, at_once)));
    faults.push(Injection::Shutdown { timeout: 1_000 }.at(0));
    let about = "three events, a duplicate, a crash and a shutdown, all at once".to_owned();
    let setup = CoreSetup { settings: settings(), journal: None, patience: 1, idles_first: true, quick: false };
    // A multiple of four: each run then continues until every record is forgotten.
    CoreScenario { about, operations, faults, ..CoreScenario::of(4, setup) }
}

fn submit(event: EventNumber, payload: u8) -> Operation {
    Operation { at: 0, client: 0, hangs_up: false, delay: 0, act: Act::Submit { event, payload } }
}

fn settings() -> Settings {
    let two = NonZeroUsize::MIN.saturating_add(1);
    Settings {
        concurrency: two,
        channel_capacity: NonZeroUsize::MIN,
        max_attempts: 2,
        backoff_base: 1_000,
        backoff_cap: 1_000,
        backoff_jitter_percent: 0,
        max_retry_after: 1_000,
        max_snooze: 1_000,
        max_snoozes: 1,
        max_refunds: 1,
        run_timeout: 50_000,
        run_lifetime: 50_000,
        max_pending: 10,
        max_records: 10,
        max_bytes: 10_000,
        max_event_bytes: 1_000,
        retention: 3_600_000_000,
        failed_retention: Some(3_600_000_000),
        max_failed_bytes: Settings::PLENTY,
        drops_oldest_failed: false,
        sweep_batch: two,
        sweep_interval: 1_000,
        stuck_after: 100_000,
        drain_timeout: 1_000,
        abort_grace: 1_000,
        overload_retry_after: None,
        sync_grace: Some(1_000),
        thresholds: None,
        types: Vec::new(),
        unmatched_wait: false,
        max_follow_ups: None,
        groups: Vec::new(),
    }
}

/// Follows every order of choices of a scenario, and stops at the first broken promise. Each order is a run like any
/// other, but ends where another one has been.
///
/// # Panics
///
/// If the engine refuses the scenario's configuration.
pub fn explore(scenario: &CoreScenario) -> Explored {
    let mut explored = Explored { states: 0, orders: 0, depth: 0, broken: None };
    let (mut visited, mut probes) = (Visited::default(), Probes::default());
    let mut stack = vec![Vec::new()];
    while let Some(prefix) = stack.pop() {
        let known = prefix.len();
        let mut choices = StepSchedule::searching(prefix, visited);
        let mut world =
            World::new(scenario, Keep::default(), std::mem::take(&mut probes)).expect("a valid configuration");
        let halted = world.live(&mut choices).err();
        visited = choices.take_visited();
        explored.orders += 1;
        explored.depth = explored.depth.max(world.steps());
        probes = world.take_probes();
        if let Some(broken) = halted.and_then(Halt::broken) {
            explored.broken = Some((broken, CoreScenario { choices: Some(choices.made), ..scenario.clone() }));
            break;
        }
        branch(&choices, known, &mut stack);
    }
    explored.states = visited.states.len();
    explored
}

/// Adds the orders that differ first in a choice that this one was free to make.
fn branch(choices: &StepSchedule, known: usize, stack: &mut Vec<Vec<u16>>) {
    for (at, count) in choices.counts.iter().enumerate().skip(known) {
        for other in 1..*count {
            let mut order = choices.made[..at].to_vec();
            order.push(other);
            stack.push(order);
        }
    }
}
