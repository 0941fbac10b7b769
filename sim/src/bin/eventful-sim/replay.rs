//! `replay`, `shrink` and `report`: one scenario.

use std::process::ExitCode;

use anyhow::Context as _;
use eventful_sim::failure::Broken;
use eventful_sim::report;
use eventful_sim::tier::{self, Keep, Probes, Scenario, Tier};

use crate::clock::SimStopwatch;
use crate::exit::FOUND;
use crate::failure::{TRIES, shrunk};
use crate::options::{OutputOptions, ReplayOptions};
use crate::terminal::{say, steps, warn};

/// Runs one scenario, and prints its result.
pub(crate) fn replay<T: Tier>(options: &ReplayOptions) -> anyhow::Result<ExitCode> {
    let scenario: Scenario<T> = options.source.find()?;
    let mut report = scenario.run(Keep { trace: options.trace, hashes: false }, &mut Probes::default());
    report.trace.iter().flat_map(|trace| &trace.entries).for_each(|entry| say(&entry.to_string()));
    if options.twice {
        report = scenario.run_again(report);
    }
    let mut line = format!("seed {}: {} {}", scenario.seed, scenario.size(), T::UNIT);
    if report.virtual_micros > 0 {
        let seconds = report.virtual_micros as f64 / 1e6;
        line += &format!(", {}{seconds:.3} s", steps(report.steps.into()));
    }
    say(&line);
    say(&format!("hash {:016x}", report.hash));
    if report.broken.is_none() {
        say("every promise holds");
    }
    Ok(verdict(report.broken.as_ref()))
}

/// Shrinks a scenario, and saves it.
pub(crate) fn shrink<T: Tier>(options: &OutputOptions) -> anyhow::Result<ExitCode> {
    let scenario: Scenario<T> = options.source.find()?;
    let since = SimStopwatch::start();
    let Some(smaller) = tier::shrink(&scenario, TRIES) else {
        warn(&format!("{} breaks no promise: there is nothing to shrink", options.source.name));
        return Ok(ExitCode::SUCCESS);
    };
    let took = since.elapsed();
    let file = options.file(scenario.seed, "json");
    let found = verdict(Some(&smaller.broken));
    say(&shrunk(&smaller, scenario.size(), took));
    smaller.scenario.write(&file)?;
    say(&format!("replay  cargo sim replay {}", file.display()));
    Ok(found)
}

/// Runs one scenario, and writes a page that shows it.
pub(crate) fn report<T: Tier>(options: &OutputOptions) -> anyhow::Result<ExitCode> {
    let scenario: Scenario<T> = options.source.find()?;
    let report = scenario.run(Keep { trace: true, hashes: false }, &mut Probes::default());
    let page = report::html(&scenario, report.broken.as_ref(), &report.trace.unwrap_or_default());
    let file = options.file(scenario.seed, "html");
    std::fs::write(&file, page).with_context(|| format!("{}: check the path", file.display()))?;
    say(&format!("page    {}", file.display()));
    Ok(verdict(report.broken.as_ref()))
}

fn verdict(broken: Option<&Broken>) -> ExitCode {
    let Some(broken) = broken else { return ExitCode::SUCCESS };
    say(&broken.to_string());
    ExitCode::from(FOUND)
}
