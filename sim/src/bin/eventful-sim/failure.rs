//! A seed that breaks a promise: shrunk, saved and reported.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use eventful_sim::failure::Broken;
use eventful_sim::tier::{self, Shrunk, Tier};

use crate::clock::SimStopwatch;
use crate::jobs::JobOptions;
use crate::terminal::grouped;

/// The greatest number of runs for shrinking: some seconds in the core tier.
pub(crate) const TRIES: u32 = 20_000;

/// A seed that breaks a promise.
#[derive(Debug)]
pub(crate) struct FailedSeed<T: Tier> {
    pub(crate) seed: u64,
    pub(crate) broken: Broken,
    /// The size of the scenario before it was shrunk.
    pub(crate) size: usize,
    pub(crate) smaller: Option<Shrunk<T>>,
    /// The time that shrinking took.
    pub(crate) took: Duration,
    /// The path of the saved scenario.
    pub(crate) file: PathBuf,
    manner: JobOptions,
}

impl<T: Tier> FailedSeed<T> {
    /// Shrinks the scenario of this seed and saves it in a folder. The finding is reported even if it cannot be saved.
    pub(crate) fn settle(seed: u64, broken: Broken, manner: JobOptions, folder: &Path) -> anyhow::Result<Self> {
        let context = format!("seed {seed}{}: {broken}; and it cannot be saved", manner.spelled::<T>());
        Self::save(seed, broken, manner, folder).context(context)
    }

    fn save(seed: u64, broken: Broken, manner: JobOptions, folder: &Path) -> anyhow::Result<Self> {
        let scenario = T::draw(seed, manner.plan);
        let since = SimStopwatch::start();
        let smaller = tier::shrink(&scenario, TRIES);
        let took = since.elapsed();
        let file = folder.join(format!("seed-{seed}.json"));
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot create the folder {}: check the path", folder.display()))?;
        smaller.as_ref().map_or(&scenario, |smaller| &smaller.scenario).write(&file)?;
        Ok(Self { seed, broken, size: scenario.size(), smaller, took, file, manner })
    }

    /// Returns the lines of text for people.
    pub(crate) fn lines(&self) -> Vec<String> {
        let Self { seed, broken, size, smaller, took, file, manner } = self;
        let (file, twice) = (file.display(), if manner.twice { " --twice" } else { "" });
        let mut lines = vec![format!("seed {seed}: {broken}"), String::new()];
        lines.push(match smaller {
            Some(smaller) => shrunk(smaller, *size, *took),
            None => format!("shrunk  not: {size} {} are left", T::UNIT),
        });
        if let Some(smaller) = smaller.as_ref().filter(|smaller| smaller.broken.what != broken.what) {
            lines.push(format!("        {}", smaller.broken.what));
        }
        lines.push(format!("saved   {file}"));
        lines.push(format!("replay  cargo sim replay {file}{twice}"));
        lines.push(format!("whole   cargo sim replay {seed}{}{twice}", manner.spelled::<T>()));
        lines
    }
}

/// Returns the text about shrinking: sizes, runs and time.
pub(crate) fn shrunk<T: Tier>(smaller: &Shrunk<T>, before: usize, took: Duration) -> String {
    let (tries, after) = (grouped(smaller.tries.into()), smaller.scenario.size());
    format!("shrunk  {before} {} to {after}, in {tries} runs and {took:.1?}", T::UNIT)
}
