//! One event in.

use std::string::String;
use std::sync::Arc;

use axum::body::HttpBody;
use axum::extract::{OriginalUri, Request, State};
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode, request};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use super::front::Front;
use super::problem::{Problem, ProblemKind};
use super::rfc3339::Rfc3339;
use super::timeouts::Timeouts;
use super::{body, coding, envelope, header_form, path};
use crate::engine::{Event, Key, Status};
use crate::node::Submitted;

/// `POST /v1/events`
pub(super) async fn submit(
    State(front): State<Arc<Front>>,
    OriginalUri(uri): OriginalUri,
    request: Request,
) -> Response {
    let (mut head, body) = request.into_parts();
    head.uri = uri;
    front.submit(Request::from_parts(head, body), &Timeouts::default()).await
}

/// Bytes of an event that are read even when no new event may have as many: whether it was accepted
/// before, under a higher limit, shows only when all of it is here, and then it is a duplicate. 4 MiB, four times the
/// default limit: enough for a limit that was lowered, and few enough beside `max_inflight_bytes`.
const KNOWN_BYTES: usize = 4 << 20;

impl Front {
    /// The bytes of a payload that are read, at most. What is larger than a new event may be is for the engine to
    /// refuse, when it does not know it.
    pub(super) fn most_bytes(&self) -> usize {
        self.eventful.config().max_event_bytes.max(KNOWN_BYTES.min(self.limits.max_inflight_bytes))
    }

    /// Takes the event of a request, and answers it.
    pub(super) async fn submit(
        &self,
        request: Request<impl HttpBody<Data = Bytes> + Unpin>,
        timeouts: &Timeouts,
    ) -> Response {
        let (head, body) = request.into_parts();
        let event = match self.read_event(&head, body, timeouts).await {
            Ok(event) => event,
            Err(problem) => {
                self.eventful.reject(problem.rejection());
                return problem.into_response();
            }
        };
        let key = event.key().clone();
        match self.eventful.try_submit(event).await {
            Ok(submitted) => answer(head.uri.path().strip_suffix("/v1/events").unwrap_or_default(), &key, &submitted),
            Err(error) => Problem::from(error).into_response(),
        }
    }

    async fn read_event(
        &self,
        head: &request::Parts,
        body: impl HttpBody<Data = Bytes> + Unpin,
        timeouts: &Timeouts,
    ) -> Result<Event, Problem> {
        let limit_bytes = self.eventful.config().max_event_bytes;
        let most = self.most_bytes();
        let read = async |limit| {
            let whole = body::read(body, limit, (self.limits.body_timeout, timeouts), &self.budget).await;
            whole.map_err(|problem| problem.unwrap_or_else(|| Problem::too_large(limit_bytes).closing()))
        };
        if let Some(id) = header_form::id(&head.headers)? {
            return header_form::event(&id, head.uri.query(), &head.headers, read(most).await?);
        }
        refuse_other_than_json(&head.headers)?;
        coding::refuse_content(&head.headers)?;
        super::query::parse(head.uri.query(), [])?;
        let text = read(most.saturating_add(envelope::OVERHEAD_BYTES)).await?;
        envelope::parse(&text).map_err(Problem::invalid)
    }
}

fn refuse_other_than_json(headers: &HeaderMap) -> Result<(), Problem> {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let detail = "send an envelope as application/json, or any body with an Idempotency-Key or webhook-id header";
    Err(Problem::new(ProblemKind::UnsupportedMediaType, detail).closing())
}

/// The answer for an event that was taken, when the calls of the front have `prefix` in front of their paths.
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

/// The answer for an event that was taken, now or before.
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
    serde_json::to_string(value).unwrap_or_default()
}
