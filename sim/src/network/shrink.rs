//! Makes a scenario that breaks a promise as small as it gets.

use super::drive::run;
use super::scenario::{Scenario, Script};
use crate::failure::Broken;

/// The smallest scenario found that breaks the same promise in the eyes of the same oracle. One
/// that breaks none comes back as it is.
///
/// Requests, faults, scripts and their turns are left out, more at a time first, until none can go.
pub fn shrink(scenario: Scenario) -> Scenario {
    let Some(broken) = run(&scenario, None).broken else { return scenario };
    let mut best = scenario;
    loop {
        let before = best.size();
        drop_parts(&mut best, &broken, |scenario| &mut scenario.faults);
        drop_parts(&mut best, &broken, |scenario| &mut scenario.requests);
        drop_parts(&mut best, &broken, |scenario| &mut scenario.scripts);
        drop_turns(&mut best, &broken);
        keep_if(&mut best, &broken, |scenario| scenario.setup.yields_per_mille = 0);
        if best.size() == before {
            return best;
        }
    }
}

/// Leaves out runs of parts: half of all, a quarter, down to one.
fn drop_parts<T>(best: &mut Scenario, broken: &Broken, parts: fn(&mut Scenario) -> &mut Vec<T>) {
    let mut width = parts(best).len().div_ceil(2);
    while width > 0 {
        let mut at = 0;
        while at < parts(best).len() {
            let dropped = keep_if(best, broken, |scenario| {
                let parts = parts(scenario);
                parts.drain(at..(at + width).min(parts.len()));
            });
            at += if dropped { 0 } else { width };
        }
        width /= 2;
    }
}

fn drop_turns(best: &mut Scenario, broken: &Broken) {
    for script in 0..best.scripts.len() {
        while best.scripts.get(script).is_some_and(has_many)
            && keep_if(best, broken, |scenario| scenario.scripts[script].turns.truncate(1))
        {}
    }
}

fn has_many(script: &Script) -> bool {
    script.turns.len() > 1
}

/// Makes the change if the promise is still broken with it.
fn keep_if(best: &mut Scenario, broken: &Broken, change: impl FnOnce(&mut Scenario)) -> bool {
    let mut candidate = best.clone();
    change(&mut candidate);
    let kept = candidate != *best && run(&candidate, None).broken.is_some_and(|found| found.is_like(broken));
    if kept {
        *best = candidate;
    }
    kept
}
