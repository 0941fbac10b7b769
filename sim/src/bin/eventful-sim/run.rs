//! `run`: goes through seeds until one breaks a promise.

use std::process::ExitCode;

use crate::clock::{self, Stopwatch};
use crate::exit::{FOUND, INTERRUPTED};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::jobs::{self, Manner, Seeds, Tally};
use crate::options::RunOptions;
use crate::progress::Progress;
use crate::summary::Summary;
use crate::{panics, terminal};

/// Runs seeds, says what they came to, and keeps the first that breaks a promise.
pub(crate) fn run(options: &RunOptions) -> anyhow::Result<ExitCode> {
    options.draw.check()?;
    let interrupt = Interrupt::listen();
    panics::keep_quiet();
    let (first, manner) = (first(options), Manner { draw: options.draw, twice: options.twice });
    let since = Stopwatch::start();
    let mut tally = go_through(options, first, &interrupt);
    let took = since.elapsed();
    let failed = tally.failed.take();
    let failure = failed.map(|(seed, broken)| Failure::settle(seed, broken, manner, &options.save)).transpose()?;
    let (jobs, names_missing) = (jobs::count(options), options.probes);
    let summary = Summary { first, jobs, took, tally, names_missing, failure };
    tell(&summary, options);
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

fn go_through(options: &RunOptions, first: u64, interrupt: &Interrupt) -> Tally {
    let seeds = Seeds::new(first, options.seeds.unwrap_or(u64::MAX), options.draw.tier);
    let manner = Manner { draw: options.draw, twice: options.twice };
    let mut progress = Progress::start(options);
    let since = Stopwatch::start();
    let tally = jobs::go_through(&seeds, manner, jobs::count(options), |tally| {
        let passed = since.elapsed();
        if interrupt.is_asked() || options.span.is_some_and(|span| passed >= span) {
            seeds.stop();
        }
        progress.tell(tally, passed);
    });
    progress.end();
    tally
}

fn tell(summary: &Summary, options: &RunOptions) {
    if options.json {
        return terminal::say(&summary.to_json());
    }
    summary.lines().iter().for_each(|line| terminal::say(line));
    if let Some(failure) = &summary.failure {
        terminal::say("");
        failure.lines().iter().for_each(|line| terminal::say(line));
    }
}

fn verdict(summary: &Summary, options: &RunOptions, interrupt: &Interrupt) -> ExitCode {
    if summary.failure.is_some() {
        ExitCode::from(FOUND)
    } else if interrupt.is_asked() {
        ExitCode::from(INTERRUPTED)
    } else if options.probes && !summary.tally.reach.missing().is_empty() {
        terminal::warn("error: a probe has not fired: take more seeds, or look why");
        ExitCode::from(FOUND)
    } else {
        ExitCode::SUCCESS
    }
}
