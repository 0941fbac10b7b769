//! The simulator's program: runs seeds, and replays, shrinks and shows failures.

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
use eventful_sim::broker::BrokerTier;
use eventful_sim::disk::DiskTier;
use eventful_sim::network::TurmoilTier;
use eventful_sim::scenario::CoreTier;

use options::{SimCall, SimOptions, TierName};
use replay::{replay, report, shrink};
use run::run;

/// Calls a function for the tier of this name.
macro_rules! of_tier {
    ($name:expr, $function:ident($options:expr)) => {
        match $name {
            TierName::Core => $function::<CoreTier>($options),
            TierName::Turmoil => $function::<TurmoilTier>($options),
            TierName::Disk => $function::<DiskTier>($options),
            TierName::Broker => $function::<BrokerTier>($options),
        }
    };
}

fn main() -> ExitCode {
    call(SimOptions::parse().call).unwrap_or_else(|error| {
        terminal::warn(&format!("error: {error:#}"));
        ExitCode::from(exit::USAGE)
    })
}

fn call(call: SimCall) -> anyhow::Result<ExitCode> {
    match call {
        SimCall::Run(options) => of_tier!(options.draw.tier(), run(&options)),
        SimCall::Replay(options) => of_tier!(options.source.tier()?, replay(&options)),
        SimCall::Shrink(options) => of_tier!(options.source.tier()?, shrink(&options)),
        SimCall::Report(options) => of_tier!(options.source.tier()?, report(&options)),
        SimCall::Scope(options) => exploration::explore(&options),
        SimCall::Golden => Ok(golden::print()),
    }
}
