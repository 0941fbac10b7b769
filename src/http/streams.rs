//! The requests that are open on one connection of HTTP/2, and when to give it up.

use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::{Body, HttpBody};
use bytes::{Buf, Bytes};
use http_body::{Frame, SizeHint};
use tokio::sync::Notify;
use tokio::time::{self, Instant};

use super::budget::Share;
use super::timeouts::now;

/// The open requests of a connection, and how long each has waited for its client.
///
/// A connection of HTTP/2 has no head that it waits for, and a client that grants no window leaves nothing to be written:
/// neither the timeout of heads nor that of writes comes. This is in their place.
#[derive(Debug, Clone)]
pub(super) struct OpenStreams(Arc<(Mutex<Streams>, Notify)>);

#[derive(Debug)]
struct Streams {
    next: u64,
    open: BTreeMap<u64, StreamState>,
    /// The time at which the last request ended.
    idle_since: Instant,
    /// The number of requests that have ended.
    ended: u64,
}

/// The state of an open request.
#[derive(Debug)]
struct StreamState {
    /// True while the client waits for us: for the response, or for its next part.
    is_ours: bool,
    /// Bytes of the response that the connection has, and the client has not taken.
    held: usize,
    /// The time at which the client has last taken something, or could.
    since: Instant,
}

impl StreamState {
    /// The time from which the client has taken nothing; none while it waits for us.
    fn unread_since(&self) -> Option<Instant> {
        (self.held > 0 || !self.is_ours).then_some(self.since)
    }
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
        let streams = Streams { next: 0, open: BTreeMap::new(), idle_since: now(), ended: 0 };
        Self(Arc::new((Mutex::new(streams), Notify::new())))
    }

    /// Adds a request. It is open until what this returns is dropped.
    pub(super) fn open(&self) -> OpenStream {
        let mut streams = self.lock();
        let number = streams.next;
        streams.next += 1;
        streams.open.insert(number, StreamState { is_ours: true, held: 0, since: now() });
        OpenStream { number, streams: self.clone() }
    }

    /// Waits until a request has ended.
    pub(super) async fn first_end(&self) {
        // Created before the check, so that no end between them is missed.
        let notified = self.0.1.notified();
        if self.lock().ended == 0 {
            notified.await;
        }
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
        let oldest = streams.open.values().filter_map(StreamState::unread_since).min();
        // While each stream waits for the server, no client is late: checked again after a whole `unread`.
        (oldest.unwrap_or_else(now).checked_add(unread), GiveUp::Unread)
    }

    fn lock(&self) -> MutexGuard<'_, Streams> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is open.
#[derive(Debug)]
pub(super) struct OpenStream {
    number: u64,
    streams: OpenStreams,
}

impl OpenStream {
    fn change(&self, change: impl FnOnce(&mut StreamState)) {
        if let Some(state) = self.streams.lock().open.get_mut(&self.number) {
            change(state);
        }
    }

    /// Notes that so many bytes were given to the connection.
    fn give(&self, bytes: usize) {
        self.change(|state| (state.is_ours, state.held, state.since) = (false, state.held + bytes, now()));
    }

    /// Notes that the client takes so many bytes.
    fn take(&self, bytes: usize) {
        self.change(|state| (state.held, state.since) = (state.held.saturating_sub(bytes), now()));
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut streams = self.streams.lock();
        streams.open.remove(&self.number);
        streams.ended += 1;
        if streams.open.is_empty() {
            streams.idle_since = now();
        }
        // Unlocked first, as the task that is woken takes the lock at once.
        drop(streams);
        self.streams.0.1.notify_one();
    }
}

/// The body of a response, whose request is open until the client has taken all of it.
///
/// A connection takes a part whole as soon as the client has room for one byte of it. So it is the part that counts what
/// the client takes, and that keeps the request open.
#[derive(Debug)]
pub(super) struct WatchedBody {
    body: Body,
    held: Arc<HeldResponse>,
}

/// A response on its way, with what it takes of the budget.
#[derive(Debug)]
struct HeldResponse {
    stream: OpenStream,
    _share: Option<Share>,
}

/// A part of a response.
#[derive(Debug)]
pub(super) struct WatchedPart {
    bytes: Bytes,
    held: Arc<HeldResponse>,
}

impl WatchedBody {
    pub(super) fn new(body: Body, stream: OpenStream, share: Option<Share>) -> Self {
        // The response is there: from now on it is the client that is waited for.
        stream.give(0);
        Self { body, held: Arc::new(HeldResponse { stream, _share: share }) }
    }
}

impl HttpBody for WatchedBody {
    type Data = WatchedPart;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = &mut *self;
        let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) else {
            // The rest is to come from the server, so the client is not slow.
            this.held.stream.change(|state| state.is_ours = true);
            return Poll::Pending;
        };
        let held = &this.held;
        let watched = |frame: Frame<Bytes>| {
            frame.map_data(|bytes| {
                held.stream.give(bytes.len());
                WatchedPart { bytes, held: Arc::clone(held) }
            })
        };
        Poll::Ready(frame.map(|frame| frame.map(watched)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Buf for WatchedPart {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, bytes: usize) {
        self.bytes.advance(bytes);
        self.held.stream.take(bytes);
    }
}

impl Drop for WatchedPart {
    fn drop(&mut self) {
        // Its stream was reset before all of it was taken.
        self.held.stream.take(self.bytes.len());
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

    async fn part(body: &mut WatchedBody) -> WatchedPart {
        let frame = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await.expect("a part").expect("no error");
        frame.into_data().expect("data")
    }

    #[tokio::test(start_paused = true)]
    async fn connection_whose_client_takes_no_response_is_given_up() {
        let streams = OpenStreams::new();
        let (_works, unread) = (streams.open(), streams.open());
        let mut body = WatchedBody::new(Body::from("abc"), unread, None);
        time::sleep(SECOND * 2).await;
        let mut part = part(&mut body).await;
        // The connection has all of it, and the client takes a byte, and then no more.
        drop(body);
        time::sleep(SECOND * 2).await;
        part.advance(1);
        let (why, took) = given_up(&streams).await;
        assert!(why == GiveUp::Unread && took >= SECOND * 3 && took < SECOND * 4, "{why:?} {took:?}");
        drop(part);
    }

    #[tokio::test(start_paused = true)]
    async fn request_ends_with_the_last_byte_that_its_client_takes() {
        let streams = OpenStreams::new();
        let mut body = WatchedBody::new(Body::from("abc"), streams.open(), None);
        let mut part = part(&mut body).await;
        drop(body);
        for _ in 0..3 {
            time::sleep(SECOND * 2).await;
            assert!(time::timeout(SECOND / 2, given_up(&streams)).await.is_err(), "it takes some");
            part.advance(1);
        }
        drop(part);
        streams.first_end().await;
        let (why, took) = given_up(&streams).await;
        assert!(why == GiveUp::Idle && took >= SECOND * 10, "{why:?} {took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn connection_that_has_nothing_to_send_is_kept() {
        let streams = OpenStreams::new();
        let mut body = WatchedBody::new(Body::new(Silent), streams.open(), None);
        let polled = poll_fn(|cx| Poll::Ready(Pin::new(&mut body).poll_frame(cx))).await;
        assert!(polled.is_pending());
        assert!(time::timeout(SECOND * 600, given_up(&streams)).await.is_err());
    }

    /// A body whose next part does not come.
    struct Silent;

    impl HttpBody for Silent {
        type Data = Bytes;
        type Error = core::convert::Infallible;

        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            Poll::Pending
        }
    }

    #[tokio::test(start_paused = true)]
    async fn connection_whose_call_takes_its_time_is_kept() {
        let streams = OpenStreams::new();
        let _works = streams.open();
        let kept = time::timeout(SECOND * 600, given_up(&streams)).await;
        assert!(kept.is_err());
    }
}
