//! Flow control with small buffers: a side that does not read blocks the side that writes.
//!
//! The simulated network counts segments, each with any number of bytes. A [`FlowWindow`] counts bytes, as a real
//! kernel does.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil::net::TcpStream;

/// The windows of all connections, by the client's address.
#[derive(Debug, Default)]
pub(super) struct Windows(Mutex<BTreeMap<SocketAddr, Arc<FlowWindow>>>);

impl Windows {
    pub(super) fn of(&self, client: SocketAddr) -> Arc<FlowWindow> {
        Arc::clone(lock(&self.0).entry(client).or_default())
    }
}

/// The number of bytes in flight, in each direction. Without a limit at first.
#[derive(Debug, Default)]
pub(super) struct FlowWindow {
    pub(super) to_server: Flow,
    pub(super) to_client: Flow,
}

/// One direction of a connection.
#[derive(Debug, Default)]
pub(super) struct Flow(Mutex<WindowState>);

#[derive(Debug, Default)]
struct WindowState {
    limit: Option<usize>,
    on_their_way: usize,
    writer: Option<Waker>,
}

impl Flow {
    /// Sets or removes the limit.
    pub(super) fn limit(&self, bytes: Option<usize>) {
        let mut state = lock(&self.0);
        state.limit = bytes;
        state.wake();
    }

    /// Returns the number of bytes that may be written now, as soon as there are any.
    pub(super) async fn room(&self) -> usize {
        poll_fn(|cx| self.poll_room(cx)).await
    }

    fn poll_room(&self, cx: &Context<'_>) -> Poll<usize> {
        let mut state = lock(&self.0);
        let Some(limit) = state.limit else { return Poll::Ready(usize::MAX) };
        if state.on_their_way < limit {
            return Poll::Ready(limit - state.on_their_way);
        }
        state.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(super) fn wrote(&self, bytes: usize) {
        lock(&self.0).on_their_way += bytes;
    }

    pub(super) fn read(&self, bytes: usize) {
        let mut state = lock(&self.0);
        state.on_their_way = state.on_their_way.saturating_sub(bytes);
        state.wake();
    }
}

impl WindowState {
    fn wake(&mut self) {
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
    }
}

/// The server's end of a connection.
#[derive(Debug)]
pub(super) struct Narrow {
    stream: TcpStream,
    window: Arc<FlowWindow>,
}

impl Narrow {
    pub(super) const fn new(stream: TcpStream, window: Arc<FlowWindow>) -> Self {
        Self { stream, window }
    }
}

impl AsyncRead for Narrow {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.window.to_server.read(buf.filled().len() - before);
        read
    }
}

impl AsyncWrite for Narrow {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let room = ready!(self.window.to_client.poll_room(cx)).min(buf.len());
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &buf[..room]))?;
        self.window.to_client.wrote(written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
