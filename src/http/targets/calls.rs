//! The calls for targets.

use std::string::String;
use std::sync::Arc;
use std::vec::Vec;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};

use super::registry::TargetState;
use crate::http::front::Front;
use crate::http::problem::{Problem, ProblemKind};
use crate::http::query;
use crate::http::taken::json;
use crate::texts::rfc3339::Rfc3339;

#[derive(Serialize)]
struct TargetsBody {
    targets: Vec<TargetBody>,
}

#[derive(Serialize)]
struct TargetBody {
    name: String,
    circuit: &'static str,
    running: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    concurrency: Option<usize>,
    failures: u32,
    opened: u64,
    waits: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    open_since: Option<Rfc3339>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_probe: Option<Rfc3339>,
    #[serde(skip_serializing_if = "String::is_empty")]
    last_error: String,
}

impl From<TargetState> for TargetBody {
    fn from(state: TargetState) -> Self {
        Self {
            name: state.name,
            circuit: if state.open_since.is_some() { "open" } else { "closed" },
            running: state.running,
            concurrency: state.concurrency.map(usize::from),
            failures: state.failures,
            opened: state.opened,
            waits: state.waits,
            open_since: state.open_since.map(Rfc3339),
            next_probe: state.next_probe.map(Rfc3339),
            last_error: state.last_error,
        }
    }
}

/// `GET /v1/targets`
pub(in crate::http) async fn list(
    State(front): State<Arc<Front>>,
    RawQuery(query): RawQuery,
) -> Result<impl IntoResponse, Problem> {
    query::parse(query.as_deref(), [])?;
    let states = front.targets.iter().flat_map(|targets| targets.states());
    let body = TargetsBody { targets: states.map(TargetBody::from).collect() };
    Ok(([(CONTENT_TYPE, "application/json")], json(&body)))
}

/// The parameters of the path, by their names: an outer router may have more of them.
#[derive(Deserialize)]
pub(in crate::http) struct InTargetPath {
    name: String,
}

type TargetName = Result<Path<InTargetPath>, PathRejection>;

/// `POST /v1/targets/{name}/close`
pub(in crate::http) async fn close(
    State(front): State<Arc<Front>>,
    name: TargetName,
    RawQuery(query): RawQuery,
) -> Result<StatusCode, Problem> {
    query::parse(query.as_deref(), [])?;
    // One that is no UTF-8 is the name of no target.
    let name = name.map_or_else(|_| String::new(), |Path(InTargetPath { name })| name);
    match front.targets.as_ref().and_then(|targets| targets.close(&name)) {
        Some(_) => Ok(StatusCode::NO_CONTENT),
        None => Err(Problem::new(ProblemKind::NotFound, "there is no such target: GET /v1/targets lists all")),
    }
}
