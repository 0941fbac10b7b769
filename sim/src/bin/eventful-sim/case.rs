//! A run of either tier, as the commands see it.

use std::path::Path;

use anyhow::{anyhow, bail};
use eventful_sim::failure::Broken;
use eventful_sim::scenario::{Plan, Scenario};
use eventful_sim::shrink::{self, Shrunk};

use crate::core;
use crate::options::{Draw, Source, Tier};
use crate::panics;
use crate::reach::Reach;

/// Everything that a run is made of.
#[derive(Debug, Clone)]
pub(crate) enum Case {
    /// Of the core tier.
    Core(Scenario),
}

/// What a run came to.
#[derive(Debug, Clone)]
pub(crate) struct Played {
    pub(crate) broken: Option<Broken>,
    pub(crate) hash: u64,
    pub(crate) steps: u64,
    pub(crate) virtual_micros: u64,
}

/// A case made smaller.
#[derive(Debug)]
pub(crate) struct Smaller {
    pub(crate) case: Case,
    pub(crate) broken: Broken,
    pub(crate) tries: u32,
}

/// Runs that making a case smaller may take.
const TRIES: u32 = 20_000;

impl Case {
    /// The case of this seed.
    pub(crate) fn draw(seed: u64, draw: Draw) -> Self {
        match draw.tier {
            Tier::Core => Self::Core(Scenario::draw(seed, Plan { submits: draw.submits(), swarm: draw.swarm })),
        }
    }

    /// The case of a file, or of a seed.
    pub(crate) fn find(source: &Source) -> anyhow::Result<Self> {
        if let Ok(seed) = source.name.parse() {
            return Ok(Self::draw(seed, source.draw));
        }
        if source.draw.submits.is_some() || source.draw.swarm {
            bail!("--submits and --swarm are for seeds, and {} is a file: leave them out", source.name);
        }
        Self::read(Path::new(&source.name))
    }

    fn read(path: &Path) -> anyhow::Result<Self> {
        // The causes stand in the text already.
        Scenario::read(path).map(Self::Core).map_err(|error| anyhow!("{error}"))
    }

    /// Writes it to a file.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        match self {
            Self::Core(scenario) => scenario.write(path).map_err(|error| anyhow!("{error}")),
        }
    }

    /// The seed that it was drawn from.
    pub(crate) const fn seed(&self) -> u64 {
        match self {
            Self::Core(scenario) => scenario.seed,
        }
    }

    /// Operations and faults.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Core(scenario) => scenario.size(),
        }
    }

    /// Runs it. What fires is added to `reach`.
    pub(crate) fn play(&self, reach: &mut Reach) -> Played {
        let played = panics::catch(|| match self {
            Self::Core(scenario) => core::play(scenario, &mut reach.core),
        });
        played.unwrap_or_else(|broken| Played { broken: Some(broken), hash: 0, steps: 0, virtual_micros: 0 })
    }

    /// Runs it once more: it must go as it `went`. The first step that differs is a broken promise.
    pub(crate) fn play_again(&self, went: Played) -> Played {
        if went.broken.is_some() || self.play(&mut Reach::default()).hash == went.hash {
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
        });
        hashes.unwrap_or_default()
    }

    /// What happens in it, a line each.
    pub(crate) fn diary(&self) -> Vec<String> {
        let diary = panics::catch(|| match self {
            Self::Core(scenario) => core::diary(scenario),
        });
        diary.unwrap_or_else(|broken| vec![broken.to_string()])
    }

    /// Makes it smaller. Nothing when it breaks no promise, or does so by a panic.
    pub(crate) fn shrink(&self) -> Option<Smaller> {
        let shrunk =
            panics::catch(|| match self {
                Self::Core(scenario) => shrink::shrink(scenario, TRIES)
                    .map(|Shrunk { scenario, broken, tries }| Smaller { case: Self::Core(scenario), broken, tries }),
            });
        shrunk.ok().flatten()
    }
}
