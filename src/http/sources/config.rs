//! The configuration of a source: where its requests say what.

use std::string::String;
use std::vec::Vec;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::pick::Pick;
use super::preset::Preset;
use super::scheme::Verification;
use super::secret::SecretRef;
use crate::texts::json::Pointer;

/// The configuration of a source: one table `[sources.NAME]` of a configuration file.
///
/// What is absent is as its preset has it. Without a preset `verify` and `id` are needed.
///
/// ```
/// use eventful::http::sources::{Secret, SecretRef, Source, SourceConfig};
///
/// let text = r#"{"preset": "github", "conflict": "quarantine"}"#;
/// let mut config: SourceConfig = serde_json::from_str(text)?;
/// config.secrets.push(SecretRef::Given(Secret::new("It's a Secret to Everybody")));
/// assert!(Source::new("github", &config).is_ok());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct SourceConfig {
    /// The sender, when it is a known one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// The place of an event's id. Requests with the same id are one event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Pick>,
    /// The place of its type.
    #[serde(skip_serializing_if = "Option::is_none", rename = "type")]
    pub event_type: Option<Pick>,
    /// The place of the time at which it happened. It is kept as the attribute `time`, as it is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Pick>,
    /// The parts of a JSON body, as JSON pointers, that do not count when two payloads are compared. Then white space
    /// and the order of members do not count either.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclude: Option<Vec<Pointer>>,
    /// Headers that are kept, each as the attribute `header:NAME`, and sent on with each delivery under their names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<Vec<String>>,
    /// The status of a success: 200, 202 (the default) or 204.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success: Option<SuccessStatus>,
    /// The response to another payload under a known id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conflict: Option<ConflictPolicy>,
    /// Bytes of a body, at most. As many as an event may have by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_body_bytes: Option<usize>,
    /// The URL that the sender calls, without its query, where it signs that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The token that Meta repeats when it asks for `hub.challenge`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verify_token: Option<SecretRef>,
    /// Secrets, any of which a request may be signed with: two while one replaces the other.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretRef>,
    /// The way in which the sender shows that a request is its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verify: Option<Verification>,
}

/// The status of a success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
#[non_exhaustive]
pub enum SuccessStatus {
    /// 200
    Ok,
    /// 202
    Accepted,
    /// 204, without a body
    NoContent,
}

/// A number that is no [`SuccessStatus`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no status of a success here: write 200, 202 or 204")]
pub struct InvalidSuccessStatus(u16);

impl TryFrom<u16> for SuccessStatus {
    type Error = InvalidSuccessStatus;

    fn try_from(number: u16) -> Result<Self, InvalidSuccessStatus> {
        match number {
            200 => Ok(Self::Ok),
            202 => Ok(Self::Accepted),
            204 => Ok(Self::NoContent),
            _ => Err(InvalidSuccessStatus(number)),
        }
    }
}

impl From<SuccessStatus> for u16 {
    fn from(status: SuccessStatus) -> Self {
        StatusCode::from(status).as_u16()
    }
}

impl From<SuccessStatus> for StatusCode {
    fn from(status: SuccessStatus) -> Self {
        match status {
            SuccessStatus::Ok => Self::OK,
            SuccessStatus::Accepted => Self::ACCEPTED,
            SuccessStatus::NoContent => Self::NO_CONTENT,
        }
    }
}

/// The response to another payload under a known id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ConflictPolicy {
    /// A 409, which most senders take for a failure and repeat for days.
    Reject,
    /// Accepts it as an event of its own, with the attribute `quarantined`, which holds the id that it came with. The
    /// program fails such an event at once, so that an operator decides.
    Quarantine,
}
