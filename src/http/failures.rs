//! Failed events by their cause.

use std::borrow::ToOwned as _;
use std::collections::BTreeMap;
use std::string::String;
use std::sync::Arc;
use std::vec::Vec;

use axum::extract::{RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde::Serialize;

use super::front::Front;
use super::problem::Problem;
use super::records::cursor;
use super::taken::json;
use super::{filter, query};
use crate::engine::{Cursor, ErrorText, RecordView, Status, Timestamp};
use crate::texts::rfc3339::Rfc3339;

/// Events that one call reads: some 10 ms, in which others have the engine between pages.
const READ: usize = 10_000;

#[derive(Serialize)]
struct FailuresBody {
    causes: Vec<CauseBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize)]
struct CauseBody {
    cause: String,
    count: u64,
    first_failed_at: Rfc3339,
    last_failed_at: Rfc3339,
}

/// The events of one cause, so far.
struct CauseCount {
    count: u64,
    first: Timestamp,
    last: Timestamp,
}

/// `GET /v1/failures`
pub(super) async fn list(
    State(front): State<Arc<Front>>,
    RawQuery(query): RawQuery,
) -> Result<impl IntoResponse, Problem> {
    let (mut filter, [after]) = filter::parse(query.as_deref(), ["after"])?;
    if filter.status.is_some_and(|status| status != Status::Failed) {
        return Err(Problem::invalid("these are failed events: leave status out"));
    }
    filter.status = Some(Status::Failed);
    let after = query::number("after", after.as_deref(), 0..=u64::MAX)?.map_or(Cursor::START, Cursor::new);
    let listed = front.eventful.config().thresholds().listed;
    let (mut causes, mut next, mut read) = (BTreeMap::new(), Some(after), 0);
    while let Some(at) = next.filter(|_| read < READ) {
        let page = front.eventful.find(&filter, at, listed).await?;
        page.records.iter().for_each(|record| count(record, &mut causes));
        // A page that found none has read as many all the same.
        read += page.records.len().max(listed);
        next = page.next;
    }
    let mut causes: Vec<_> = causes.into_iter().map(|(cause, counted)| CauseBody::new(cause, &counted)).collect();
    causes.sort_by_key(|cause| core::cmp::Reverse(cause.count));
    Ok(([(CONTENT_TYPE, "application/json")], json(&FailuresBody { causes, next: next.map(cursor) })))
}

fn count(record: &RecordView, causes: &mut BTreeMap<String, CauseCount>) {
    let cause = record.last_error.as_ref().map_or("", ErrorText::cause);
    let at = record.terminal_at.unwrap_or(record.accepted_at);
    match causes.get_mut(cause) {
        Some(known) => {
            known.count += 1;
            (known.first, known.last) = (known.first.min(at), known.last.max(at));
        }
        None => {
            causes.insert(cause.to_owned(), CauseCount { count: 1, first: at, last: at });
        }
    }
}

impl CauseBody {
    fn new(cause: String, CauseCount { count, first, last }: &CauseCount) -> Self {
        Self { cause, count: *count, first_failed_at: Rfc3339(*first), last_failed_at: Rfc3339(*last) }
    }
}
