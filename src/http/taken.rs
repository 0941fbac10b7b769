//! The response for an event that was accepted.

use std::string::String;

use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use super::path;
use crate::engine::{Key, Status};
use crate::node::Submitted;
use crate::texts::rfc3339::Rfc3339;

/// The response for an event that was accepted, when the calls of the front have `prefix` in front of their paths.
pub(super) fn answer(prefix: &str, key: &Key, submitted: &Submitted) -> Response {
    let mut response = Response::new(json(&Taken { line: None, key, submitted }).into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if *submitted == Submitted::Accepted {
        *response.status_mut() = StatusCode::ACCEPTED;
        let location = HeaderValue::try_from(path::location(prefix, key)).ok();
        response.headers_mut().extend(location.map(|location| (LOCATION, location)));
    }
    response
}

/// The response for an event that was accepted, now or before.
pub(super) struct Taken<'a> {
    /// Its line, in a batch.
    pub(super) line: Option<u64>,
    pub(super) key: &'a Key,
    pub(super) submitted: &'a Submitted,
}

impl Serialize for Taken<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(line) = self.line {
            map.serialize_entry("line", &line)?;
        }
        let (outcome, status) = match self.submitted {
            Submitted::Accepted => ("accepted", Status::Received),
            Submitted::Duplicate(duplicate) => ("duplicate", duplicate.status),
        };
        map.serialize_entry("outcome", outcome)?;
        map.serialize_entry::<_, str>("id", &self.key.id())?;
        map.serialize_entry("source", self.key.source())?;
        map.serialize_entry("status", status.as_str())?;
        if let Submitted::Duplicate(duplicate) = self.submitted {
            map.serialize_entry("attempt", &duplicate.attempt)?;
            map.serialize_entry("accepted_at", &Rfc3339(duplicate.accepted_at))?;
        }
        map.end()
    }
}

/// As JSON. Nothing that the front says fails to be written.
pub(super) fn json(value: &impl Serialize) -> String {
    // Texts and numbers can always be written as JSON.
    serde_json::to_string(value).unwrap_or_default()
}
