//! A run of any tier, as the commands see it.

use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use eventful_sim::disk::{DiskProbes, Ordeal};
use eventful_sim::failure::Broken;
use eventful_sim::scenario::{FileError, Scenario};
use eventful_sim::shrink::{self, Shrunk};

use crate::options::{Draw, Source, Tier};
use crate::played::Played;
use crate::reach::Reach;
use crate::terminal::grouped;
use crate::{core, disk, network, panics};

/// Everything that a run is made of.
#[derive(Debug, Clone)]
pub(crate) enum Case {
    /// Of the core tier.
    Core(Scenario),
    /// Of the turmoil tier.
    Turmoil(eventful_sim::network::Scenario),
    /// Of the disk tier.
    Disk(Ordeal),
}

/// A case made smaller.
#[derive(Debug)]
pub(crate) struct Smaller {
    pub(crate) case: Case,
    pub(crate) broken: Broken,
    /// Of the core tier only.
    pub(crate) tries: Option<u32>,
}

impl Smaller {
    /// How much smaller it is than `before`, and what that took, as text.
    pub(crate) fn line(&self, before: usize, took: Duration) -> String {
        let runs = self.tries.map(|tries| format!("{} runs and ", grouped(tries.into()))).unwrap_or_default();
        format!("shrunk  {before} {} to {}, in {runs}{took:.1?}", self.case.unit(), self.case.size())
    }
}

/// Runs that making a case smaller may take.
const TRIES: u32 = 20_000;

impl Case {
    /// The case of this seed.
    pub(crate) fn draw(seed: u64, draw: Draw) -> Self {
        match draw.tier {
            Tier::Core => Self::Core(Scenario::draw(seed, draw.plan())),
            Tier::Turmoil => Self::Turmoil(eventful_sim::network::Scenario::generate(seed)),
            Tier::Disk => Self::Disk(Ordeal::draw(seed)),
        }
    }

    /// The case of a file, or of a seed.
    pub(crate) fn find(Source { name, draw }: &Source) -> anyhow::Result<Self> {
        draw.check()?;
        if let Ok(seed) = name.parse() {
            return Ok(Self::draw(seed, *draw));
        }
        let is_plain = draw.submits.is_none() && !draw.swarm && !draw.memory;
        ensure!(is_plain, "--submits, --swarm and --memory are for seeds, and {name} is a file: leave them out");
        let path = Path::new(name);
        ensure!(path.exists(), "{name} is neither a seed nor a file: check the path");
        let case = Self::read(path)?;
        let fits = draw.tier == Tier::Core || draw.tier == case.tier();
        ensure!(fits, "{name} is of the {} tier: leave --tier out", case.tier().name());
        Ok(case)
    }

    /// Its content says of which tier it is.
    fn read(path: &Path) -> Result<Self, FileError> {
        match std::fs::read_to_string(path) {
            Ok(text) if eventful_sim::network::Scenario::recognizes(&text) => {
                eventful_sim::network::Scenario::read(path).map(Self::Turmoil)
            }
            Ok(text) if Ordeal::recognizes(&text) => Ordeal::read(path).map(Self::Disk),
            _ => Scenario::read(path).map(Self::Core),
        }
    }

    /// Writes it to a file.
    pub(crate) fn write(&self, path: &Path) -> Result<(), FileError> {
        match self {
            Self::Core(scenario) => scenario.write(path),
            Self::Turmoil(scenario) => scenario.write(path),
            Self::Disk(ordeal) => ordeal.write(path),
        }
    }

    /// The seed that it was drawn from.
    pub(crate) const fn seed(&self) -> u64 {
        match self {
            Self::Core(scenario) => scenario.seed,
            Self::Turmoil(scenario) => scenario.seed,
            Self::Disk(ordeal) => ordeal.seed,
        }
    }

    /// What it is that runs.
    pub(crate) const fn tier(&self) -> Tier {
        match self {
            Self::Core(_) => Tier::Core,
            Self::Turmoil(_) => Tier::Turmoil,
            Self::Disk(_) => Tier::Disk,
        }
    }

    /// What its size counts.
    pub(crate) const fn unit(&self) -> &'static str {
        match self {
            Self::Core(_) | Self::Turmoil(_) => "operations and faults",
            Self::Disk(_) => "groups",
        }
    }

    /// How much a person has to read.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Core(scenario) => scenario.size(),
            Self::Turmoil(scenario) => scenario.size(),
            Self::Disk(ordeal) => ordeal.size(),
        }
    }

    /// Runs it. What fires is added to `reach`.
    pub(crate) fn play(&self, reach: &mut Reach) -> Played {
        let played = panics::catch(|| match self {
            Self::Core(scenario) => core::play(scenario, &mut reach.core),
            Self::Turmoil(scenario) => network::play(scenario, &mut reach.network),
            Self::Disk(ordeal) => disk::play(ordeal, &mut reach.disk),
        });
        played.unwrap_or_else(|broken| Played { broken: Some(broken), hash: 0, steps: None, virtual_micros: 0 })
    }

    /// Runs it once more: it must go as it `went`. The first step that differs breaks a promise.
    pub(crate) fn play_again(&self, went: Played) -> Played {
        if went.broken.is_some() || self.play(&mut Reach::of(self.tier())).hash == went.hash {
            return went;
        }
        let (one, other) = (self.hashes(), self.hashes());
        let at = one.iter().zip(&other).position(|(one, other)| one != other);
        let what = match at {
            Some(at) => format!("two runs differ, first at step {} of {}", at + 1, one.len()),
            None => format!("two runs differ: two others took {} and {} steps", one.len(), other.len()),
        };
        Played { broken: Some(Broken::new("determinism", 11, what)), ..went }
    }

    /// The hash after each step.
    fn hashes(&self) -> Vec<u64> {
        let hashes = panics::catch(|| match self {
            Self::Core(scenario) => core::hashes(scenario),
            Self::Turmoil(scenario) => network::hashes(scenario),
            // One for the whole: it has no steps.
            Self::Disk(ordeal) => vec![disk::play(ordeal, &mut DiskProbes::default()).hash],
        });
        hashes.unwrap_or_default()
    }

    /// What happens in it, a line each.
    pub(crate) fn diary(&self) -> Vec<String> {
        let diary = panics::catch(|| match self {
            Self::Core(scenario) => core::diary(scenario),
            Self::Turmoil(scenario) => network::diary(scenario),
            Self::Disk(ordeal) => vec![disk::told(ordeal)],
        });
        diary.unwrap_or_else(|broken| vec![broken.to_string()])
    }

    /// Makes it smaller. Nothing when it breaks no promise, or does so by a panic of the turmoil tier.
    pub(crate) fn shrink(&self) -> Option<Smaller> {
        let smaller = panics::catch(|| match self {
            Self::Core(scenario) => {
                let Shrunk { scenario, broken, tries } = shrink::shrink(scenario, TRIES)?;
                Some(Smaller { case: Self::Core(scenario), broken, tries: Some(tries) })
            }
            Self::Turmoil(scenario) => {
                let (scenario, broken) = network::shrink(scenario)?;
                Some(Smaller { case: Self::Turmoil(scenario), broken, tries: None })
            }
            Self::Disk(ordeal) => {
                let (ordeal, broken) = ordeal.shrink()?;
                Some(Smaller { case: Self::Disk(ordeal), broken, tries: None })
            }
        });
        smaller.ok().flatten()
    }
}
