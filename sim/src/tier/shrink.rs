//! Shrinking of failing scenarios.
//!
//! Operations and faults are left out, many at a time, then one by one (after Zeller's delta debugging), and the rest
//! is simplified. Where steps have an order of their own, leaving something out shifts the choices that come after it,
//! so each smaller scenario is tried with the old choices, with none, and with some that are drawn for it.

use std::ops::Range;

use super::probes::Probes;
use super::scenario::{Keep, Report, Scenario, Tier};
use crate::failure::Broken;
use crate::seeded_rng::SeededRng;

/// A scenario that was shrunk.
#[derive(Debug, Clone)]
pub struct Shrunk<T: Tier> {
    /// The shrunk scenario, with its choices.
    pub scenario: Scenario<T>,
    /// The promise that it breaks.
    pub broken: Broken,
    /// The number of runs that it took.
    pub tries: u32,
}

/// The number of random orders that are tried for each smaller scenario: more find smaller scenarios, and take longer.
const REDRAWS: u64 = 12;

/// Shrinks a scenario that breaks a promise, within this many runs; the same oracle still finds the same promise
/// broken. Returns none if it breaks none.
pub fn shrink<T: Tier>(scenario: &Scenario<T>, tries: u32) -> Option<Shrunk<T>> {
    let Report { broken, choices, .. } = scenario.run(Keep::default(), &mut Probes::default());
    let best = Scenario { choices, ..scenario.clone() };
    let mut search = Search { best, broken: broken?, tries: 1, limit: tries };
    loop {
        let before = search.best.clone();
        search
            .leave_out(|scenario| scenario.operations.len(), |scenario, range| drop(scenario.operations.drain(range)));
        search.leave_out(|scenario| scenario.faults.len(), |scenario, range| drop(scenario.faults.drain(range)));
        search.simplify();
        search.calm();
        if search.best == before || search.is_spent() {
            break;
        }
    }
    let Search { best: mut scenario, broken, tries, .. } = search;
    if let Some(choices) = &mut scenario.choices {
        let end = choices.iter().rposition(|choice| *choice > 0).map_or(0, |last| last + 1);
        choices.truncate(end);
    }
    Some(Shrunk { scenario, broken, tries })
}

/// The smallest scenario so far that breaks the promise.
struct Search<T: Tier> {
    best: Scenario<T>,
    broken: Broken,
    tries: u32,
    limit: u32,
}

impl<T: Tier> Search<T> {
    const fn is_spent(&self) -> bool {
        self.tries >= self.limit
    }

    /// Leaves out ranges of halving lengths.
    fn leave_out(&mut self, len: impl Fn(&Scenario<T>) -> usize, remove: impl Fn(&mut Scenario<T>, Range<usize>)) {
        let mut width = len(&self.best).div_ceil(2);
        while width > 0 {
            let mut at = len(&self.best);
            while at > 0 && !self.is_spent() {
                let start = at.saturating_sub(width);
                self.try_change(|scenario| remove(scenario, start..at));
                at = start.min(len(&self.best));
            }
            width /= 2;
        }
    }

    /// Simplifies the rest, one part after the other.
    fn simplify(&mut self) {
        for change in T::moves(&self.best) {
            self.try_change(change);
        }
    }

    /// Takes the first ready step wherever that breaks the promise too.
    fn calm(&mut self) {
        let len = self.best.choices.as_ref().map_or(0, Vec::len);
        let mut width = len.div_ceil(2);
        while width > 0 {
            for start in (0..len).step_by(width) {
                let mut calmer = self.best.clone();
                let part = calmer.choices.iter_mut().flatten().skip(start).take(width);
                part.for_each(|choice| *choice = 0);
                if calmer != self.best {
                    self.try_as_it_is(calmer);
                }
            }
            width /= 2;
        }
    }

    /// Tries a change with several orders; keeps it if one breaks the promise.
    fn try_change(&mut self, change: impl FnOnce(&mut Scenario<T>)) {
        let mut changed = self.best.clone();
        change(&mut changed);
        if changed == self.best || changed.size() > self.best.size() {
            return;
        }
        let Some(listed) = changed.choices.take() else {
            self.try_as_it_is(changed);
            return;
        };
        let len = listed.len() * 2;
        let redrawn = (0..REDRAWS).map(|redraw| {
            let mut stream = SeededRng::of(redraw).stream("shrink");
            (0..len).map(|_| stream.number() as u16).collect()
        });
        let mut orders = [Vec::new(), listed].into_iter().chain(redrawn);
        orders.any(|choices| self.try_as_it_is(Scenario { choices: Some(choices), ..changed.clone() }));
    }

    /// Tries a scenario. Returns whether it breaks the promise.
    fn try_as_it_is(&mut self, scenario: Scenario<T>) -> bool {
        if self.is_spent() {
            return false;
        }
        self.tries += 1;
        let Report { broken, choices, .. } = scenario.run(Keep::default(), &mut Probes::default());
        let Some(broken) = broken.filter(|broken| broken.is_like(&self.broken)) else { return false };
        (self.best, self.broken) = (Scenario { choices, ..scenario }, broken);
        true
    }
}
