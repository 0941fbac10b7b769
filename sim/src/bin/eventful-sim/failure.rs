//! A seed that breaks a promise: made smaller, saved, and told.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use eventful_sim::failure::Broken;

use crate::case::{Case, Smaller};
use crate::clock::Stopwatch;
use crate::jobs::Manner;

/// A seed that breaks a promise.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) seed: u64,
    pub(crate) broken: Broken,
    /// How large it was before it was made smaller.
    pub(crate) size: usize,
    /// What that counts.
    unit: &'static str,
    smaller: Option<Smaller>,
    /// How long making it smaller took.
    pub(crate) took: Duration,
    /// Where it is saved.
    pub(crate) file: PathBuf,
    manner: Manner,
}

impl Failure {
    /// Makes the case of this seed smaller and saves it in a folder. What is found is told, saved or not.
    pub(crate) fn settle(seed: u64, broken: Broken, manner: Manner, folder: &Path) -> anyhow::Result<Self> {
        let told = format!("seed {seed}{}: {broken}; and it cannot be saved", manner.draw.spelled());
        Self::save(seed, broken, manner, folder).context(told)
    }

    fn save(seed: u64, broken: Broken, manner: Manner, folder: &Path) -> anyhow::Result<Self> {
        let case = Case::draw(seed, manner.draw);
        let since = Stopwatch::start();
        let smaller = case.shrink();
        let took = since.elapsed();
        let file = folder.join(format!("seed-{seed}.json"));
        std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be a folder", folder.display()))?;
        smaller.as_ref().map_or(&case, |smaller| &smaller.case).write(&file)?;
        Ok(Self { seed, broken, size: case.size(), unit: case.unit(), smaller, took, file, manner })
    }

    /// How large it still is.
    pub(crate) fn shrunk_size(&self) -> Option<usize> {
        self.smaller.as_ref().map(|smaller| smaller.case.size())
    }

    /// Runs that making it smaller took.
    pub(crate) fn tries(&self) -> Option<u32> {
        self.smaller.as_ref().and_then(|smaller| smaller.tries)
    }

    /// As text, for people.
    pub(crate) fn lines(&self) -> Vec<String> {
        let Self { seed, broken, size, unit, took, file, manner, .. } = self;
        let (file, twice) = (file.display(), if manner.twice { " --twice" } else { "" });
        let shrunk = match &self.smaller {
            Some(smaller) => smaller.line(*size, *took),
            None => format!("shrunk  not: {size} {unit} are left"),
        };
        let mut lines = vec![format!("seed {seed}: {broken}"), String::new(), shrunk];
        if let Some(smaller) = self.smaller.as_ref().filter(|smaller| smaller.broken.what != broken.what) {
            lines.push(format!("        {}", smaller.broken.what));
        }
        lines.push(format!("saved   {file}"));
        lines.push(format!("replay  cargo sim replay {file}{twice}"));
        lines.push(format!("whole   cargo sim replay {seed}{}{twice}", manner.draw.spelled()));
        lines
    }
}
