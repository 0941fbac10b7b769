//! The program: goes through seeds, and replays, shrinks and shows what it finds.

mod clock;
mod exit;
mod exploration;
mod failure;
mod golden;
mod interrupt;
mod jobs;
mod options;
mod progress;
mod replay;
mod run;
mod summary;
mod terminal;

use std::process::ExitCode;

use clap::Parser as _;
use eventful_sim::disk::DiskTier;
use eventful_sim::network::TurmoilTier;
use eventful_sim::scenario::CoreTier;

use options::{Call, Options, TierName};
use replay::{replay, report, shrink};
use run::run;

/// Calls a function for the tier of this name.
macro_rules! of_tier {
    ($name:expr, $function:ident($options:expr)) => {
        match $name {
            TierName::Core => $function::<CoreTier>($options),
            TierName::Turmoil => $function::<TurmoilTier>($options),
            TierName::Disk => $function::<DiskTier>($options),
        }
    };
}

fn main() -> ExitCode {
    call(Options::parse().call).unwrap_or_else(|error| {
        terminal::warn(&format!("error: {error:#}"));
        ExitCode::from(exit::USAGE)
    })
}

fn call(call: Call) -> anyhow::Result<ExitCode> {
    match call {
        Call::Run(options) => of_tier!(options.draw.tier(), run(&options)),
        Call::Replay(options) => of_tier!(options.source.tier()?, replay(&options)),
        Call::Shrink(options) => of_tier!(options.source.tier()?, shrink(&options)),
        Call::Report(options) => of_tier!(options.source.tier()?, report(&options)),
        Call::Scope(options) => exploration::explore(&options),
        Call::Golden => Ok(golden::print()),
    }
}
