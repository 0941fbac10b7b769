//! Errors, as RFC 9457 has them.

use core::fmt::Display;
use core::time::Duration;
use std::boxed::Box;
use std::format;
use std::string::{String, ToString as _};

use axum::http::header::{ACCEPT_ENCODING, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use crate::engine::{Conflict, Rejection};
use crate::node::{DiscardError, PauseError, RedriveError, SubmitError, Unavailable};
use crate::texts::rfc3339::Rfc3339;

/// The kind of an error, for a program: the end of the problem's `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProblemKind {
    Invalid,
    Unverified,
    Unauthorized,
    Forbidden,
    CrossSite,
    NotFound,
    MethodNotAllowed,
    Timeout,
    Conflict,
    NotFailed,
    Stale,
    Completed,
    TooLarge,
    UnsupportedMediaType,
    UnsupportedEncoding,
    NotImplemented,
    Overloaded,
    Unread,
    Misdirected,
    ShuttingDown,
    NotReady,
    Broken,
    JournalDown,
    Unknown,
    Reopening,
}

impl ProblemKind {
    /// Status, name and title.
    const fn row(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Invalid => (StatusCode::BAD_REQUEST, "invalid", "This cannot be understood"),
            Self::Unverified => (StatusCode::UNAUTHORIZED, "unverified", "This is not known to be from its sender"),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized", "A token is needed"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden", "The token does not allow this"),
            Self::CrossSite => (StatusCode::FORBIDDEN, "cross_site", "A page of another site may not call this"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found", "There is no such thing"),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "This is not how it is called")
            }
            Self::Timeout => (StatusCode::REQUEST_TIMEOUT, "timeout", "The request took too long to arrive"),
            Self::Conflict => (StatusCode::CONFLICT, "conflict", "Another payload has this key"),
            Self::NotFailed => (StatusCode::CONFLICT, "not_failed", "The event has not failed"),
            Self::Completed => (StatusCode::CONFLICT, "completed", "The event was completed before"),
            Self::Stale => (StatusCode::CONFLICT, "stale", "The run does not count"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The event is too large"),
            Self::UnsupportedMediaType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "The form of the event is not known")
            }
            Self::UnsupportedEncoding => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_encoding", "The encoding of the body is not known")
            }
            Self::NotImplemented => (StatusCode::NOT_IMPLEMENTED, "not_implemented", "There is no such way to send it"),
            Self::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, "overloaded", "There is no room now"),
            Self::Unread => (StatusCode::SERVICE_UNAVAILABLE, "unread", "The results were not read"),
            Self::Misdirected => {
                (StatusCode::MISDIRECTED_REQUEST, "misdirected", "This is not the host that it is for")
            }
            Self::ShuttingDown => (StatusCode::SERVICE_UNAVAILABLE, "shutting_down", "The server is shutting down"),
            Self::NotReady => (StatusCode::SERVICE_UNAVAILABLE, "not_ready", "The server is not ready"),
            Self::Broken => (StatusCode::INTERNAL_SERVER_ERROR, "broken", "The engine is broken"),
            Self::JournalDown => (StatusCode::INTERNAL_SERVER_ERROR, "journal_down", "The journal cannot be used"),
            Self::Unknown => (StatusCode::SERVICE_UNAVAILABLE, "unknown", "Whether it was done is unknown"),
            Self::Reopening => (StatusCode::SERVICE_UNAVAILABLE, "reopening", "The journal is being opened again"),
        }
    }

    /// Its name, as the outcome of a line in a batch shows it.
    pub(super) const fn name(self) -> &'static str {
        self.row().1
    }
}

/// An error, as the body of a response.
#[derive(Debug)]
pub(super) struct Problem {
    kind: ProblemKind,
    detail: String,
    retry_after: Option<Duration>,
    conflict: Option<Box<Conflict>>,
    /// True if the rest of the request was left unread.
    closes: bool,
}

impl Problem {
    pub(super) fn new(kind: ProblemKind, detail: impl Display) -> Self {
        Self { kind, detail: detail.to_string(), retry_after: None, conflict: None, closes: false }
    }

    pub(super) fn invalid(detail: impl Display) -> Self {
        Self::new(ProblemKind::Invalid, detail)
    }

    pub(super) fn closing(self) -> Self {
        Self { closes: true, ..self }
    }

    fn retry_after(self, delay: Duration) -> Self {
        Self { retry_after: Some(delay), ..self }
    }

    pub(super) const fn kind(&self) -> ProblemKind {
        self.kind
    }

    /// Returns what the engine counts for a request with this problem that makes no event.
    #[expect(clippy::wildcard_enum_match_arm, reason = "all that is said of something that makes no event but these")]
    pub(super) fn rejection(&self) -> Rejection {
        match self.kind {
            ProblemKind::TooLarge => Rejection::TooLarge,
            ProblemKind::Overloaded => Rejection::Bytes,
            _ => Rejection::Invalid,
        }
    }

    /// Whole seconds, rounded up, as the header has them.
    fn retry_after_seconds(&self) -> Option<u64> {
        let delay = self.retry_after?;
        // At least a second: zero would ask for another attempt at once.
        Some((delay.as_secs() + u64::from(delay.subsec_nanos() > 0)).max(1))
    }
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (status, name, title) = self.kind.row();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", &format_args!("urn:eventful:problem:{name}"))?;
        map.serialize_entry("title", title)?;
        map.serialize_entry("status", &status.as_u16())?;
        map.serialize_entry("detail", &self.detail)?;
        if let Some(delay) = self.retry_after {
            // Rounded up, so that who comes back then does not come too soon.
            map.serialize_entry("retry_after_ms", &delay.as_micros().div_ceil(1000).max(1))?;
        }
        if let Some(conflict) = &self.conflict {
            map.serialize_entry("stored_digest", &format_args!("{}", conflict.stored))?;
            map.serialize_entry("received_digest", &format_args!("{}", conflict.received))?;
            map.serialize_entry("first_received_at", &Rfc3339(conflict.first_received_at))?;
        }
        map.end()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_string(&self).unwrap_or_default();
        let mut response = (self.kind.row().0, [(CONTENT_TYPE, "application/problem+json")], body).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after_seconds() {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        // RFC 9110, section 15.5.16: the answer names what is accepted.
        if self.kind == ProblemKind::UnsupportedEncoding {
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        // RFC 9110, section 15.5.2: the answer names a scheme.
        if self.kind == ProblemKind::Unauthorized {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // The rest of this request is not read, so no other can follow it.
        if self.closes {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// The time after which a sender may try the successor of a server that shuts down: as long as a restart takes.
const SUCCESSOR: Duration = Duration::from_secs(5);

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Conflict(conflict) => {
                Self { conflict: Some(Box::new(conflict)), ..Self::new(ProblemKind::Conflict, error) }
            }
            SubmitError::Overloaded { retry_after, .. } => {
                Self::new(ProblemKind::Overloaded, error).retry_after(retry_after)
            }
            SubmitError::TooLarge { limit_bytes } => Self::too_large(limit_bytes),
            SubmitError::ShuttingDown => Self::new(ProblemKind::ShuttingDown, error).retry_after(SUCCESSOR),
            SubmitError::Unavailable(why) => why.into(),
        }
    }
}

impl Problem {
    pub(super) fn too_large(limit_bytes: usize) -> Self {
        Self::new(
            ProblemKind::TooLarge,
            format!("the event is too large: at most {limit_bytes} bytes are allowed; send a reference to the data"),
        )
    }
}

/// The time after which a sender may try again when others send too much at the same time: requests are short.
const CROWDED: Duration = Duration::from_secs(1);

impl Problem {
    /// The requests that are on their way leave no room for this one, which is not read.
    pub(super) fn crowded(limit_bytes: usize) -> Self {
        let detail = format!(
            "requests on their way, and responses that no client reads, hold all of the {limit_bytes} bytes that they may \
             (max_inflight_bytes): try again in {CROWDED:?}"
        );
        Self::new(ProblemKind::Overloaded, detail).retry_after(CROWDED).closing()
    }

    /// There are too many connections for any other call than those for health.
    pub(super) fn no_connection(limit: usize) -> Self {
        let detail = format!(
            "{limit} connections are open, and no more are allowed (max_connections): try again in {CROWDED:?}, and \
             keep connections for further requests"
        );
        Self::new(ProblemKind::Overloaded, detail).retry_after(CROWDED).closing()
    }
}

impl From<RedriveError> for Problem {
    fn from(error: RedriveError) -> Self {
        match error {
            RedriveError::NotFound => Self::new(ProblemKind::NotFound, error),
            RedriveError::NotFailed(_) => Self::new(ProblemKind::NotFailed, error),
            RedriveError::Overloaded { retry_after, .. } => {
                Self::new(ProblemKind::Overloaded, error).retry_after(retry_after)
            }
            RedriveError::ShuttingDown => Self::new(ProblemKind::ShuttingDown, error).retry_after(SUCCESSOR),
            RedriveError::Unavailable(why) => why.into(),
        }
    }
}

impl From<DiscardError> for Problem {
    fn from(error: DiscardError) -> Self {
        match error {
            DiscardError::NotFound => Self::new(ProblemKind::NotFound, error),
            DiscardError::Completed => Self::new(ProblemKind::Completed, error),
            DiscardError::ShuttingDown => Self::new(ProblemKind::ShuttingDown, error).retry_after(SUCCESSOR),
            DiscardError::Unavailable(why) => why.into(),
        }
    }
}

impl From<PauseError> for Problem {
    fn from(error: PauseError) -> Self {
        match error {
            PauseError::Overloaded(_) => Self::new(ProblemKind::Overloaded, error).retry_after(BOUND_OF_PAUSES),
            PauseError::ShuttingDown => Self::new(ProblemKind::ShuttingDown, error).retry_after(SUCCESSOR),
            PauseError::Unavailable(why) => why.into(),
        }
    }
}

/// The time after which a group may be paused that is one too many: an operator has to resume others first.
const BOUND_OF_PAUSES: Duration = Duration::from_secs(60);

/// The time after which a sender may try again while the journal is opened: that takes about a second for 10⁶
/// records.
const REOPENING: Duration = Duration::from_secs(1);

impl From<Unavailable> for Problem {
    fn from(error: Unavailable) -> Self {
        match error {
            Unavailable::Broken => Self::new(ProblemKind::Broken, error),
            Unavailable::JournalDown => Self::new(ProblemKind::JournalDown, error),
            Unavailable::Unknown => Self::new(ProblemKind::Unknown, error).retry_after(REOPENING),
            Unavailable::Reopening => Self::new(ProblemKind::Reopening, error).retry_after(REOPENING),
        }
    }
}
