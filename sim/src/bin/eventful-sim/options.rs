//! The command-line options.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{anyhow, ensure};
use clap::{Args, Parser, Subcommand, ValueEnum};
use eventful_sim::scenario::DrawPlan;
use eventful_sim::tier::{Scenario, ScenarioHead, Tier};

/// Runs an eventful engine under faults, and finds, replays and shrinks runs that break a promise.
///
/// Exit codes: 0 all promises hold, 1 one is broken or a probe has not fired, 2 the arguments or a file are invalid,
/// 130 Ctrl-C.
#[derive(Debug, Parser)]
#[command(name = "eventful-sim", bin_name = "cargo sim", version, max_term_width = 100)]
pub(crate) struct SimOptions {
    #[command(subcommand)]
    pub(crate) call: SimCall,
}

/// The subcommand.
#[derive(Debug, Subcommand)]
pub(crate) enum SimCall {
    /// Run seeds until one breaks a promise; shrink and save that one
    Run(RunOptions),
    /// Run one scenario, and print its result
    Replay(ReplayOptions),
    /// Shrink a scenario that breaks a promise
    Shrink(OutputOptions),
    /// Show one scenario on a page, a file without external parts
    Report(OutputOptions),
    /// Explore every order of a tiny case
    Scope(ScopeOptions),
    /// Print the hashes of a fixed list of seeds
    Golden,
}

/// The tier of a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TierName {
    /// The engine in a discrete-event simulation
    Core,
    /// The adapter and the HTTP front on a simulated network
    Turmoil,
    /// Journals on a disk with faults
    Disk,
    /// Messages of a broker that become events
    Broker,
}

/// The kind of scenario that a seed gives.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct DrawOptions {
    /// Submissions in each scenario [default: 20]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) submits: Option<u16>,
    /// Disable each family of faults in half of the scenarios
    #[arg(long)]
    pub(crate) swarm: bool,
    /// Run every engine without a journal
    #[arg(long)]
    pub(crate) memory: bool,
    /// The tier [default: core]
    #[arg(long, value_name = "TIER")]
    pub(crate) tier: Option<TierName>,
}

/// The options of `run`. Durations are such as 500ms, 30s, 5m or 2h.
#[derive(Debug, Args)]
#[group(id = "length", required = true, multiple = false, args = ["seeds", "span"])]
pub(crate) struct RunOptions {
    /// The number of seeds
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MAX_SEED))]
    pub(crate) seeds: Option<u64>,
    /// The time to run
    #[arg(long = "for", id = "span", value_name = "DURATION", value_parser = duration)]
    pub(crate) span: Option<Duration>,
    /// The first seed [default: 0 with --seeds, one that was never used with --for]
    #[arg(long, value_name = "SEED", value_parser = clap::value_parser!(u64).range(..=MAX_SEED))]
    pub(crate) first: Option<u64>,
    #[command(flatten)]
    pub(crate) draw: DrawOptions,
    /// The number of seeds that run at the same time [default: one a core]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// Run each seed twice: both runs must be the same, step by step
    #[arg(long)]
    pub(crate) twice: bool,
    /// List the probes that have not fired, and fail if there are any
    #[arg(long)]
    pub(crate) probes: bool,
    /// The folder for a scenario that breaks a promise, saved as seed-N.json
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) save: PathBuf,
    /// Print the result as one JSON object, and nothing else
    #[arg(long)]
    pub(crate) json: bool,
}

/// The options of `replay`.
#[derive(Debug, Args)]
pub(crate) struct ReplayOptions {
    #[command(flatten)]
    pub(crate) source: ScenarioSource,
    /// Run it twice: both runs must be the same, step by step
    #[arg(long)]
    pub(crate) twice: bool,
    /// Print the trace, line by line
    #[arg(long)]
    pub(crate) trace: bool,
}

/// The options of `shrink` and `report`.
#[derive(Debug, Args)]
pub(crate) struct OutputOptions {
    #[command(flatten)]
    pub(crate) source: ScenarioSource,
    /// The file to write [default: seed-N.json or seed-N.html]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// The options of `scope`.
#[derive(Debug, Args)]
pub(crate) struct ScopeOptions {
    /// The folder for an order that breaks a promise, saved as scope.json
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) save: PathBuf,
}

/// The source of a scenario.
#[derive(Debug, Args)]
pub(crate) struct ScenarioSource {
    /// A scenario file, or a seed
    #[arg(value_name = "FILE|SEED")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) draw: DrawOptions,
}

/// The greatest first seed, and the greatest number of seeds: their sum does not overflow.
const MAX_SEED: u64 = 1 << 62;

const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

impl OutputOptions {
    /// Returns the path of the file that is made for a seed.
    pub(crate) fn file(&self, seed: u64, extension: &str) -> PathBuf {
        self.output.clone().unwrap_or_else(|| PathBuf::from(format!("seed-{seed}.{extension}")))
    }
}

impl ScenarioSource {
    /// Returns the tier of the file, or the one that is given for a seed.
    pub(crate) fn tier(&self) -> anyhow::Result<TierName> {
        let (draw, name) = (&self.draw, &self.name);
        if self.seed().is_some() {
            return Ok(draw.tier());
        }
        ensure!(
            draw.is_plain(),
            "{name} is a file, and --submits, --swarm and --memory are only for seeds: leave them out"
        );
        ensure!(Path::new(name).exists(), "{name} is neither a seed nor a file: check the path");
        let found = ScenarioHead::read(Path::new(name))?.tier;
        let fits =
            draw.tier.is_none_or(|tier| tier.to_possible_value().is_some_and(|value| value.matches(&found, false)));
        ensure!(fits, "{name} is of the {found} tier: leave --tier out");
        TierName::from_str(&found, false).map_err(|_| {
            anyhow!("{name} is of the {found} tier, which this program does not have: use a newer program")
        })
    }

    fn seed(&self) -> Option<u64> {
        self.name.parse().ok()
    }

    /// Returns the scenario of the file, or of the seed.
    pub(crate) fn find<T: Tier>(&self) -> anyhow::Result<Scenario<T>> {
        match self.seed() {
            Some(seed) => Ok(T::draw(seed, self.draw.plan::<T>()?)),
            None => Ok(Scenario::read(Path::new(&self.name))?),
        }
    }
}

impl DrawOptions {
    /// Returns the tier of the scenarios.
    pub(crate) fn tier(&self) -> TierName {
        self.tier.unwrap_or(TierName::Core)
    }

    const fn is_plain(&self) -> bool {
        self.submits.is_none() && !self.swarm && !self.memory
    }

    /// Returns the plan of the scenarios.
    pub(crate) fn plan<T: Tier>(&self) -> anyhow::Result<DrawPlan> {
        let fits = T::HAS_PLANS || self.is_plain();
        ensure!(fits, "--submits, --swarm and --memory do not apply to the {} tier: leave them out", T::NAME);
        Ok(DrawPlan { submits: self.submits.unwrap_or(20), swarm: self.swarm, journals: !self.memory })
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let refused = || format!("{text:?} is no duration: write a number with a unit, such as 500ms, 30s, 5m or 2h");
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(refused)?;
    let (number, unit) = text.split_at(digits);
    let (_, factor) = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or_else(refused)?;
    let millis = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    millis.map(Duration::from_millis).ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, millis) in [("500ms", 500), ("30s", 30_000), ("5m", 300_000), ("2h", 7_200_000)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn invalid_duration_is_refused_with_an_example() {
        for text in ["", "5", "s", "5 s", "-5s", "1.5s", "99999999999999999999s", "18446744073709551615h"] {
            let error = duration(text).expect_err(text);
            assert!(error.contains("500ms"), "{error}");
        }
    }
}
