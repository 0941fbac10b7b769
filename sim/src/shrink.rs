//! Makes a failing scenario small enough to be read.
//!
//! Operations and faults are left out, many at a time, then one by one (after Zeller's delta
//! debugging), and what is left is made plainer. Leaving something out moves the choices that come
//! after it, so each smaller scenario is tried with the old choices, with none, and with some that
//! are drawn anew.

use crate::chance::Chance;
use crate::failure::Broken;
use crate::probe::Probes;
use crate::scenario::{Act, Fault, Operation, Scenario};
use crate::world::{Choices, Keep, Report};

/// A scenario made small.
#[derive(Debug, Clone)]
pub struct Shrunk {
    /// The small scenario, with its choices.
    pub scenario: Scenario,
    /// The promise that it breaks.
    pub broken: Broken,
    /// Runs that it took.
    pub tries: u32,
}

/// Orders that are drawn anew for each smaller scenario.
const REDRAWS: u64 = 12;

/// Makes a scenario that breaks a promise smaller, within so many runs; the same oracle still
/// speaks. Nothing when it breaks none.
pub fn shrink(scenario: &Scenario, tries: u32) -> Option<Shrunk> {
    let report = run(scenario, scenario.choices())?;
    let broken = report.broken?;
    let small = Scenario { choices: Some(report.choices), ..scenario.clone() };
    let mut search = Search { best: small, broken, tries: 1, limit: tries };
    loop {
        let before = search.best.clone();
        search.leave_out_operations();
        search.leave_out_faults();
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

fn run(scenario: &Scenario, choices: Choices) -> Option<Report> {
    scenario.run_with(choices, Keep::default(), &mut Probes::default()).ok()
}

/// The smallest scenario so far that breaks the promise.
struct Search {
    best: Scenario,
    broken: Broken,
    tries: u32,
    limit: u32,
}

impl Search {
    const fn is_spent(&self) -> bool {
        self.tries >= self.limit
    }

    fn leave_out_operations(&mut self) {
        self.leave_out(|scenario| scenario.operations.len(), |scenario, range| drop(scenario.operations.drain(range)));
    }

    fn leave_out_faults(&mut self) {
        self.leave_out(|scenario| scenario.faults.len(), |scenario, range| drop(scenario.faults.drain(range)));
    }

    /// Leaves out ranges of halving lengths.
    fn leave_out(&mut self, len: impl Fn(&Scenario) -> usize, remove: impl Fn(&mut Scenario, std::ops::Range<usize>)) {
        let mut width = len(&self.best).div_ceil(2);
        while width > 0 {
            let mut at = len(&self.best);
            while at > 0 && !self.is_spent() {
                let start = at.saturating_sub(width);
                let mut smaller = self.best.clone();
                remove(&mut smaller, start..at);
                self.try_orders(&smaller);
                at = start.min(len(&self.best));
            }
            width /= 2;
        }
    }

    /// Makes what is left plainer, one part after the other.
    fn simplify(&mut self) {
        if self.best.patience > 0 {
            self.try_orders(&Scenario { patience: 0, ..self.best.clone() });
        }
        for at in 0..self.best.operations.len() {
            let operation = self.best.operations[at];
            for plainer in plainer_operations(operation) {
                let mut scenario = self.best.clone();
                scenario.operations[at] = plainer;
                scenario.operations.sort_by_key(|operation| operation.at);
                self.try_orders(&scenario);
            }
        }
        for at in 0..self.best.faults.len() {
            if let Fault::Handler { event, attempt, .. } = self.best.faults[at]
                && attempt > 1
            {
                let mut scenario = self.best.clone();
                if let Fault::Handler { attempt, .. } = &mut scenario.faults[at] {
                    *attempt -= 1;
                }
                let taken = |fault: &Fault| matches!(fault, Fault::Handler { event: e, attempt: a, .. } if (*e, *a) == (event, attempt - 1));
                if !self.best.faults.iter().any(taken) {
                    self.try_orders(&scenario);
                }
            }
        }
    }

    /// Takes the first ready step wherever that breaks the promise too.
    fn calm(&mut self) {
        let choices = self.best.choices.clone().unwrap_or_default();
        let mut width = choices.len().div_ceil(2);
        while width > 0 {
            for start in (0..choices.len()).step_by(width) {
                let mut calmer = self.best.choices.clone().unwrap_or_default();
                let end = calmer.len().min(start + width);
                if start >= end || calmer[start..end].iter().all(|choice| *choice == 0) || self.is_spent() {
                    continue;
                }
                calmer[start..end].fill(0);
                self.try_choices(&self.best.clone(), Choices::listed(calmer));
            }
            width /= 2;
        }
    }

    /// Tries a scenario with several orders; whether one breaks the promise.
    fn try_orders(&mut self, scenario: &Scenario) -> bool {
        if scenario.size() == self.best.size() && *scenario == self.best {
            return false;
        }
        let listed = self.best.choices.clone().unwrap_or_default();
        if self.try_choices(scenario, Choices::listed(Vec::new()))
            || self.try_choices(scenario, Choices::listed(listed))
        {
            return true;
        }
        (0..REDRAWS).any(|redraw| self.try_choices(scenario, Choices::drawn(Chance::of(redraw).stream("shrink"))))
    }

    fn try_choices(&mut self, scenario: &Scenario, choices: Choices) -> bool {
        if self.is_spent() {
            return false;
        }
        self.tries += 1;
        let Some(Report { broken: Some(broken), choices, .. }) = run(scenario, choices) else { return false };
        if broken.oracle != self.broken.oracle {
            return false;
        }
        self.best = Scenario { choices: Some(choices), ..scenario.clone() };
        self.broken = broken;
        true
    }
}

/// The same operation, with less to read.
fn plainer_operations(operation: Operation) -> Vec<Operation> {
    let mut plainer = Vec::new();
    if operation.hangs_up {
        plainer.push(Operation { hangs_up: false, ..operation });
    }
    if operation.client > 0 {
        plainer.push(Operation { client: 0, ..operation });
    }
    if operation.at > 0 {
        plainer.push(Operation { at: 0, ..operation });
    }
    if let Act::Submit { event, payload: 1.. } = operation.act {
        plainer.push(Operation { act: Act::Submit { event, payload: 0 }, ..operation });
    }
    plainer
}
