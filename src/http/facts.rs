//! Facts as they happen, as server-sent events.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::boxed::Box;
use std::sync::Arc;

use axum::body::{Body, HttpBody};
use axum::extract::{RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body::Frame;

use super::fact_log::{FactCursor, Follower};
use super::front::Front;
use super::problem::Problem;
use super::query;

/// The time without facts after which something is sent nevertheless: proxies, and the server itself, cut a connection on
/// which nothing happens for 30 s and more.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// `GET /v1/facts`: from now on, or from after the fact that a cursor names.
pub(super) async fn facts(
    State(front): State<Arc<Front>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let [after] = query::parse(query.as_deref(), ["after"])?;
    // A browser that connects again sends what it has seen, and the query of the first time.
    let seen = headers.get(LAST_EVENT_ID).map(|value| value.to_str().unwrap_or_default().into());
    let from = seen.or(after).map(|text| FactCursor::parse(&text).ok_or_else(|| no_cursor(&text))).transpose()?;
    let follower = front.facts.follow(&front.eventful, from)?;
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")];
    Ok((headers, Body::new(FactStream { next: next(follower) })).into_response())
}

fn no_cursor(text: &str) -> Problem {
    Problem::invalid(std::format!("{text:?} is no cursor: give the id of the last fact that you have seen, or none"))
}

type NextPart = Pin<Box<dyn Future<Output = Option<(Bytes, Follower)>> + Send>>;

fn next(mut follower: Follower) -> NextPart {
    Box::pin(async move {
        let part = match tokio::time::timeout(KEEP_ALIVE, follower.next()).await {
            Ok(part) => part?,
            Err(_) => Bytes::from_static(b": no facts\n\n"),
        };
        Some((part, follower))
    })
}

/// Facts as the body of a response.
struct FactStream {
    next: NextPart,
}

impl HttpBody for FactStream {
    type Data = Bytes;
    type Error = core::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Some((part, follower)) = ready!(self.next.as_mut().poll(cx)) else {
            self.next = Box::pin(async { None });
            return Poll::Ready(None);
        };
        self.next = self::next(follower);
        Poll::Ready(Some(Ok(Frame::data(part))))
    }
}
