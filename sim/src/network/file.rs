//! Scenarios as files.

use std::path::Path;

use super::scenario::Scenario;
use crate::scenario::FileError;

impl Scenario {
    /// Requests, faults, and turns of the handler: what a person has to read.
    pub fn size(&self) -> usize {
        let turns: usize = self.scripts.iter().map(|script| script.turns.len()).sum();
        self.requests.len() + self.faults.len() + turns
    }

    /// Whether a text looks like a scenario of this tier: it has a setup, where those of the core
    /// tier have settings.
    pub fn recognizes(text: &str) -> bool {
        serde_json::from_str::<serde_json::Value>(text).is_ok_and(|value| value.get("setup").is_some())
    }

    /// Reads a scenario file.
    ///
    /// # Errors
    ///
    /// [`FileError`] when there is none, or it is not one that this program can run.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let name = || path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|source| FileError::Io { path: name(), source })?;
        let scenario: Self =
            serde_json::from_str(&text).map_err(|source| FileError::Form { path: name(), tier: "turmoil", source })?;
        scenario.setup.config().validate().map_err(|source| FileError::Settings { path: name(), source })?;
        Ok(scenario)
    }

    /// Writes it to a file.
    ///
    /// # Errors
    ///
    /// [`FileError::Io`] when the file cannot be written.
    ///
    /// # Panics
    ///
    /// Never: every part of a scenario has a form in JSON.
    pub fn write(&self, path: &Path) -> Result<(), FileError> {
        let text = serde_json::to_string_pretty(self).expect("numbers, strings and lists of them have a form in JSON");
        let io = |source| FileError::Io { path: path.display().to_string(), source };
        std::fs::write(path, text + "\n").map_err(io)
    }
}
