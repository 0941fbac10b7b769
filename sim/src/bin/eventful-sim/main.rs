//! The program: goes through seeds, and replays, shrinks and shows what it finds.

mod case;
mod clock;
mod core;
mod disk;
mod exit;
mod exploration;
mod failure;
mod golden;
mod interrupt;
mod jobs;
mod network;
mod options;
mod panics;
mod played;
mod progress;
mod reach;
mod replay;
mod report;
mod run;
mod summary;
mod terminal;

use std::process::ExitCode;

use clap::Parser as _;

use options::{Call, Options};

fn main() -> ExitCode {
    call(Options::parse().call).unwrap_or_else(|error| {
        terminal::warn(&format!("error: {error:#}"));
        ExitCode::from(exit::USAGE)
    })
}

fn call(call: Call) -> anyhow::Result<ExitCode> {
    match call {
        Call::Run(options) => run::run(&options),
        Call::Replay(options) => replay::replay(&options),
        Call::Shrink(options) => replay::shrink(&options),
        Call::Report(options) => report::report(&options),
        Call::Scope(options) => exploration::explore(&options),
        Call::Golden => Ok(golden::print()),
    }
}
