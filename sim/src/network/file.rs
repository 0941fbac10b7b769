//! Scenarios as files.

use std::path::Path;

use super::scenario::Scenario;
use crate::file::{self, FileError};

impl Scenario {
    /// Requests, faults, and turns of the handler: what a person has to read.
    pub fn size(&self) -> usize {
        let turns: usize = self.scripts.iter().map(|script| script.turns.len()).sum();
        self.requests.len() + self.faults.len() + turns
    }

    /// Whether a text looks like a scenario of this tier: it has a setup, where those of the core
    /// tier have settings.
    pub fn recognizes(text: &str) -> bool {
        file::has_member(text, "setup")
    }

    /// Reads a scenario file.
    ///
    /// # Errors
    ///
    /// [`FileError`] when there is none, or it is not one that this program can run.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let scenario: Self = file::read(path, "turmoil")?;
        let refused = |source| FileError::Settings { path: path.display().to_string(), source };
        scenario.setup.config().validate().map_err(refused)?;
        Ok(scenario)
    }

    /// Writes it to a file.
    ///
    /// # Errors
    ///
    /// [`FileError::Io`] when the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), FileError> {
        file::write(path, &file::pretty(self))
    }
}
