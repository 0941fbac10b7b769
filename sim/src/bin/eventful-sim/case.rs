//! A run of either tier, as the commands see it.

use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use eventful_sim::failure::Broken;
use eventful_sim::scenario::{FileError, Scenario};
use eventful_sim::shrink::{self, Shrunk};

use crate::options::{Draw, Source, Tier};
use crate::reach::Reach;
use crate::terminal::grouped;
use crate::{core, network, panics};

/// Everything that a run is made of.
#[derive(Debug, Clone)]
pub(crate) enum Case {
    /// Of the core tier.
    Core(Scenario),
    /// Of the turmoil tier.
    Turmoil(eventful_sim::network::Scenario),
}

/// What a run came to.
#[derive(Debug, Clone)]
pub(crate) struct Played {
    pub(crate) broken: Option<Broken>,
    pub(crate) hash: u64,
    /// Of the core tier only.
    pub(crate) steps: Option<u32>,
    pub(crate) virtual_micros: u64,
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
        format!("shrunk  {before} operations and faults to {}, in {runs}{took:.1?}", self.case.size())
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
        ensure!(fits, "{name} is of the core tier: leave --tier out");
        Ok(case)
    }

    /// Its content says of which tier it is.
    fn read(path: &Path) -> Result<Self, FileError> {
        let is_turmoil = |text: String| eventful_sim::network::Scenario::recognizes(&text);
        match std::fs::read_to_string(path).is_ok_and(is_turmoil) {
            true => eventful_sim::network::Scenario::read(path).map(Self::Turmoil),
            false => Scenario::read(path).map(Self::Core),
        }
    }

    /// Writes it to a file.
    pub(crate) fn write(&self, path: &Path) -> Result<(), FileError> {
        match self {
            Self::Core(scenario) => scenario.write(path),
            Self::Turmoil(scenario) => scenario.write(path),
        }
    }

    /// The seed that it was drawn from.
    pub(crate) const fn seed(&self) -> u64 {
        match self {
            Self::Core(scenario) => scenario.seed,
            Self::Turmoil(scenario) => scenario.seed,
        }
    }

    /// What it is that runs.
    pub(crate) const fn tier(&self) -> Tier {
        match self {
            Self::Core(_) => Tier::Core,
            Self::Turmoil(_) => Tier::Turmoil,
        }
    }

    /// What clients do, and what goes wrong.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Core(scenario) => scenario.size(),
            Self::Turmoil(scenario) => scenario.size(),
        }
    }

    /// Runs it. What fires is added to `reach`.
    pub(crate) fn play(&self, reach: &mut Reach) -> Played {
        let played = panics::catch(|| match self {
            Self::Core(scenario) => core::play(scenario, &mut reach.core),
            Self::Turmoil(scenario) => network::play(scenario, &mut reach.network),
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
        });
        hashes.unwrap_or_default()
    }

    /// What happens in it, a line each.
    pub(crate) fn diary(&self) -> Vec<String> {
        let diary = panics::catch(|| match self {
            Self::Core(scenario) => core::diary(scenario),
            Self::Turmoil(scenario) => network::diary(scenario),
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
        });
        smaller.ok().flatten()
    }
}
