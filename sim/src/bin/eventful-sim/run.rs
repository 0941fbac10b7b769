//! `run`: runs seeds until one breaks a promise.

use std::process::ExitCode;

use eventful_sim::tier::Tier;

use crate::clock::{self, SimStopwatch};
use crate::exit::{FOUND, INTERRUPTED};
use crate::failure::FailedSeed;
use crate::interrupt::Interrupt;
use crate::jobs::{self, JobOptions, JobTally, RemainingSeeds};
use crate::options::RunOptions;
use crate::progress::SeedProgress;
use crate::summary::RunSummary;
use crate::terminal;

/// Runs seeds, prints the result, and saves the first that breaks a promise.
pub(crate) fn run<T: Tier>(options: &RunOptions) -> anyhow::Result<ExitCode> {
    let interrupt = Interrupt::listen();
    let (first, manner) = (first(options), JobOptions { plan: options.draw.plan::<T>()?, twice: options.twice });
    let since = SimStopwatch::start();
    let mut tally = go_through::<T>(options, first, manner, &interrupt);
    let took = since.elapsed();
    let failed = tally.failed.take();
    let failure =
        failed.map(|(seed, broken)| FailedSeed::<T>::settle(seed, broken, manner, &options.save)).transpose()?;
    let (jobs, names_missing) = (jobs::count(options), options.probes);
    let summary = RunSummary { first, jobs, took, tally, names_missing, failure };
    print(&summary, options);
    Ok(verdict(&summary, options, &interrupt))
}

fn first(options: &RunOptions) -> u64 {
    let Some(span) = options.span.filter(|_| options.first.is_none()) else { return options.first.unwrap_or(0) };
    let seed = clock::fresh_seed();
    if !options.json {
        terminal::say(&format!("seeds from {seed} on, drawn from the clock, for {span:?}"));
    }
    seed
}

fn go_through<T: Tier>(options: &RunOptions, first: u64, manner: JobOptions, interrupt: &Interrupt) -> JobTally {
    let seeds = RemainingSeeds::new::<T>(first, options.seeds.unwrap_or(u64::MAX));
    let mut progress = SeedProgress::start(options);
    let since = SimStopwatch::start();
    let tally = jobs::go_through::<T>(&seeds, manner, jobs::count(options), |tally| {
        let passed = since.elapsed();
        if interrupt.is_asked() || options.span.is_some_and(|span| passed >= span) {
            seeds.stop();
        }
        progress.report::<T>(tally, passed);
    });
    progress.end();
    tally
}

fn print<T: Tier>(summary: &RunSummary<T>, options: &RunOptions) {
    if options.json {
        return terminal::say(&summary.to_json());
    }
    summary.lines().iter().for_each(|line| terminal::say(line));
    if let Some(failure) = &summary.failure {
        terminal::say("");
        failure.lines().iter().for_each(|line| terminal::say(line));
    }
}

fn verdict<T: Tier>(summary: &RunSummary<T>, options: &RunOptions, interrupt: &Interrupt) -> ExitCode {
    if summary.failure.is_some() {
        ExitCode::from(FOUND)
    } else if interrupt.is_asked() {
        ExitCode::from(INTERRUPTED)
    } else if options.probes && !T::missing(&summary.tally.probes).is_empty() {
        terminal::warn("error: a probe has not fired: run more seeds, or find out why it is out of reach");
        ExitCode::from(FOUND)
    } else {
        ExitCode::SUCCESS
    }
}
