//! The call that says what a token allows.

use std::sync::Arc;
use std::vec::Vec;

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use serde::Serialize;

use super::front::Front;
use super::problem::Problem;
use super::query;
use super::taken::json;

#[derive(Serialize)]
struct AccessBody {
    /// False when every call is open to all.
    token_needed: bool,
    roles: Vec<&'static str>,
}

/// `GET /v1/access`
pub(super) async fn show(
    State(front): State<Arc<Front>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    query::parse(query.as_deref(), [])?;
    let body = AccessBody { token_needed: !front.access.is_open(), roles: front.access.roles(&headers)? };
    Ok(([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], json(&body)))
}
