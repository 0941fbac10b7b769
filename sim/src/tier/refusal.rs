//! The reasons why a scenario file cannot be read or written.

/// The version of the form that this program reads and writes.
pub(super) const FORMAT: u32 = 2;

/// The reason why a scenario file cannot be read or written. Where something else is the cause, it is the source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the messages name the fields")]
pub enum FileError {
    /// The file itself.
    #[error("{path} cannot be read or written: check the path")]
    Io { path: String, source: std::io::Error },
    /// The content is not that of a scenario.
    #[error("{path} is not a scenario of {tier}")]
    Form { path: String, tier: String, source: serde_json::Error },
    /// Another version of this program wrote it.
    #[error("{path} has format {found}, this program reads {FORMAT}: take a program that is {}", if *found > FORMAT { "newer" } else { "older" })]
    Format { path: String, found: u32 },
    /// The file is of another tier than the one that is asked for.
    #[error("{path} is of the {found} tier, not of the {wanted} tier: name its own tier")]
    Tier { path: String, found: String, wanted: &'static str },
    /// A number in it is so large that no run comes to its end.
    #[error("{path}: {what}: lower it")]
    TooLarge { path: String, what: String },
    /// The engine refuses its configuration.
    #[error("{path} has settings that the engine refuses")]
    Settings { path: String, source: eventful::engine::InvalidConfig },
    /// The engine refuses a policy by type.
    #[error("{path} has a policy that the engine refuses")]
    Policies { path: String, source: eventful::engine::InvalidPolicy },
}
