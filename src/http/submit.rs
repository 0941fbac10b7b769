//! One event in.

use std::sync::Arc;
use std::vec::Vec;

use axum::body::HttpBody;
use axum::extract::{OriginalUri, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, request};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;

use super::front::Front;
use super::problem::{Problem, ProblemKind};
use super::timeouts::Timeouts;
use super::{body, coding, envelope, header_form, line_results, request_trace, taken};
use crate::cloud_events::{self, CloudEventsMode, InvalidCloudEvent};
use crate::engine::Event;

/// `POST /v1/events`
pub(super) async fn submit(
    State(front): State<Arc<Front>>,
    OriginalUri(uri): OriginalUri,
    request: Request,
) -> Response {
    let (mut head, body) = request.into_parts();
    // The URI before the router took its prefix away: the location of the event must have that prefix.
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

    /// Submits the event of a request, and responds.
    pub(super) async fn submit(
        &self,
        request: Request<impl HttpBody<Data = Bytes> + Unpin>,
        timeouts: &Timeouts,
    ) -> Response {
        let (head, body) = request.into_parts();
        let event = match self.read_event(&head, body, timeouts).await {
            Ok(SubmittedBody::Single(event)) => request_trace::with_trace(event, &head.headers),
            Ok(SubmittedBody::Batch(events)) => return self.submit_all(events).await,
            Err(problem) => {
                // What makes no event is counted by the engine, too, so that all refusals are in one place.
                self.eventful.reject(problem.rejection());
                return problem.into_response();
            }
        };
        let key = event.key().clone();
        match self.eventful.try_submit(event).await {
            Ok(submitted) => {
                taken::answer(head.uri.path().strip_suffix("/v1/events").unwrap_or_default(), &key, &submitted)
            }
            Err(error) => Problem::from(error).into_response(),
        }
    }

    /// Submits several events, and responds with a line for each.
    async fn submit_all(&self, events: Vec<Result<Event, InvalidCloudEvent>>) -> Response {
        // Kept aside: the events are consumed, and the keys of refused ones are missing.
        let keys: Vec<_> = events.iter().map(|event| event.as_ref().ok().map(|event| event.key().clone())).collect();
        let (mut refused, mut whole) = (Vec::new(), Vec::new());
        for event in events {
            match event {
                Ok(event) => whole.push(event),
                Err(why) => refused.push(Problem::invalid(why)),
            }
        }
        refused.iter().for_each(|problem| self.eventful.reject(problem.rejection()));
        let (mut results, mut refused) = (self.eventful.submit_batch(whole).await.into_iter(), refused.iter());
        let mut lines = Vec::new();
        for (key, line) in keys.iter().zip(1..) {
            match (key, if key.is_some() { results.next() } else { None }, refused.as_slice().first()) {
                (Some(key), Some(Ok(submitted)), _) => line_results::write_taken(line, key, &submitted, &mut lines),
                (Some(key), Some(Err(error)), _) => {
                    line_results::write_refused(line, Some(key), &error.into(), &mut lines);
                }
                (None, _, Some(problem)) => {
                    line_results::write_refused(line, None, problem, &mut lines);
                    let _shown = refused.next();
                }
                _ => {}
            }
        }
        ([(CONTENT_TYPE, "application/x-ndjson")], lines).into_response()
    }

    async fn read_event(
        &self,
        head: &request::Parts,
        body: impl HttpBody<Data = Bytes> + Unpin,
        timeouts: &Timeouts,
    ) -> Result<SubmittedBody, Problem> {
        let limit_bytes = self.eventful.config().max_event_bytes;
        let most = self.most_bytes();
        // Read late, so that a request whose head is refused costs no body.
        let read = async |limit| {
            let whole = body::read(body, limit, (self.limits.body_timeout, timeouts), &self.budget).await;
            whole.map_err(|problem| problem.unwrap_or_else(|| Problem::too_large(limit_bytes).closing()))
        };
        // First: with an id in a header, the body is a payload of any kind.
        if let Some(id) = header_form::id(&head.headers)? {
            let event = header_form::event(&id, head.uri.query(), &head.headers, read(most).await?);
            return event.map(SubmittedBody::Single);
        }
        let mode = cloud_events::mode(content_type(&head.headers), head.headers.keys().map(HeaderName::as_str));
        if mode.is_none() {
            refuse_other_than_json(&head.headers)?;
        }
        coding::refuse_content(&head.headers)?;
        // No parameter is known in this form; a misspelt one must not be ignored.
        super::query::parse(head.uri.query(), [])?;
        let text = read(most.saturating_add(envelope::OVERHEAD_BYTES)).await?;
        match mode {
            None => envelope::parse(&text).map(SubmittedBody::Single).map_err(Problem::invalid),
            Some(CloudEventsMode::Batch) => {
                cloud_events::batch(&text).map(SubmittedBody::Batch).map_err(Problem::invalid)
            }
            Some(CloudEventsMode::Structured) => single(cloud_events::read_structured(&text)),
            Some(CloudEventsMode::Binary) => cloud_event(&head.headers, text),
        }
    }
}

/// The events that a request submits.
enum SubmittedBody {
    Single(Event),
    Batch(Vec<Result<Event, InvalidCloudEvent>>),
}

fn single(event: Result<Event, InvalidCloudEvent>) -> Result<SubmittedBody, Problem> {
    event.map(SubmittedBody::Single).map_err(Problem::invalid)
}

/// The event of a request in binary mode.
fn cloud_event(headers: &HeaderMap, body: Bytes) -> Result<SubmittedBody, Problem> {
    let all = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    if headers.contains_key(CONTENT_TYPE) && content_type(headers).is_none() {
        return single(Err(InvalidCloudEvent::NotUtf8(CONTENT_TYPE.as_str().into())));
    }
    single(cloud_events::binary(all, content_type(headers), body))
}

fn content_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(CONTENT_TYPE)?.to_str().ok()
}

fn refuse_other_than_json(headers: &HeaderMap) -> Result<(), Problem> {
    let value = content_type(headers).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let detail = "send an envelope as application/json, or any body with an Idempotency-Key or webhook-id header";
    Err(Problem::new(ProblemKind::UnsupportedMediaType, detail).closing())
}
