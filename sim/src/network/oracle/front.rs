//! The oracle of the HTTP front once no work is left: each response is the expected one.

use eventful::{Digest, Page, RecordView, Status, Timestamp, engine::Place};
use serde::Deserialize;
use serde_json::{Value, json};

use super::payloads::OwedPayload;
use super::{OracleResult, holds};
use crate::failure::Broken;
use crate::network::connection_owners::{digest, id, number, source};
use crate::network::scenario::KeyNumber;
use crate::network::wire::HttpResponse;
use crate::spec::ReferenceRecord;

/// Checks that the server is ready, paused or not.
pub(in crate::network) fn ready(response: &HttpResponse, is_paused: bool) -> OracleResult {
    let pause = ", and paused by an operator: no run starts until POST /v1/resume";
    let due = format!("ready{}\n", if is_paused { pause } else { "" });
    says(response, 200, TEXT, due.as_bytes())
}

/// Checks that the server is alive.
pub(in crate::network) fn alive(response: &HttpResponse) -> OracleResult {
    says(response, 200, TEXT, b"alive\n")
}

/// Checks that an operator's call succeeded.
pub(in crate::network) fn done(response: &HttpResponse) -> OracleResult {
    let is_empty = response.body.is_empty() && response.content_type.is_none();
    holds(response.status == 204 && is_empty, || broken(7, format_args!("a call did not succeed: {response:?}")))
}

/// The content type of plain text.
const TEXT: &str = "text/plain; charset=utf-8";
/// The content type of JSON.
pub(in crate::network) const JSON: &str = "application/json";
/// The content type of JSON, line by line.
const LINES: &str = "application/x-ndjson";
/// The content type of the text format of Prometheus.
pub(in crate::network) const SAMPLES: &str = "text/plain; version=0.0.4; charset=utf-8";

fn says(response: &HttpResponse, status: u16, content_type: &str, body: &[u8]) -> OracleResult {
    is_of(response, status, content_type)?;
    holds(response.body == body, || {
        broken(7, format_args!("the body is {:?}, expected {:?}", text(&response.body), text(body)))
    })
}

/// Checks the status and the content type of a response.
pub(in crate::network) fn is_of(response: &HttpResponse, status: u16, content_type: &str) -> OracleResult {
    let found = (response.status, response.content_type.as_deref());
    holds(found == (status, Some(content_type)), || {
        broken(
            7,
            format_args!("a response is {found:?}, expected {status} with {content_type}: {}", text(&response.body)),
        )
    })
}

fn text(body: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(body)
}

/// A record as the adapter shows it, with the reason why it is not running.
#[derive(Debug)]
pub(in crate::network) struct Look {
    pub(in crate::network) view: RecordView,
    pub(in crate::network) explanation: String,
}

/// Checks that a shown record is that of the adapter before or after the request.
pub(in crate::network) fn record(response: &HttpResponse, payload: bool, looks: &[Look]) -> OracleResult {
    is_of(response, 200, JSON)?;
    let mut shown = json(response)?;
    let said = shown.as_object_mut().and_then(|shown| shown.remove("explanation"));
    let is_due = |look: &Look| {
        // The remaining retention has become less meanwhile.
        let counts = look.explanation.split(" for another ").next() == said.as_ref().and_then(beginning);
        shown == as_json(&look.view, payload) && counts
    };
    holds(looks.iter().any(is_due), || {
        broken(7, format_args!("a record is shown as {shown} with {said:?}, expected one of {looks:?}"))
    })
}

fn beginning(explanation: &Value) -> Option<&str> {
    explanation.as_str()?.split(" for another ").next()
}

/// Checks that the response to an accepted event names it, and shows its record.
pub(in crate::network) fn taken(body: &[u8], key: KeyNumber, record: Option<&ReferenceRecord>) -> OracleResult {
    let shown: Value =
        serde_json::from_slice(body).map_err(|error| broken(7, format_args!("the response is no JSON: {error}")))?;
    let is_new = shown["outcome"] == "accepted";
    let names = shown["id"] == id(key) && shown["source"] == source(key);
    let is_known = |record: &ReferenceRecord| {
        let is_behind = shown["attempt"].as_u64().is_some_and(|attempt| attempt <= record.attempt.into());
        is_behind && shown["accepted_at"] == rfc3339(record.accepted_at)
    };
    let says = match shown["status"].as_str() {
        _ if is_new => shown["status"] == "received" && shown["attempt"].is_null() && shown["accepted_at"].is_null(),
        Some(status) => {
            shown["outcome"] == "duplicate"
                && Status::ALL.iter().any(|known| known.as_str() == status)
                && record.is_none_or(is_known)
        }
        None => false,
    };
    holds(names && says, || {
        broken(7, format_args!("the response for {}, whose record is {record:?}: {shown}", id(key)))
    })
}

/// Checks the lines of a response to a batch, by their numbers and outcomes.
pub(in crate::network) fn lines(response: &HttpResponse, due: &[(u64, &str)]) -> OracleResult {
    is_of(response, 200, LINES)?;
    let texts = response.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let shown: Vec<Value> = texts.filter_map(|line| serde_json::from_slice(line).ok()).collect();
    let is_due = |(line, (number, outcome)): (&Value, &(u64, &str))| {
        let has_problem = line["problem"]["type"] == format!("urn:eventful:problem:{outcome}");
        line["line"] == *number && line["outcome"] == *outcome && has_problem != (*outcome == "duplicate")
    };
    holds(shown.len() == due.len() && shown.iter().zip(due).all(is_due), || {
        broken(7, format_args!("a batch has the response {shown:?}, expected {due:?}"))
    })
}

/// Checks that the constant fields of a shown record are those of its facts, and that the others are not ahead of
/// them.
pub(in crate::network) fn beginning_of(response: &HttpResponse, record: &ReferenceRecord) -> OracleResult {
    is_of(response, 200, JSON)?;
    let shown = json(response)?;
    let key = record.event.key();
    let fixed = [
        ("id", key.id().to_string()),
        ("source", key.source().to_owned()),
        ("digest", record.event.digest().to_string()),
        ("accepted_at", rfc3339(record.accepted_at)),
    ];
    let wrong = fixed.iter().find(|(name, value)| shown[name] != value.as_str());
    let is_behind = shown["attempt"].as_u64().is_some_and(|attempt| attempt <= record.attempt.into());
    holds(wrong.is_none() && is_behind, || {
        broken(7, format_args!("a record is shown as {shown}, with a wrong {wrong:?}; expected {record:?}"))
    })
}

/// Checks that a page contains these records, and a cursor if more follow.
pub(in crate::network) fn page(response: &HttpResponse, payload: bool, due: &Page) -> OracleResult {
    is_of(response, 200, JSON)?;
    let shown = json(response)?;
    let records: Vec<_> = due.records.iter().map(|view| as_json(view, payload)).collect();
    let expected = match due.next {
        Some(next) => json!({ "records": records, "next": next.number().to_string() }),
        None => json!({ "records": records }),
    };
    holds(shown == expected, || broken(7, format_args!("a page is shown as {shown}, expected {expected}")))
}

/// Checks that each accepted event is there, with its payload, and has ended.
pub(in crate::network) fn owed(shown: &[RecordView], owed: &OwedPayload) -> OracleResult {
    for item in &owed.items {
        let record = shown.iter().find(|view| number(&view.key) == Some(item.key));
        let Some(record) = record else {
            return Err(broken(1, format_args!("{} was accepted, but is on no page", id(item.key))));
        };
        holds(record.digest == digest(item.key, item.payload), || {
            broken(2, format_args!("{item:?} was accepted, but a page has {record:?}"))
        })?;
        holds(record.status.is_terminal(), || {
            broken(1, format_args!("at rest, a page has a record that has not ended: {record:?}"))
        })?;
    }
    Ok(())
}

/// The response to a call for many events.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::network) struct BulkAnswer {
    pub(in crate::network) matching: Option<u64>,
    pub(in crate::network) redriven: Option<u64>,
    pub(in crate::network) discarded: Option<u64>,
    pub(in crate::network) left: Option<u64>,
    pub(in crate::network) next: Option<String>,
    pub(in crate::network) detail: Option<String>,
}

/// Parses the response to a call for many events.
pub(in crate::network) fn many(response: &HttpResponse) -> Result<BulkAnswer, Broken> {
    is_of(response, 200, JSON)?;
    serde_json::from_slice(&response.body).map_err(|error| broken(7, format_args!("the response is no JSON: {error}")))
}

/// The problem types of the API, with their status.
const PROBLEMS: [(&str, u16); 24] = [
    ("invalid", 400),
    ("unverified", 401),
    ("unauthorized", 401),
    ("forbidden", 403),
    ("cross_site", 403),
    ("not_found", 404),
    ("method_not_allowed", 405),
    ("timeout", 408),
    ("conflict", 409),
    ("not_failed", 409),
    ("completed", 409),
    ("too_large", 413),
    ("unsupported_media_type", 415),
    ("unsupported_encoding", 415),
    ("not_implemented", 501),
    ("overloaded", 503),
    ("unread", 503),
    ("misdirected", 421),
    ("shutting_down", 503),
    ("not_ready", 503),
    ("broken", 500),
    ("journal_down", 500),
    ("unknown", 503),
    ("reopening", 503),
];

/// Problem types after which the same request may be sent again.
const PASSING: [&str; 4] = ["overloaded", "shutting_down", "unknown", "reopening"];

/// Checks that a refusal is a problem document with a known type, and a `Retry-After` where trying again helps.
pub(in crate::network) fn problem(response: &HttpResponse) -> OracleResult {
    is_of(response, response.status, "application/problem+json")?;
    let shown = json(response)?;
    let kind = shown["type"].as_str().and_then(|name| name.strip_prefix("urn:eventful:problem:")).unwrap_or_default();
    let is_known = PROBLEMS.contains(&(kind, response.status)) && shown["status"] == response.status;
    let says = |name: &str| shown[name].as_str().is_some_and(|text| !text.is_empty());
    let millis = shown["retry_after_ms"].as_u64();
    let seconds = millis.map(|millis| millis.div_ceil(1000).to_string());
    let comes_back = millis.is_some_and(|millis| millis > 0) == PASSING.contains(&kind);
    let conflicts = ["stored_digest", "received_digest", "first_received_at"].map(says);
    let is_whole = is_known && says("title") && says("detail") && comes_back && response.retry_after == seconds;
    holds(is_whole && conflicts == [kind == "conflict"; 3], || {
        broken(
            7,
            format_args!(
                "a refusal has status {}, Retry-After {:?} and body {shown}",
                response.status, response.retry_after
            ),
        )
    })
}

/// Checks that a refusal has this problem type.
pub(in crate::network) fn refused_as(response: &HttpResponse, name: &str) -> OracleResult {
    problem(response)?;
    let shown = json(response)?;
    holds(shown["type"] == format!("urn:eventful:problem:{name}"), || {
        broken(7, format_args!("the problem is {shown}, expected {name}"))
    })
}

/// Checks that a conflict names the digest that was received.
pub(in crate::network) fn received(response: &HttpResponse, digest: &Digest) -> OracleResult {
    let shown = json(response)?;
    holds(shown["received_digest"] == digest.to_string(), || {
        broken(7, format_args!("{digest} was received, but the problem is {shown}"))
    })
}

/// Returns whether a call was refused because there is no room.
pub(in crate::network) fn is_overload(response: &HttpResponse) -> bool {
    let kind = json(response).ok().and_then(|problem| Some(problem["type"].as_str()?.to_owned()));
    response.status == 503 && kind.as_deref() == Some("urn:eventful:problem:overloaded")
}

/// Returns the expected JSON of a record: unknown fields are absent.
fn as_json(view: &RecordView, payload: bool) -> Value {
    let time = |at: Timestamp| Value::from(rfc3339(at));
    let is_tombstone = matches!(view.status, Status::Completed | Status::Discarded);
    let past = view.history.iter().map(|past| {
        let mut shown = json!({
            "run": past.run.to_string(), "started_at": rfc3339(past.started_at),
            "ended_at": rfc3339(past.ended_at), "end": past.end.as_str(),
        });
        past.error.iter().for_each(|error| shown["error"] = error.as_str().into());
        shown
    });
    let place = view.place.map(|place| match place {
        Place::Delayed => "delayed",
        Place::Gated(_) => "gated",
        Place::Line => "line",
        Place::Queued(_) => "queued",
    });
    let run = view.run.map(|run| {
        json!({
            "id": run.id.to_string(), "started_at": rfc3339(run.started_at), "deadline": rfc3339(run.deadline),
        })
    });
    let text = |text: Option<&str>| text.map(Value::from);
    let body = view.payload.as_deref().filter(|_| payload).and_then(|bytes| std::str::from_utf8(bytes).ok());
    let maybe = [
        ("place", place.map(Value::from)),
        ("charged", (!is_tombstone).then(|| view.charge.charged.into())),
        ("seq", view.seq.map(|seq| seq.number().into())),
        ("not_before", view.not_before.map(time)),
        ("eligible_at", view.eligible_at.map(time)),
        ("terminal_at", view.terminal_at.map(time)),
        ("run", run),
        ("type", text(view.event_type.as_deref())),
        ("group", text(view.group.as_deref())),
        ("content_type", text(view.content_type.as_deref())),
        ("content_encoding", text(view.attributes.value("content-encoding"))),
        (
            "attributes",
            (!view.attributes.is_empty()).then(|| {
                view.attributes
                    .iter()
                    .map(|(name, value)| (name.to_owned(), value.into()))
                    .collect::<serde_json::Map<_, _>>()
                    .into()
            }),
        ),
        ("size_bytes", (!is_tombstone).then(|| view.size_bytes.into())),
        ("last_error", view.last_error.as_ref().map(|error| error.as_str().into())),
        ("history", (!view.history.is_empty()).then(|| past.collect())),
        ("payload", body.map(Value::from)),
        ("payload_encoding", body.map(|_| "utf-8".into())),
        ("durable", (!view.durable).then(|| false.into())),
    ];
    let mut shown = json!({
        "id": view.key.id().to_string(), "source": view.key.source(), "status": view.status.as_str(),
        "queued": place == Some("queued"), "attempt": view.attempt, "digest": view.digest.to_string(),
        "accepted_at": rfc3339(view.accepted_at),
    });
    for (name, value) in maybe {
        value.into_iter().for_each(|value| shown[name] = value);
    }
    shown
}

/// Formats a time in UTC by counting days from 1970 on, independently of the product's code.
pub(in crate::network) fn rfc3339(at: Timestamp) -> String {
    let (seconds, micros) = (at.as_micros() / 1_000_000, at.as_micros() % 1_000_000);
    let (mut days, mut year, mut month) = (seconds / 86_400, 1970, 0);
    let is_leap = |year: u64| year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z", month + 1, days + 1)
}

/// A request had no response.
pub(in crate::network) fn silent(what: &str) -> Broken {
    broken(9, format_args!("no response at rest to {what}"))
}

fn json(response: &HttpResponse) -> Result<Value, Broken> {
    serde_json::from_slice(&response.body).map_err(|error| broken(7, format_args!("the response is no JSON: {error}")))
}

fn broken(promise: u8, what: impl std::fmt::Display) -> Broken {
    Broken::new("front", promise, what)
}
