//! Calls that read events.

use std::borrow::Cow;
use std::string::{String, ToString as _};
use std::sync::Arc;
use std::vec::Vec;

use axum::extract::{RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde::Serialize;
use serde::ser::Serializer;

use super::front::Front;
use super::path::{self, PathId};
use super::problem::{Problem, ProblemKind};
use super::taken::json;
use super::{filter, query};
use crate::engine::{Attributes, Cursor, ErrorText, Event, Key, PastAttempt, Place, RecordView, RunView, Seq, Status};
use crate::texts::base64;
use crate::texts::rfc3339::Rfc3339;

/// Records on a page that says nothing else.
const DEFAULT_LIMIT: usize = 100;

type RecordAnswer = Result<([(axum::http::HeaderName, &'static str); 1], String), Problem>;

/// `GET /v1/events/{id}`
pub(super) async fn get(State(front): State<Arc<Front>>, id: PathId, query: RawQuery) -> RecordAnswer {
    let (key, more) = path::key_and(id, query, ["payload", "wait"])?;
    show_then(&front, &key, more).await
}

/// `GET /v1/event`: the same, with the id in the query.
pub(super) async fn get_by_query(State(front): State<Arc<Front>>, query: RawQuery) -> RecordAnswer {
    let (key, more) = path::key_in_query_and(query, ["payload", "wait"])?;
    show_then(&front, &key, more).await
}

/// Shows a record, with `wait` once it is terminal or that time is up.
async fn show_then(front: &Front, key: &Key, [payload, wait]: [Option<String>; 2]) -> RecordAnswer {
    let payload = query::flag("payload", payload.as_deref())?;
    if let Some(wait) = wait {
        let wait = query::wait("wait", &wait)?;
        // Whatever came of it: what there is now is shown.
        let _ended = tokio::time::timeout(wait, front.eventful.wait(key)).await;
    }
    show(front, key, payload).await
}

async fn show(front: &Front, key: &Key, payload: bool) -> RecordAnswer {
    let Some(view) = front.eventful.get(key).await? else {
        // Sources are part of the key, and easy to leave out.
        return Err(Problem::new(
            ProblemKind::NotFound,
            "there is no such event: perhaps it was forgotten, or has a source",
        ));
    };
    // Read apart, so that of an event which changes between both it may be the newer.
    let explanation = front.eventful.explain(key).await?;
    Ok(answer(&RecordBody::new(&view, explanation, payload)))
}

/// `GET /v1/events/batch`: the event with this id.
pub(super) async fn get_batch(state: State<Arc<Front>>, query: RawQuery) -> impl IntoResponse {
    get(state, path::batch(), query).await
}

/// `GET /v1/events`
pub(super) async fn list(State(front): State<Arc<Front>>, RawQuery(query): RawQuery) -> RecordAnswer {
    let (filter, [limit, after, payload]) = filter::parse(query.as_deref(), ["limit", "after", "payload"])?;
    let payload = query::flag("payload", payload.as_deref())?;
    let most = front.eventful.config().thresholds().listed;
    let limit = query::number("limit", limit.as_deref(), 1..=most)?;
    // The default, too, must not exceed the bound, which simulations make small.
    let limit = limit.unwrap_or(DEFAULT_LIMIT).clamp(1, most);
    let after = query::number("after", after.as_deref(), 0..=u64::MAX)?.map_or(Cursor::START, Cursor::new);
    let page = front.eventful.find(&filter, after, limit).await?;
    let records = page.records.iter().map(|view| RecordBody::new(view, None, payload)).collect();
    Ok(answer(&PageBody { records, next: page.next.map(cursor) }))
}

/// A cursor as text: as a number, it could be too large for JavaScript.
pub(super) fn cursor(cursor: Cursor) -> String {
    cursor.number().to_string()
}

fn answer(body: &impl Serialize) -> ([(axum::http::HeaderName, &'static str); 1], String) {
    ([(CONTENT_TYPE, "application/json")], json(body))
}

#[derive(Serialize)]
struct PageBody<'a> {
    records: Vec<RecordBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A record as JSON. What is not known is absent: of a tombstone, most of it.
#[derive(Serialize)]
struct RecordBody<'a> {
    id: String,
    source: &'a str,
    status: &'static str,
    queued: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<&'static str>,
    attempt: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    charged: Option<u32>,
    digest: String,
    accepted_at: Rfc3339,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_before: Option<Rfc3339>,
    #[serde(skip_serializing_if = "Option::is_none")]
    eligible_at: Option<Rfc3339>,
    #[serde(skip_serializing_if = "Option::is_none")]
    terminal_at: Option<Rfc3339>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "run")]
    run: Option<RunView>,
    #[serde(skip_serializing_if = "Option::is_none", rename = "type")]
    event_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_encoding: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "attributes")]
    attributes: Option<&'a Attributes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty", serialize_with = "history")]
    history: &'a [PastAttempt],
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    payload: Option<PayloadBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<String>,
    /// Absent when it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    durable: Option<bool>,
}

impl<'a> RecordBody<'a> {
    fn new(view: &'a RecordView, explanation: Option<String>, payload: bool) -> Self {
        let is_tombstone = matches!(view.status, Status::Completed | Status::Discarded);
        Self {
            id: view.key.id().to_string(),
            source: view.key.source(),
            status: view.status.as_str(),
            queued: view.is_queued(),
            place: view.place.map(place),
            attempt: view.attempt,
            // A tombstone keeps neither the charge nor the size: zero would be wrong.
            charged: (!is_tombstone).then_some(view.charge.charged),
            digest: view.digest.to_string(),
            accepted_at: Rfc3339(view.accepted_at),
            seq: view.seq.map(Seq::number),
            not_before: view.not_before.map(Rfc3339),
            eligible_at: view.eligible_at.map(Rfc3339),
            terminal_at: view.terminal_at.map(Rfc3339),
            run: view.run,
            event_type: view.event_type.as_deref(),
            group: view.group.as_deref(),
            content_type: view.content_type.as_deref(),
            content_encoding: view.attributes.value(Event::CONTENT_ENCODING),
            attributes: named(&view.attributes).next().map(|_| &view.attributes),
            size_bytes: (!is_tombstone).then_some(view.size_bytes),
            last_error: view.last_error.as_ref().map(|error| error.as_str()),
            history: &view.history,
            payload: view.payload.as_deref().filter(|_| payload).map(PayloadBody::new),
            explanation,
            // Nearly always true: only the exception is worth a field.
            durable: (!view.durable).then_some(false),
        }
    }
}

/// A payload, byte for byte: as it is when it is UTF-8, else in base64.
#[derive(Serialize)]
pub(super) struct PayloadBody<'a> {
    payload: Cow<'a, str>,
    payload_encoding: &'static str,
}

impl<'a> PayloadBody<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        match str::from_utf8(bytes) {
            Ok(text) => Self { payload: Cow::Borrowed(text), payload_encoding: "utf-8" },
            Err(_) => Self { payload: Cow::Owned(base64::encode(bytes)), payload_encoding: "base64" },
        }
    }
}

const fn place(place: Place) -> &'static str {
    match place {
        Place::Delayed => "delayed",
        Place::Gated(_) => "gated",
        Place::Line => "line",
        Place::Queued(_) => "queued",
    }
}

/// Returns the attributes that are not shown under another name.
fn named(attributes: &Attributes) -> impl Iterator<Item = (&str, &str)> {
    attributes.iter().filter(|(name, _)| *name != Event::CONTENT_ENCODING)
}

fn attributes<S: Serializer>(attributes: &Option<&Attributes>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(attributes.iter().flat_map(|attributes| named(attributes)))
}

#[derive(Serialize)]
struct RunBody {
    id: String,
    started_at: Rfc3339,
    deadline: Rfc3339,
}

#[expect(clippy::ref_option, reason = "the signature is serde's")]
fn run<S: Serializer>(run: &Option<RunView>, serializer: S) -> Result<S::Ok, S::Error> {
    let body = run.map(|run| RunBody {
        id: run.id.to_string(),
        started_at: Rfc3339(run.started_at),
        deadline: Rfc3339(run.deadline),
    });
    body.serialize(serializer)
}

#[derive(Serialize)]
struct PastBody<'a> {
    run: String,
    started_at: Rfc3339,
    ended_at: Rfc3339,
    end: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

fn history<S: Serializer>(history: &[PastAttempt], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(history.iter().map(|past| PastBody {
        run: past.run.to_string(),
        started_at: Rfc3339(past.started_at),
        ended_at: Rfc3339(past.ended_at),
        end: past.end.as_str(),
        error: past.error.as_ref().map(ErrorText::as_str),
    }))
}
