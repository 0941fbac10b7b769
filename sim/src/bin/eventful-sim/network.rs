//! Runs of the turmoil tier.

use eventful_sim::failure::Broken;
use eventful_sim::network::{self, Coverage, Line, Outcome, Scenario};
use eventful_sim::report;

use crate::played::Played;

/// Runs it. What fires is added to `coverage`.
pub(crate) fn play(scenario: &Scenario, coverage: &mut Coverage) -> Played {
    let outcome = network::run(scenario, None);
    coverage.merge(&outcome.coverage);
    let Outcome { hash, virtual_time, broken, .. } = outcome;
    let virtual_micros = u64::try_from(virtual_time.as_micros()).unwrap_or(u64::MAX);
    Played { broken, hash, steps: None, virtual_micros }
}

/// The hash after each step.
pub(crate) fn hashes(scenario: &Scenario) -> Vec<u64> {
    let mut lines = Vec::new();
    network::run(scenario, Some(&mut lines));
    lines.iter().map(|line| line.hash).collect()
}

/// What happens in it, a line each.
pub(crate) fn diary(scenario: &Scenario) -> Vec<String> {
    let mut lines = Vec::new();
    let broken = network::run(scenario, Some(&mut lines)).broken;
    let text = |Line { at_micros, what, .. }: &Line| format!("{:>12.6} s  {what}", *at_micros as f64 / 1e6);
    lines.iter().map(text).chain(broken.map(|broken| format!("BROKEN  {broken}"))).collect()
}

/// What it breaks, and a page that shows how.
pub(crate) fn page(scenario: &Scenario) -> (Option<Broken>, String) {
    let mut lines = Vec::new();
    let broken = network::run(scenario, Some(&mut lines)).broken;
    let page = report::network_html(scenario, broken.as_ref(), &lines);
    (broken, page)
}

/// Makes it smaller. Nothing when it breaks no promise.
pub(crate) fn shrink(scenario: &Scenario) -> Option<(Scenario, Broken)> {
    let smaller = network::shrink(scenario.clone());
    let broken = network::run(&smaller, None).broken?;
    Some((smaller, broken))
}
