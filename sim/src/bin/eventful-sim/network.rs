//! Runs of the turmoil tier.

use std::path::Path;

use anyhow::Context as _;
use eventful_sim::failure::Broken;
use eventful_sim::network::{self, Coverage, Line, Outcome, Scenario};
use eventful_sim::report;

use crate::case::Played;

/// Whether a text looks like a scenario of this tier: it has a setup, where those of the core tier have settings.
pub(crate) fn recognizes(text: &str) -> bool {
    serde_json::from_str::<serde_json::Value>(text).is_ok_and(|value| value.get("setup").is_some())
}

/// Reads a scenario.
pub(crate) fn parse(text: &str) -> anyhow::Result<Scenario> {
    let scenario: Scenario = serde_json::from_str(text).context("it is no scenario of the turmoil tier")?;
    scenario.setup.config().validate()?;
    Ok(scenario)
}

/// Writes a scenario to a file.
pub(crate) fn write(scenario: &Scenario, path: &Path) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(scenario)? + "\n";
    std::fs::write(path, text).with_context(|| format!("{}: check the path", path.display()))
}

/// Requests, faults, and turns of the handler.
pub(crate) fn size(scenario: &Scenario) -> usize {
    let turns: usize = scenario.scripts.iter().map(|script| script.turns.len()).sum();
    scenario.requests.len() + scenario.faults.len() + turns
}

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
