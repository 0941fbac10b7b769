//! What operators do.

use core::time::Duration;
use std::string::ToString as _;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use super::front::Front;
use super::path::{self, Id};
use super::problem::Problem;
use super::records::cursor;
use super::{body, query};
use crate::engine::Cursor;

/// `POST /v1/events/{id}/redrive`
pub(super) async fn redrive(State(front): State<Arc<Front>>, id: Id, query: RawQuery) -> Result<StatusCode, Problem> {
    front.eventful.redrive(&path::key(id, query)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/redrive`: one page of failed events.
pub(super) async fn redrive_all(
    State(front): State<Arc<Front>>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<impl IntoResponse, Problem> {
    refuse_body(request.into_body(), front.body_timeout).await?;
    let [after] = query::parse(query.as_deref(), ["after"])?;
    let after = query::number("after", after.as_deref(), 0..=u64::MAX)?.map_or(Cursor::START, Cursor::new);
    let redriven = front.eventful.redrive_all(after).await?;
    let next = redriven.next.map(cursor);
    let answer = match next {
        Some(next) => serde_json::json!({ "redriven": redriven.count, "next": next }),
        None => serde_json::json!({ "redriven": redriven.count }),
    };
    Ok(([(CONTENT_TYPE, "application/json")], answer.to_string()))
}

/// Whoever sends a body means one event, perhaps, and this call is for all.
async fn refuse_body(body: Body, timeout: Duration) -> Result<(), Problem> {
    let refused = "leave the body out: POST /v1/events/{id}/redrive is for one event, this call for all that failed";
    let read = body::read(body, 0, timeout).await;
    read.map(drop).map_err(|problem| problem.unwrap_or_else(|| Problem::invalid(refused).closing()))
}

/// `DELETE /v1/events/{id}`
pub(super) async fn discard(State(front): State<Arc<Front>>, id: Id, query: RawQuery) -> Result<StatusCode, Problem> {
    front.eventful.discard(&path::key(id, query)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /v1/events/batch`: the event with this id.
pub(super) async fn discard_batch(state: State<Arc<Front>>, query: RawQuery) -> Result<StatusCode, Problem> {
    discard(state, Ok(Path("batch".to_string())), query).await
}

/// `POST /v1/pause`
pub(super) async fn pause(State(front): State<Arc<Front>>) -> Result<StatusCode, Problem> {
    front.eventful.pause().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/resume`
pub(super) async fn resume(State(front): State<Arc<Front>>) -> Result<StatusCode, Problem> {
    front.eventful.resume().await?;
    Ok(StatusCode::NO_CONTENT)
}
