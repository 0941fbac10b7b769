//! The choice of the faults of a seed.

use std::time::Duration;

use super::context::{CalledRun, CheckEvents};
use super::fault::{FaultPlace, HandlerFault, PlannedFault};
use crate::seeded_rng::{SeededRng, Stream};

/// Measures of a run without faults, so that faults strike where something happens.
#[derive(Debug, Clone)]
pub(super) struct Baseline {
    /// For each event, the greatest number of awaits at which one of its runs waited.
    pub(super) suspensions: Vec<u32>,
    /// For each event, the number of runs that may be struck so that its attempts still suffice.
    pub(super) spare: Vec<u32>,
    /// The number of polls of handlers.
    pub(super) steps: u32,
    /// A time longer than a run may last.
    pub(super) timeout: Duration,
}

/// The greatest number of struck runs of one event: enough for a fault in the run after a fault, and few enough to
/// leave attempts.
const STRUCK_RUNS: u32 = 3;

/// The greatest number of faults of a test case, unless there are more events. A free choice: more faults hide each
/// other.
const MANY: u64 = 6;

/// The greatest number of operations of tokio before the one at which a run is preempted. A free choice: handlers have
/// few of them.
const PREEMPTED: u32 = 7;

impl Baseline {
    /// Creates the baseline from the observations of this many events without faults.
    pub(super) fn new(events: usize, seen: &CheckEvents, max_attempts: u32, timeout: Duration) -> Self {
        let of = |event: usize| seen.runs.iter().filter(move |run| run.event == event);
        let suspensions = |event| of(event).map(|run| run.suspensions).max().unwrap_or(0);
        let spare = |event| max_attempts.saturating_sub(of(event).map(last).max().unwrap_or(0)).min(STRUCK_RUNS);
        Self {
            suspensions: (0..events).map(suspensions).collect(),
            spare: (0..events).map(spare).collect(),
            steps: seen.steps,
            timeout,
        }
    }
}

const fn last(run: &CalledRun) -> u32 {
    run.number
}

/// Returns the faults of this seed, of these kinds.
pub(super) fn draw(seed: u64, kinds: &[HandlerFault], baseline: &Baseline) -> Vec<PlannedFault> {
    let rng = SeededRng::of(seed);
    let mut swarm = rng.stream("kinds");
    let mut kinds: Vec<_> = kinds.iter().copied().filter(|_| swarm.per_mille(500)).collect();
    let mut drawn: Vec<_> = take_whole(&mut kinds).into_iter().map(|fault| whole(fault, &mut swarm)).collect();
    let mut places = rng.stream("places");
    let mut spare = baseline.spare.clone();
    if !kinds.is_empty() && !spare.is_empty() {
        for _ in 0..places.between(1, MANY.max(spare.len() as u64)) {
            drawn.extend(one(places.pick(&kinds), baseline, &mut spare, &mut places));
        }
    }
    drawn
}

/// Removes and returns the kinds that concern a test case as a whole.
fn take_whole(kinds: &mut Vec<HandlerFault>) -> Vec<HandlerFault> {
    kinds.extract_if(.., |kind| matches!(kind, HandlerFault::Overlap | HandlerFault::Order)).collect()
}

fn whole(fault: HandlerFault, stream: &mut Stream) -> PlannedFault {
    let at = if fault == HandlerFault::Order { FaultPlace::Shuffle(stream.number()) } else { FaultPlace::Throughout };
    PlannedFault { fault, at }
}

/// Returns one fault of this kind, if there is a place for it.
fn one(fault: HandlerFault, baseline: &Baseline, spare: &mut [u32], stream: &mut Stream) -> Option<PlannedFault> {
    let event = stream.index(spare.len());
    let run = u32::try_from(stream.between(1, 2)).unwrap_or(1);
    let at = match fault {
        HandlerFault::CrashBefore | HandlerFault::CrashAfter => {
            spend(&mut spare[event])?;
            FaultPlace::Run { event, run }
        }
        HandlerFault::Drop if stream.per_mille(500) => {
            spend(&mut spare[event])?;
            FaultPlace::Preempted { event, run, after: below(stream, PREEMPTED) }
        }
        HandlerFault::Drop | HandlerFault::Timeout | HandlerFault::Slow => {
            let suspension = below(stream, baseline.suspensions[event].checked_sub(1)?) + 1;
            spend(&mut spare[event])?;
            FaultPlace::Await { event, run, suspension, delay: Duration::from_millis(stream.between(1, 3000)) }
        }
        HandlerFault::Pause => {
            // Every run in flight may time out.
            spare.iter_mut().try_for_each(spend)?;
            FaultPlace::Step { step: below(stream, baseline.steps) + 1, event, delay: baseline.timeout }
        }
        HandlerFault::Duplicate | HandlerFault::Restart => {
            FaultPlace::Step { step: below(stream, baseline.steps) + 1, event, delay: Duration::ZERO }
        }
        HandlerFault::FullChannel
        | HandlerFault::LostChannel
        | HandlerFault::LostTicket
        | HandlerFault::DispatcherDies
        | HandlerFault::SweeperDies => FaultPlace::Pass(below(stream, 2 + u32::try_from(spare.len()).unwrap_or(0))),
        HandlerFault::Overlap | HandlerFault::Order => return None,
    };
    Some(PlannedFault { fault, at })
}

fn spend(spare: &mut u32) -> Option<()> {
    *spare = spare.checked_sub(1)?;
    Some(())
}

/// Returns a number from 0 to `most`.
fn below(stream: &mut Stream, most: u32) -> u32 {
    u32::try_from(stream.between(0, u64::from(most))).unwrap_or(most)
}
