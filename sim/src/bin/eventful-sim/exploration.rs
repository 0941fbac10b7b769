//! `scope`: every order of a tiny case.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use eventful_sim::failure::Broken;
use eventful_sim::probe::Probes;
use eventful_sim::scenario::Scenario;
use eventful_sim::scope;
use eventful_sim::world::Keep;

use crate::FOUND;
use crate::clock::Stopwatch;
use crate::options::ScopeOptions;
use crate::terminal::{grouped, say};

/// Goes through them all, and says how many there are.
pub(crate) fn explore(options: &ScopeOptions) -> anyhow::Result<ExitCode> {
    let case = scope::small_case();
    let since = Stopwatch::start();
    let explored = scope::explore(&case);
    let (states, orders) = (grouped(explored.states as u64), grouped(explored.orders as u64));
    let (depth, took) = (explored.depth, since.elapsed());
    say(&format!("{states} states, {orders} orders, the longest {depth} steps, in {took:.1?}: {}", case.about));
    match explored.broken {
        None => {
            say("every promise holds in each of them");
            Ok(ExitCode::SUCCESS)
        }
        Some((broken, choices)) => {
            tell(&broken, &choices);
            save(Scenario { choices: Some(choices), ..case }, &options.save)?;
            Ok(ExitCode::from(FOUND))
        }
    }
}

fn tell(broken: &Broken, choices: &[u16]) {
    say(&broken.to_string());
    let choices: Vec<_> = choices.iter().map(u16::to_string).collect();
    say(&format!("choices {}", choices.join(" ")));
}

/// Saves the order, if the world outside of the search takes the same way with these choices.
fn save(scenario: Scenario, folder: &Path) -> anyhow::Result<()> {
    let report = scenario.run(Keep::default(), &mut Probes::default())?;
    if report.broken.is_none() {
        say("replay  cargo sim scope: only the search lets time pass where this order needs it");
        return Ok(());
    }
    let file = folder.join("scope.json");
    std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be a folder", folder.display()))?;
    scenario.write(&file)?;
    say(&format!("replay  cargo sim replay {}", file.display()));
    Ok(())
}
