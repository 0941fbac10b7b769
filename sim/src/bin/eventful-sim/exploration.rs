//! `scope`: every order of tiny cases.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use eventful_sim::scenario::CoreScenario;
use eventful_sim::scope;

use crate::clock::SimStopwatch;
use crate::exit::FOUND;
use crate::options::ScopeOptions;
use crate::terminal::{grouped, say};

/// Explores all cases, and prints the number of states and orders.
pub(crate) fn explore(options: &ScopeOptions) -> anyhow::Result<ExitCode> {
    for case in scope::cases() {
        let since = SimStopwatch::start();
        let explored = scope::explore(&case);
        let (states, orders) = (grouped(explored.states as u64), grouped(explored.orders as u64));
        let (depth, took) = (explored.depth, since.elapsed());
        say(&format!("{states} states, {orders} orders, the longest {depth} steps, in {took:.1?}: {}", case.about));
        if let Some((broken, scenario)) = explored.broken {
            say(&broken.to_string());
            save(&scenario, &options.save)?;
            return Ok(ExitCode::from(FOUND));
        }
    }
    say("every promise holds in each of them");
    Ok(ExitCode::SUCCESS)
}

fn save(scenario: &CoreScenario, folder: &Path) -> anyhow::Result<()> {
    let file = folder.join("scope.json");
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot create the folder {}: check the path", folder.display()))?;
    scenario.write(&file)?;
    say(&format!("saved   {}", file.display()));
    say(&format!("replay  cargo sim replay {}", file.display()));
    Ok(())
}
