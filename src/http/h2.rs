//! Connections of HTTP/2.

use core::convert::Infallible;
use core::future::Future;
use core::pin::{Pin, pin};
use core::time::Duration;
use std::boxed::Box;
use std::sync::Arc;

use axum::response::{IntoResponse as _, Response};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http2;
use hyper::service::Service;
use hyper::{Request, http};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};

use super::budget::Share;
use super::calls::ConnectionCalls;
use super::problem::Problem;
use super::streams::{GiveUp, OpenStreams, WatchedBody};

/// Requests that one client may have open on one connection: as many as most clients assume, and RFC 9113, section 6.5.2,
/// gives as the least.
const STREAMS: u32 = 100;

/// Requests that a client may have reset before they were served. With more, it does nothing but reset (CVE-2023-44487),
/// and the connection ends.
const RESETS: usize = 20;

/// Bytes that a client may send of one request, and of all on its connection, before they are read: what an event of the
/// default limit and a batch fill in one round trip of 10 ms at 1 Gbit/s.
const STREAM_WINDOW_BYTES: u32 = 256 << 10;
const CONNECTION_WINDOW_BYTES: u32 = 1 << 20;

/// Bytes of a response that no budget is asked for: most are far shorter, and all that a connection may have open are few MB.
const SMALL_BYTES: usize = 64 << 10;

/// The limits of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct H2Limits {
    /// The longest time without an open request.
    pub(super) idle: Duration,
    /// The longest time for which a client takes nothing of a response.
    pub(super) unread: Duration,
    /// The longest time that open requests may take when it is given up.
    pub(super) grace: Duration,
    /// Bytes of the head of a request.
    pub(super) head_bytes: usize,
    /// True if the connection ends with its first request: a probe asks once, and one that is kept would hold the reserve.
    pub(super) is_for_one: bool,
}

/// Serves a connection until it ends, is given up, or the server closes.
pub(super) async fn serve(
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    calls: ConnectionCalls,
    limits: H2Limits,
    closed: impl Future<Output = ()>,
) -> hyper::Result<()> {
    let streams = OpenStreams::new();
    let mut h2 = http2::Builder::new(TokioExecutor::new());
    h2.max_concurrent_streams(STREAMS).max_pending_accept_reset_streams(RESETS);
    h2.initial_stream_window_size(STREAM_WINDOW_BYTES).initial_connection_window_size(CONNECTION_WINDOW_BYTES);
    h2.max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX));
    h2.max_send_buf_size(limits.head_bytes);
    let mut connection = pin!(h2.serve_connection(TokioIo::new(io), WatchedCalls { calls, streams: streams.clone() }));
    let why = tokio::select! {
        biased;
        ended = &mut connection => return ended,
        why = streams.give_up(limits.idle, limits.unread) => Some(why),
        () = streams.first_end(), if limits.is_for_one => Some(GiveUp::Idle),
        () = closed => None,
    };
    // Not gracefully: what would have to end first is what the client does not take.
    if why == Some(GiveUp::Unread) {
        return Ok(());
    }
    connection.as_mut().graceful_shutdown();
    match why {
        // A client that still sends half a request, or takes nothing, is cut.
        Some(_) => tokio::time::timeout(limits.grace, connection).await.unwrap_or(Ok(())),
        // The server cuts what takes longer than its grace.
        None => tokio::select! {
            biased;
            ended = &mut connection => ended,
            _ = streams.give_up(limits.idle, limits.unread) => Ok(()),
        },
    }
}

/// The calls of a connection, each of which is watched.
#[derive(Debug)]
struct WatchedCalls {
    calls: ConnectionCalls,
    streams: OpenStreams,
}

impl Service<Request<Incoming>> for WatchedCalls {
    type Response = http::Response<WatchedBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (stream, answer) = (self.streams.open(), self.calls.call(request));
        let share = self.calls.front.as_ref().map(|front| Arc::clone(&front.budget).share());
        Box::pin(async move {
            let (response, share) = held(answer.await?, share);
            Ok(response.map(|body| WatchedBody::new(body, stream, share)))
        })
    }
}

/// Takes a large response from the budget, as a client may have a hundred of them open; 503 when it does not fit.
fn held(response: Response, share: Option<Share>) -> (Response, Option<Share>) {
    let bytes = response.body().size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0);
    let Some(mut share) = share.filter(|_| bytes > SMALL_BYTES) else { return (response, None) };
    if share.hold(bytes) {
        return (response, Some(share));
    }
    (Problem::crowded(share.total()).into_response(), None)
}
