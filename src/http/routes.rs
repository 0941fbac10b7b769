//! Which call goes where.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_TYPE, HOST, ORIGIN};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::front::Front;
use super::limits::Limits;
use super::problem::{Kind, Problem};
use super::{batch, coding, exposition, health, operate, records, submit};
use crate::runtime::Eventful;

/// The calls of the front, to be served alone or as a part of another router.
pub fn router(eventful: Eventful, limits: &Limits) -> Router {
    let front = Arc::new(Front { eventful, body_timeout: limits.body_timeout });
    Router::new()
        .route("/v1/events", post(submit::submit).get(records::list))
        // An event may be called `batch` too.
        .route("/v1/events/batch", post(batch::submit).get(records::get_batch).delete(operate::discard_batch))
        .route("/v1/events/{id}", get(records::get).delete(operate::discard))
        .route("/v1/events/{id}/redrive", post(operate::redrive))
        // An id may be one that no path can carry.
        .route("/v1/event", get(records::get_by_query).delete(operate::discard_by_query))
        .route("/v1/event/redrive", post(operate::redrive_by_query))
        .route("/v1/redrive", post(operate::redrive_all))
        .route("/v1/pause", post(operate::pause))
        .route("/v1/resume", post(operate::resume))
        .route("/v1/stats", get(exposition::stats))
        .route("/metrics", get(exposition::metrics))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/openapi.json", get(openapi))
        .fallback(async || Problem::new(Kind::NotFound, "no such call: GET /openapi.json lists all"))
        .method_not_allowed_fallback(async || {
            Problem::new(Kind::MethodNotAllowed, "the Allow header lists the methods")
        })
        .layer(from_fn(coding::refuse_transfer))
        .layer(from_fn(refuse_other_sites))
        .with_state(front)
}

/// A browser sends what any page asks it to, also to an address that only its machine can reach.
/// It names the page's site, which must be this one.
async fn refuse_other_sites(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let host = headers.get(HOST).map_or(&[][..], HeaderValue::as_bytes);
    let is_ours = |origin: &HeaderValue| origin.as_bytes().rsplit(|byte| *byte == b'/').next() == Some(host);
    if headers.get(ORIGIN).is_none_or(is_ours) {
        return next.run(request).await;
    }
    Problem::new(Kind::CrossSite, "the Origin is not this host: call it from a program, not from a page")
        .closing()
        .into_response()
}

async fn openapi() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], include_str!("openapi.json"))
}
