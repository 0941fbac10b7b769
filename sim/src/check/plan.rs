//! Draws the disturbances of a seed.

use std::time::Duration;

use super::fault::{Disturbance, Fault, Place};
use super::stage::{Run, Seen};
use crate::chance::{Chance, Stream};

/// What a calm run showed, so that disturbances strike where something happens.
#[derive(Debug, Clone)]
pub(super) struct Ground {
    /// For each event, the awaits at which one of its runs waited, at most.
    pub(super) suspensions: Vec<u32>,
    /// For each event, the runs that may be struck, so that its attempts suffice all the same.
    pub(super) spare: Vec<u32>,
    /// How often handlers were polled, all together.
    pub(super) steps: u32,
    /// Longer than a run may last.
    pub(super) timeout: Duration,
}

/// Runs of one event that are struck, at most.
const STRUCK_RUNS: u32 = 3;

/// Disturbances of one story at most, unless there are more events.
const MANY: u64 = 6;

/// Operations of tokio that go before the one at which a run is preempted, at most.
const PREEMPTED: u32 = 7;

impl Ground {
    /// What was seen of this many events when nothing disturbed them.
    pub(super) fn new(events: usize, seen: &Seen, max_attempts: u32, timeout: Duration) -> Self {
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

const fn last(run: &Run) -> u32 {
    run.number
}

/// The disturbances of this seed, of these kinds.
pub(super) fn draw(seed: u64, kinds: &[Fault], ground: &Ground) -> Vec<Disturbance> {
    let chance = Chance::of(seed);
    let mut swarm = chance.stream("kinds");
    let mut kinds: Vec<_> = kinds.iter().copied().filter(|_| swarm.per_mille(500)).collect();
    let mut drawn: Vec<_> = take_whole(&mut kinds).into_iter().map(|fault| whole(fault, &mut swarm)).collect();
    let mut places = chance.stream("places");
    let mut spare = ground.spare.clone();
    if !kinds.is_empty() && !spare.is_empty() {
        for _ in 0..places.between(1, MANY.max(spare.len() as u64)) {
            drawn.extend(one(places.pick(&kinds), ground, &mut spare, &mut places));
        }
    }
    drawn
}

/// Takes out the kinds that concern a story as a whole.
fn take_whole(kinds: &mut Vec<Fault>) -> Vec<Fault> {
    kinds.extract_if(.., |kind| matches!(kind, Fault::Overlap | Fault::Order)).collect()
}

fn whole(fault: Fault, stream: &mut Stream) -> Disturbance {
    let at = if fault == Fault::Order { Place::Shuffle(stream.number()) } else { Place::Throughout };
    Disturbance { fault, at }
}

/// One disturbance of this kind, if there is a place for it.
fn one(fault: Fault, ground: &Ground, spare: &mut [u32], stream: &mut Stream) -> Option<Disturbance> {
    let event = stream.index(spare.len());
    let run = u32::try_from(stream.between(1, 2)).unwrap_or(1);
    let at = match fault {
        Fault::CrashBefore | Fault::CrashAfter => {
            spend(&mut spare[event])?;
            Place::Run { event, run }
        }
        Fault::Drop if stream.per_mille(500) => {
            spend(&mut spare[event])?;
            Place::Preempted { event, run, after: below(stream, PREEMPTED) }
        }
        Fault::Drop | Fault::Timeout | Fault::Slow => {
            let suspension = below(stream, ground.suspensions[event].checked_sub(1)?) + 1;
            spend(&mut spare[event])?;
            Place::Await { event, run, suspension, delay: Duration::from_millis(stream.between(1, 3000)) }
        }
        Fault::Pause => {
            // Every run in flight may time out.
            spare.iter_mut().try_for_each(spend)?;
            Place::Step { step: below(stream, ground.steps) + 1, event, delay: ground.timeout }
        }
        Fault::Duplicate | Fault::Restart => {
            Place::Step { step: below(stream, ground.steps) + 1, event, delay: Duration::ZERO }
        }
        Fault::FullChannel | Fault::LostChannel | Fault::LostTicket | Fault::DispatcherDies | Fault::SweeperDies => {
            Place::Pass(below(stream, 2 + u32::try_from(spare.len()).unwrap_or(0)))
        }
        Fault::Overlap | Fault::Order => return None,
    };
    Some(Disturbance { fault, at })
}

fn spend(spare: &mut u32) -> Option<()> {
    *spare = spare.checked_sub(1)?;
    Some(())
}

/// A number from 0 to `most`.
fn below(stream: &mut Stream, most: u32) -> u32 {
    u32::try_from(stream.between(0, u64::from(most))).unwrap_or(most)
}
