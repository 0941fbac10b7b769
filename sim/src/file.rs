//! Scenarios of all tiers, as files.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Why a scenario file cannot be read or written. Where something else is the cause, it is the source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The file itself.
    #[error("{path} cannot be read or written: check the path")]
    Io {
        /// Which file.
        path: String,
        /// What went wrong.
        source: std::io::Error,
    },
    /// What is in it.
    #[error("{path} is not a scenario of the {tier} tier")]
    Form {
        /// Which file.
        path: String,
        /// What it should be of.
        tier: &'static str,
        /// Where and why.
        source: serde_json::Error,
    },
    /// A later version of this program wrote it.
    #[error("{path} has format {found}, this program reads {known}: take a newer program")]
    Format {
        /// Which file.
        path: String,
        /// Its format.
        found: u32,
        /// The format that this program reads.
        known: u32,
    },
    /// A number in it is so large that no run comes to its end.
    #[error("{path}: {what}: lower it")]
    TooLarge {
        /// Which file.
        path: String,
        /// Which number.
        what: String,
    },
    /// The engine refuses its configuration.
    #[error("{path} has settings that the engine refuses")]
    Settings {
        /// Which file.
        path: String,
        /// The contradiction.
        source: eventful::InvalidConfig,
    },
}

/// Reads what a file holds.
pub(crate) fn read<T: DeserializeOwned>(path: &Path, tier: &'static str) -> Result<T, FileError> {
    let name = || path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|source| FileError::Io { path: name(), source })?;
    serde_json::from_str(&text).map_err(|source| FileError::Form { path: name(), tier, source })
}

/// Writes a file.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), FileError> {
    std::fs::write(path, text).map_err(|source| FileError::Io { path: path.display().to_string(), source })
}

/// The text of a file that holds this, a member a line.
pub(crate) fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("numbers, strings and lists of them have a form in JSON") + "\n"
}

/// Whether a text is an object that has this member.
pub(crate) fn has_member(text: &str, name: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|value| value.get(name).is_some())
}
