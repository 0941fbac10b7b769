//! What operators do.

use std::borrow::ToOwned as _;
use std::format;
use std::string::String;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde::Serialize;

use super::front::Front;
use super::path::{self, Id};
use super::problem::Problem;
use super::records::cursor;
use super::submit::json;
use super::{body, query};
use crate::engine::{Cursor, Key, Status};
use crate::runtime::Redriven;

/// `POST /v1/events/{id}/redrive`
pub(super) async fn redrive(State(front): State<Arc<Front>>, id: Id, query: RawQuery) -> Result<StatusCode, Problem> {
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
    let [status, after] = query::parse(query.as_deref(), ["status", "after"])?;
    if status.as_deref() != Some(Status::Failed.as_str()) {
        return Err(Problem::invalid(ONE_OR_ALL));
    }
    let after = query::number("after", after.as_deref(), 0..=u64::MAX)?.map_or(Cursor::START, Cursor::new);
    let redriven = front.eventful.redrive_all(after).await?;
    Ok(([(CONTENT_TYPE, "application/json")], json(&RedrivenBody::new(&redriven))))
}

/// Why a call for all events is refused that may have been meant for one.
///
/// A client may turn `/v1/events/../redrive`, with an id of two dots, into `/v1/redrive`. So this call needs a parameter
/// that a call for one event never has, and takes no body.
const ONE_OR_ALL: &str = "say which events: POST /v1/redrive?status=failed, without a body, is for all that failed; \
                          POST /v1/events/{id}/redrive is for one event";

/// How many events a call has redriven, and how to continue.
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
    fn new(redriven: &Redriven) -> Self {
        let (left, next) = (redriven.left, redriven.next.map(cursor));
        let again = match &next {
            Some(next) => format!("POST /v1/redrive?status=failed&after={next}"),
            None => "begin again with POST /v1/redrive?status=failed".to_owned(),
        };
        let detail = (left > 0).then(|| format!("{left} failed events are left: {again}"));
        Self { redriven: redriven.count, left, next, detail }
    }
}

async fn refuse_body(body: Body, front: &Front) -> Result<(), Problem> {
    let read = body::read(body, 0, front.limits.body_timeout, &front.budget).await;
    read.map(drop).map_err(|problem| problem.unwrap_or_else(|| Problem::invalid(ONE_OR_ALL).closing()))
}

/// `DELETE /v1/events/{id}`
pub(super) async fn discard(State(front): State<Arc<Front>>, id: Id, query: RawQuery) -> Result<StatusCode, Problem> {
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

/// `POST /v1/pause`
pub(super) async fn pause(State(front): State<Arc<Front>>, RawQuery(query): RawQuery) -> Result<StatusCode, Problem> {
    query::parse(query.as_deref(), [])?;
    front.eventful.pause().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/resume`
pub(super) async fn resume(State(front): State<Arc<Front>>, RawQuery(query): RawQuery) -> Result<StatusCode, Problem> {
    query::parse(query.as_deref(), [])?;
    front.eventful.resume().await?;
    Ok(StatusCode::NO_CONTENT)
}
