//! The table of calls.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::door::Door;
use super::front::Front;
use super::front_config::FrontConfig;
use super::problem::{Problem, ProblemKind};
use super::sources::receive;
use super::targets;
use super::{
    access_calls, batch, exposition, facts, failures, health, lease, operate, records, stats_stream, submit, ui,
};
use crate::runtime::Eventful;

/// The calls of the front, to be served alone or as a part of another router.
///
/// Hosts are checked when [`Limits::allowed_hosts`](super::Limits::allowed_hosts) names any: a router does not know where it is bound. Connections
/// are not its own either, so of the limits those of [`serve`](super::serve) alone do nothing here, and no proxy is believed
/// ([`FrontConfig::trusted_proxies`]): it does not know who calls.
pub fn router(eventful: Eventful, config: impl Into<FrontConfig>) -> Router {
    let config = config.into();
    // Without a listener of its own the router does not know at which address it is served.
    // In front of all routes, so that a refused caller does not learn which exist.
    let door = config.door(None);
    all(Arc::new(Front::new(eventful, config))).layer(from_fn_with_state(Arc::new(door), guard))
}

/// All calls.
pub(super) fn all(front: Arc<Front>) -> Router {
    let page = if front.has_page { ui::routes() } else { Router::new() };
    Router::new()
        .merge(page)
        .route("/v1/events", post(submit::submit).get(records::list))
        // An event may be called `batch` too.
        .route("/v1/events/batch", post(batch::submit).get(records::get_batch).delete(operate::discard_batch))
        .route("/v1/events/{id}", get(records::get).delete(operate::discard))
        .route("/v1/events/{id}/redrive", post(operate::redrive))
        // An id may be one that no path can carry.
        .route("/v1/event", get(records::get_by_query).delete(operate::discard_by_query))
        .route("/v1/event/redrive", post(operate::redrive_by_query))
        .route("/v1/failures", get(failures::list))
        .route("/v1/lease", post(lease::lease))
        .route("/v1/runs/{run}/extend", post(lease::extend))
        .route("/v1/runs/{run}/settle", post(lease::settle))
        .route("/v1/facts", get(facts::facts))
        .route("/in/{source}", post(receive::receive).get(receive::challenge))
        .route("/v1/redrive", post(operate::redrive_all))
        .route("/v1/discard", post(operate::discard_all))
        .route("/v1/pause", post(operate::pause))
        .route("/v1/resume", post(operate::resume))
        .route("/v1/targets", get(targets::calls::list))
        .route("/v1/targets/{name}/close", post(targets::calls::close))
        .route("/v1/access", get(access_calls::show))
        .route("/v1/stats", get(stats_stream::stats))
        .route("/metrics", get(exposition::metrics))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/openapi.json", get(openapi))
        .fallback(async || Problem::new(ProblemKind::NotFound, "no such call: GET /openapi.json lists all"))
        .method_not_allowed_fallback(async || {
            Problem::new(ProblemKind::MethodNotAllowed, "the Allow header lists the methods")
        })
        .with_state(front)
}

/// The calls for health, which are served when there are too many connections for others.
pub(super) fn health_only(front: Arc<Front>) -> Router {
    let limit = front.limits.max_connections;
    // Probes must succeed while all connections are taken: that is what they ask.
    Router::new()
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .fallback(async move || Problem::no_connection(limit))
        .with_state(front)
}

async fn guard(State(door): State<Arc<Door>>, mut request: Request, next: Next) -> Response {
    match door.admit(None, &mut request) {
        Ok(guest) => guest.see_off(next.run(request).await),
        Err(response) => *response,
    }
}

async fn openapi() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], include_str!("openapi.json"))
}
