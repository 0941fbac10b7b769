//! `/in/{source}`

use std::format;
use std::string::String;
use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{OriginalUri, Path, Request, State};
use axum::http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode, request};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use serde::Deserialize;

use super::pick::ReceivedRequest;
use super::source::Source;
use super::verify::Unverified;
use crate::engine::{Event, Key};
use crate::http::front::Front;
use crate::http::problem::{Problem, ProblemKind};
use crate::http::timeouts::Timeouts;
use crate::http::{body, coding, query, request_trace, taken};
use crate::node::{SubmitError, Submitted};

/// The name in the path. A router around this one may take parameters of its own.
#[derive(Debug, Deserialize)]
pub(in crate::http) struct SourceInPath {
    source: String,
}

type SourceName = Result<Path<SourceInPath>, PathRejection>;

/// `POST /in/{source}`
pub(in crate::http) async fn receive(
    State(front): State<Arc<Front>>,
    name: SourceName,
    OriginalUri(uri): OriginalUri,
    request: Request,
) -> Response {
    let source = match front.source(name) {
        Ok(source) => source,
        Err(problem) => return problem.into_response(),
    };
    let (mut head, body) = request.into_parts();
    // As the sender has it: a router around this one takes its prefix away, and the whole URL may be signed.
    head.uri = uri;
    let body = match front.body_of(source, &head, body).await {
        Ok(body) => body,
        Err(problem) => return front.refused(problem),
    };
    let request = ReceivedRequest { uri: &head.uri, headers: &head.headers, body: &body };
    // Before anything of the request is used, and before the store is asked.
    if let Err(why) = source.verify(&request, front.eventful.wall()) {
        return unverified(&front, source, &why);
    }
    // Slack sends its challenge as a signed request, in the place of an event.
    if let Some(challenge) = source.slack_challenge(&request) {
        return ([(CONTENT_TYPE, "text/plain; charset=utf-8")], challenge).into_response();
    }
    let encoding = coding::content(&head.headers);
    let event = encoding
        .and_then(|encoding| source.event(&request, body.clone(), encoding.as_deref()).map_err(Problem::invalid));
    drop(body);
    match event {
        Ok(event) => front.take(source, &head, event).await,
        Err(problem) => front.refused(problem),
    }
}

/// `GET /in/{source}`: Meta's question whether this is the server that was configured there.
pub(in crate::http) async fn challenge(
    State(front): State<Arc<Front>>,
    name: SourceName,
    OriginalUri(uri): OriginalUri,
) -> Result<impl axum::response::IntoResponse, Problem> {
    let source = front.source(name)?;
    let [mode, challenge, token] = query::parse(uri.query(), ["hub.mode", "hub.challenge", "hub.verify_token"])?;
    let asks = mode.as_deref() == Some("subscribe") && source.is_token(token.as_deref().unwrap_or_default());
    match challenge {
        Some(challenge) if asks => Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], challenge)),
        _ => Err(Problem::new(ProblemKind::Unverified, "hub.verify_token is not the configured one: compare both")),
    }
}

fn unverified(front: &Front, source: &Source, why: &Unverified) -> Response {
    // Only at debug level: anyone can send requests with a wrong signature.
    tracing::debug!(source = source.name(), %why, "a request is not from its sender");
    let mut response = front.refused(Problem::new(ProblemKind::Unverified, why));
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(source.challenge()));
    response
}

impl Front {
    fn source(&self, name: SourceName) -> Result<&Source, Problem> {
        let found = name.ok().and_then(|Path(SourceInPath { source })| self.sources.get(&source));
        found
            .ok_or_else(|| Problem::new(ProblemKind::NotFound, "there is no such source: name it in the configuration"))
    }

    async fn body_of(&self, source: &Source, head: &request::Parts, body: axum::body::Body) -> Result<Bytes, Problem> {
        // A signature, or an id in the body, can only be read from the plain bytes.
        if source.reads_body() {
            coding::refuse_content(&head.headers)?;
        }
        let limit = source.max_body_bytes().map_or(self.most_bytes(), |limit| limit.min(self.most_bytes()));
        let timeouts = Timeouts::default();
        let whole = body::read(body, limit, (self.limits.body_timeout, &timeouts), &self.budget).await;
        whole.map_err(|problem| problem.unwrap_or_else(|| Problem::too_large(limit).closing()))
    }

    /// Submits an event, and responds as its sender expects.
    async fn take(&self, source: &Source, head: &request::Parts, event: Event) -> Response {
        let respond = |key: &Key, submitted: &Submitted| {
            if source.success() == StatusCode::NO_CONTENT {
                return StatusCode::NO_CONTENT.into_response();
            }
            let place = format!("/in/{}", source.name());
            let prefix = head.uri.path().strip_suffix(&*place).unwrap_or_default();
            let mut response = taken::answer(prefix, key, submitted);
            *response.status_mut() = source.success();
            response
        };
        let event = request_trace::with_trace(event, &head.headers);
        let (key, kept) = (event.key().clone(), source.quarantines().then(|| event.clone()));
        match (self.eventful.try_submit(event).await, kept) {
            (Ok(submitted), _) => respond(&key, &submitted),
            // Kept under an id of its own, so that an operator can decide and the sender stops repeating it.
            (Err(SubmitError::Conflict(conflict)), Some(event)) => {
                let Ok(event) = source.quarantined(&event) else {
                    return Problem::from(SubmitError::Conflict(conflict)).into_response();
                };
                let key = event.key().clone();
                match self.eventful.try_submit(event).await {
                    Ok(submitted) => {
                        tracing::warn!(%key, stored = %conflict.stored, "another payload came under a known id");
                        respond(&key, &submitted)
                    }
                    Err(error) => Problem::from(error).into_response(),
                }
            }
            (Err(error), _) => Problem::from(error).into_response(),
        }
    }

    /// Counts a request that makes no event, and responds.
    fn refused(&self, problem: Problem) -> Response {
        self.eventful.reject(problem.rejection());
        problem.into_response()
    }
}
