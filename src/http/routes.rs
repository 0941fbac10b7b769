//! Which call goes where.

use core::time::Duration;
use std::sync::Arc;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::{get, post};

use super::problem::{Kind, Problem};
use super::server::Limits;
use super::{batch, exposition, health, operate, records, submit};
use crate::runtime::Eventful;

/// What every call has at hand.
#[derive(Debug)]
pub(super) struct Front {
    pub(super) eventful: Eventful,
    pub(super) body_timeout: Duration,
}

/// The calls of the front, to be served alone or as a part of another router.
pub fn router(eventful: Eventful, limits: &Limits) -> Router {
    let front = Arc::new(Front { eventful, body_timeout: limits.body_timeout });
    Router::new()
        .route("/v1/events", post(submit::submit).get(records::list))
        // An event may be called `batch` too.
        .route("/v1/events/batch", post(batch::submit).get(records::get_batch).delete(operate::discard_batch))
        .route("/v1/events/{id}", get(records::get).delete(operate::discard))
        .route("/v1/events/{id}/redrive", post(operate::redrive))
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
        .with_state(front)
}

async fn openapi() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], include_str!("openapi.json"))
}
