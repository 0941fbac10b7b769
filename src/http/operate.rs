//! Calls of operators: redrive, discard, pause, resume.

use core::num::NonZeroUsize;
use std::format;
use std::string::String;
use std::sync::Arc;
use std::vec::Vec;

use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde::Serialize;

use super::front::Front;
use super::path::{self, PathId};
use super::problem::Problem;
use super::records::cursor;
use super::taken::json;
use super::timeouts::Timeouts;
use super::{body, filter, query};
use crate::engine::{Cursor, Filter, GroupName, Key, Status};
use crate::runtime::Redriven;

/// `POST /v1/events/{id}/redrive`
pub(super) async fn redrive(
    State(front): State<Arc<Front>>,
    id: PathId,
    query: RawQuery,
) -> Result<StatusCode, Problem> {
    redrive_key(&front, &path::key(id, query)?).await
}

/// `POST /v1/event/redrive`: the same, with the id in the query.
pub(super) async fn redrive_by_query(State(front): State<Arc<Front>>, query: RawQuery) -> Result<StatusCode, Problem> {
    redrive_key(&front, &path::key_in_query(query)?).await
}

async fn redrive_key(front: &Front, key: &Key) -> Result<StatusCode, Problem> {
    front.eventful.redrive(key).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/redrive`: one page of failed events.
pub(super) async fn redrive_all(
    State(front): State<Arc<Front>>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<impl IntoResponse, Problem> {
    refuse_body(request.into_body(), &front).await?;
    // The parameter that a call for one event never has.
    if !query.iter().flat_map(|query| query.split('&')).any(|pair| pair == "status=failed") {
        return Err(Problem::invalid(ONE_OR_ALL));
    }
    let many = BulkRequest::parse(query.as_deref())?;
    let body = match many.dry_run {
        true => json(&Matching { matching: front.eventful.count(&many.filter).await? }),
        false => {
            let redriven = front.eventful.redrive_matching(&many.filter, many.after, many.limit).await?;
            json(&RedrivenBody::new(&redriven, &many.again))
        }
    };
    Ok(([(CONTENT_TYPE, "application/json")], body))
}

/// `POST /v1/discard`: one page of the events of a status.
pub(super) async fn discard_all(
    State(front): State<Arc<Front>>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<impl IntoResponse, Problem> {
    let read =
        body::read(request.into_body(), 0, (front.limits.body_timeout, &Timeouts::default()), &front.budget).await;
    read.map_err(|problem| problem.unwrap_or_else(|| Problem::invalid(WHICH_TO_DISCARD).closing()))?;
    let many = BulkRequest::parse(query.as_deref())?;
    let status = many.filter.status.filter(|status| !matches!(status, Status::Completed | Status::Discarded));
    let status = status.ok_or_else(|| Problem::invalid(WHICH_TO_DISCARD))?;
    let body = match many.dry_run {
        true => json(&Matching { matching: front.eventful.count(&many.filter).await? }),
        false => {
            let discarded = front.eventful.discard_matching(status, &many.filter, many.after, many.limit).await?;
            json(&DiscardedBody { discarded: discarded.count, left: discarded.left, next: discarded.next.map(cursor) })
        }
    };
    Ok(([(CONTENT_TYPE, "application/json")], body))
}

/// The reason why a call that may discard everything is refused.
const WHICH_TO_DISCARD: &str = "say which events: POST /v1/discard?status=failed, without a body; status may be \
                                received, processing, failed_retry or failed, and id, source, type, error, cause, \
                                accepted_from, accepted_until, failed_from, failed_until choose among them; dry_run=true counts them, \
                                limit bounds their number";

/// The parameters of a call for many events.
struct BulkRequest {
    filter: Filter,
    after: Cursor,
    /// The most events that the call changes.
    limit: usize,
    dry_run: bool,
    /// The query without `after`, to be sent again.
    again: String,
}

impl BulkRequest {
    fn parse(uri_query: Option<&str>) -> Result<Self, Problem> {
        let (filter, [after, limit, dry_run]) = filter::parse(uri_query, ["after", "limit", "dry_run"])?;
        let after = query::number("after", after.as_deref(), 0..=u64::MAX)?.map_or(Cursor::START, Cursor::new);
        let limit = query::number("limit", limit.as_deref(), NonZeroUsize::MIN..=NonZeroUsize::MAX)?;
        let dry_run = query::flag("dry_run", dry_run.as_deref())?;
        // The cursor is replaced by that of the next page.
        let pairs = uri_query.unwrap_or_default().split('&').filter(|pair| !pair.starts_with("after="));
        Ok(Self {
            filter,
            after,
            limit: limit.map_or(usize::MAX, NonZeroUsize::get),
            dry_run,
            again: pairs.collect::<Vec<_>>().join("&"),
        })
    }
}

/// The number of events that a call would change.
#[derive(Serialize)]
struct Matching {
    matching: u64,
}

/// The number of events that a call has discarded, and how to continue.
#[derive(Serialize)]
struct DiscardedBody {
    discarded: usize,
    left: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// The reason why a call for all events is refused that may have been meant for one.
///
/// A client may turn `/v1/events/../redrive`, with an id of two dots, into `/v1/redrive`. So this call needs a parameter
/// that a call for one event never has, and takes no body.
const ONE_OR_ALL: &str = "say which events: POST /v1/redrive?status=failed, without a body, is for all that failed; \
                          POST /v1/events/{id}/redrive is for one event";

/// The number of events that a call has redriven, and how to continue.
#[derive(Serialize)]
struct RedrivenBody {
    redriven: usize,
    left: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

impl RedrivenBody {
    fn new(redriven: &Redriven, query: &str) -> Self {
        let (left, next) = (redriven.left, redriven.next.map(cursor));
        let again = match &next {
            Some(next) => format!("POST /v1/redrive?{query}&after={next}"),
            None => format!("begin again with POST /v1/redrive?{query}"),
        };
        let detail = (left > 0).then(|| format!("{left} failed events are left: {again}"));
        Self { redriven: redriven.count, left, next, detail }
    }
}

async fn refuse_body(body: Body, front: &Front) -> Result<(), Problem> {
    let read = body::read(body, 0, (front.limits.body_timeout, &Timeouts::default()), &front.budget).await;
    read.map(drop).map_err(|problem| problem.unwrap_or_else(|| Problem::invalid(ONE_OR_ALL).closing()))
}

/// `DELETE /v1/events/{id}`
pub(super) async fn discard(
    State(front): State<Arc<Front>>,
    id: PathId,
    query: RawQuery,
) -> Result<StatusCode, Problem> {
    discard_key(&front, &path::key(id, query)?).await
}

/// `DELETE /v1/event`: the same, with the id in the query.
pub(super) async fn discard_by_query(State(front): State<Arc<Front>>, query: RawQuery) -> Result<StatusCode, Problem> {
    discard_key(&front, &path::key_in_query(query)?).await
}

async fn discard_key(front: &Front, key: &Key) -> Result<StatusCode, Problem> {
    front.eventful.discard(key).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /v1/events/batch`: the event with this id.
pub(super) async fn discard_batch(state: State<Arc<Front>>, query: RawQuery) -> Result<StatusCode, Problem> {
    discard(state, path::batch(), query).await
}

/// `POST /v1/pause`: all, or one group
pub(super) async fn pause(State(front): State<Arc<Front>>, RawQuery(query): RawQuery) -> Result<StatusCode, Problem> {
    match group(query.as_deref())? {
        Some(group) => front.eventful.pause_group(&group).await?,
        None => front.eventful.pause().await?,
    }
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/resume`: all, or one group
pub(super) async fn resume(State(front): State<Arc<Front>>, RawQuery(query): RawQuery) -> Result<StatusCode, Problem> {
    match group(query.as_deref())? {
        Some(group) => front.eventful.resume_group(&group).await?,
        None => front.eventful.resume().await?,
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Returns the group that a query names.
fn group(query: Option<&str>) -> Result<Option<GroupName>, Problem> {
    let [group] = query::parse(query, ["group"])?;
    group.map(|group| GroupName::new(&group).map_err(Problem::invalid)).transpose()
}
