//! The spans of requests that bring events, for a system that collects them.

use core::fmt::Debug;
use std::boxed::Box;

use axum::http::{HeaderMap, Method, Request, StatusCode};

/// A tracer of requests that bring events: `POST /v1/events`, `POST /v1/events/batch` and `POST /in/NAME`.
///
/// Calls that only read or operate have no spans, as probes and scrapers make most of them. Spans of attempts are the
/// business of a handler, which finds the context of its event's request among the attributes of the event.
pub trait RequestTracer: Debug + Send + Sync {
    /// Begins the span of a request, after the checks of host, site and token.
    ///
    /// `headers` may have the context of the sender, as `traceparent`. The one that is there afterwards is kept with the
    /// events of the request, and sent with their deliveries.
    fn begin(&self, route: RequestRoute, headers: &mut HeaderMap) -> Box<dyn RequestSpan>;
}

/// The span of a request. Dropped before its end, as when the client goes away, it has no response.
pub trait RequestSpan: Send {
    /// Ends it, with the status of the response.
    fn end(self: Box<Self>, status: StatusCode);
}

/// A route of requests that bring events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RequestRoute {
    /// One event.
    Event,
    /// A line for each event.
    Batch,
    /// The webhook of a source.
    Source,
}

impl RequestRoute {
    /// Returns the route of a request that brings events.
    pub(super) fn of<B>(request: &Request<B>) -> Option<Self> {
        match (request.method(), request.uri().path()) {
            (&Method::POST, "/v1/events") => Some(Self::Event),
            (&Method::POST, "/v1/events/batch") => Some(Self::Batch),
            (&Method::POST, path) if path.starts_with("/in/") => Some(Self::Source),
            _ => None,
        }
    }

    /// Returns its path, as the API's description has it.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Event => "/v1/events",
            Self::Batch => "/v1/events/batch",
            Self::Source => "/in/{source}",
        }
    }
}
