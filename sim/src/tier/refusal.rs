//! Errors of reading and writing a scenario file.

/// The version of the format that this program reads and writes.
pub(super) const FORMAT: u32 = 2;

/// An error of reading or writing a scenario file. Another error behind it is its source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the messages name the fields")]
pub enum FileError {
    /// The file cannot be read or written.
    #[error("cannot read or write {path}: check the path")]
    Io { path: String, source: std::io::Error },
    /// The contents are no scenario.
    #[error("{path} is not a scenario of {tier}")]
    Form { path: String, tier: String, source: serde_json::Error },
    /// The format is that of another version of this program.
    #[error("{path} has format {found}, this program reads {FORMAT}: use a program that is {}", if *found > FORMAT { "newer" } else { "older" })]
    Format { path: String, found: u32 },
    /// The tier is another one than the one that is asked for.
    #[error("{path} is of the {found} tier, not of the {wanted} tier: name its own tier")]
    Tier { path: String, found: String, wanted: &'static str },
    /// A number is so large that no run could end.
    #[error("{path}: {what}: lower it")]
    TooLarge { path: String, what: String },
    /// The engine refuses the configuration.
    #[error("{path} has invalid settings")]
    Settings { path: String, source: eventful::engine::InvalidConfig },
    /// The engine refuses a policy by type.
    #[error("{path} has a policy that the engine refuses")]
    Policies { path: String, source: eventful::engine::InvalidPolicy },
}
