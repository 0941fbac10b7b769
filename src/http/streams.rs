//! The requests that are open on one connection of HTTP/2, and when to give it up.

use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::{self, Instant};

use super::timeouts::now;

/// The open requests of a connection, and how long each has waited for its client.
///
/// A connection of HTTP/2 has no head that it waits for, and a client that grants no window leaves nothing to be written:
/// neither the timeout of heads nor that of writes comes. This is in their place.
#[derive(Debug, Clone)]
pub(super) struct OpenStreams(Arc<Mutex<Streams>>);

#[derive(Debug)]
struct Streams {
    next: u64,
    /// The time from which the client has not taken the last part of a response; none while it waits for us.
    open: BTreeMap<u64, Option<Instant>>,
    /// The time at which the last request ended.
    idle_since: Instant,
}

/// The reason why a connection is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GiveUp {
    /// No request has been open for long.
    Idle,
    /// The client does not take a response.
    Unread,
}

impl OpenStreams {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Streams { next: 0, open: BTreeMap::new(), idle_since: now() })))
    }

    /// Adds a request. It is open until what this returns is dropped.
    pub(super) fn open(&self) -> OpenStream {
        let mut streams = self.lock();
        let number = streams.next;
        streams.next += 1;
        streams.open.insert(number, None);
        OpenStream { number, streams: self.clone() }
    }

    /// Waits until the connection is to be given up.
    pub(super) async fn give_up(&self, idle: Duration, unread: Duration) -> GiveUp {
        loop {
            let (at, why) = self.due(idle, unread);
            let Some(at) = at else { return core::future::pending().await };
            if at <= now() {
                return why;
            }
            time::sleep_until(at).await;
        }
    }

    /// The earliest time at which it can be given up, as far as can be known now. Later changes only make it later, or
    /// come with a wait that begins now.
    fn due(&self, idle: Duration, unread: Duration) -> (Option<Instant>, GiveUp) {
        let streams = self.lock();
        if streams.open.is_empty() {
            return (streams.idle_since.checked_add(idle), GiveUp::Idle);
        }
        let oldest = streams.open.values().flatten().min();
        (oldest.copied().unwrap_or_else(now).checked_add(unread), GiveUp::Unread)
    }

    fn lock(&self) -> MutexGuard<'_, Streams> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is open.
#[derive(Debug)]
pub(super) struct OpenStream {
    number: u64,
    streams: OpenStreams,
}

impl OpenStream {
    fn set(&self, unread_since: Option<Instant>) {
        if let Some(state) = self.streams.lock().open.get_mut(&self.number) {
            *state = unread_since;
        }
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut streams = self.streams.lock();
        streams.open.remove(&self.number);
        if streams.open.is_empty() {
            streams.idle_since = now();
        }
    }
}

/// The body of a response, which is asked for its next part when the client has room for it.
#[derive(Debug)]
pub(super) struct WatchedBody {
    body: Body,
    stream: OpenStream,
}

impl WatchedBody {
    pub(super) fn new(body: Body, stream: OpenStream) -> Self {
        stream.set(Some(now()));
        Self { body, stream }
    }
}

impl HttpBody for WatchedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        self.stream.set(polled.is_ready().then(now));
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::future::poll_fn;

    const SECOND: Duration = Duration::from_secs(1);

    async fn given_up(streams: &OpenStreams) -> (GiveUp, Duration) {
        let begin = now();
        (streams.give_up(SECOND * 10, SECOND * 3).await, begin.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn connection_without_requests_is_given_up_after_its_last_one() {
        let streams = OpenStreams::new();
        let open = streams.open();
        time::sleep(SECOND * 60).await;
        drop(open);
        let (why, took) = given_up(&streams).await;
        assert!(why == GiveUp::Idle && took >= SECOND * 10 && took < SECOND * 11, "{why:?} {took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn connection_whose_client_takes_no_response_is_given_up() {
        let streams = OpenStreams::new();
        let (_works, unread) = (streams.open(), streams.open());
        let mut body = WatchedBody::new(Body::from("abc"), unread);
        time::sleep(SECOND * 2).await;
        let frame = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
        assert!(frame.is_some_and(|frame| frame.is_ok()));
        let (why, took) = given_up(&streams).await;
        assert!(why == GiveUp::Unread && took >= SECOND * 3 && took < SECOND * 4, "{why:?} {took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn connection_whose_call_takes_its_time_is_kept() {
        let streams = OpenStreams::new();
        let _works = streams.open();
        let kept = time::timeout(SECOND * 600, given_up(&streams)).await;
        assert!(kept.is_err());
    }
}
