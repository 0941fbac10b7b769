//! The accept loop.

use core::future::{Future, poll_fn};
use core::pin::pin;
use core::time::Duration;
use std::sync::Arc;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use super::limits::Limits;
use super::listener::Listener;
use super::routes::router;
use super::stall::Cut;
use crate::runtime::Eventful;

/// What is buffered of a connection in each direction; the head of a request must fit in.
const BUFFER_BYTES: usize = 64 << 10;

/// How long, and for how many bytes, what a client still sends is read away before its connection ends.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: u64 = 4 << 20;

/// How long to wait after the operating system refused to give a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves HTTP/1.1 until `stop` resolves; then takes no more connections, lets open requests end
/// for `close_grace`, and returns.
///
/// Shut the engine down first: meanwhile `/readyz` says so, and senders get an answer.
pub async fn serve<L: Listener>(mut listener: L, eventful: Eventful, limits: Limits, stop: impl Future<Output = ()>) {
    let server = Server::new(eventful, &limits);
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            Some(_) = connections.join_next() => {}
            accepted = server.accept(&mut listener) => {
                connections.extend(accepted.map(|(io, slot)| server.connection(io, slot)));
            }
        }
    }
    drop(listener);
    server.closing.close();
    let ended = async { while connections.join_next().await.is_some() {} };
    // What has not ended by then is cut when the set is dropped.
    let _cut = tokio::time::timeout(limits.close_grace, ended).await;
}

struct Server {
    router: Router,
    http: http1::Builder,
    write_timeout: Duration,
    slots: Arc<Semaphore>,
    /// Has no permits. It is closed when the server stops, which wakes all that wait for one.
    closing: Arc<Semaphore>,
}

impl Server {
    fn new(eventful: Eventful, limits: &Limits) -> Self {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(limits.header_timeout).max_buf_size(BUFFER_BYTES);
        Self {
            router: router(eventful, limits),
            http,
            write_timeout: limits.write_timeout,
            slots: Arc::new(Semaphore::new(limits.max_connections.clamp(1, Semaphore::MAX_PERMITS))),
            closing: Arc::new(Semaphore::new(0)),
        }
    }

    /// A slot, then a connection for it; none when the operating system has none to give.
    async fn accept<L: Listener>(&self, listener: &mut L) -> Option<(L::Io, OwnedSemaphorePermit)> {
        let slot = Arc::clone(&self.slots).acquire_owned().await.ok()?;
        match listener.accept().await {
            Ok(io) => Some((io, slot)),
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                None
            }
        }
    }

    fn connection<Io>(&self, io: Io, slot: OwnedSemaphorePermit) -> impl Future<Output = ()> + Send + 'static
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let io = TokioIo::new(Cut::new(io, self.write_timeout));
        let mut connection = self.http.serve_connection(io, TowerToHyperService::new(self.router.clone()));
        let closing = Arc::clone(&self.closing);
        async move {
            let ended = tokio::select! {
                biased;
                ended = poll_fn(|cx| connection.poll_without_shutdown(cx)) => {
                    linger(connection.into_parts().io.into_inner()).await;
                    ended
                }
                _ = closing.acquire() => {
                    let mut connection = pin!(connection);
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(slot);
        }
    }
}

/// Reads away what the client still sends, for a while. A connection that is closed with something
/// unread is reset, and the client may never see why its request was refused.
async fn linger(mut io: impl AsyncRead + AsyncWrite + Unpin) {
    let read_away = async {
        io.shutdown().await?;
        tokio::io::copy(&mut io.take(LINGER_BYTES), &mut tokio::io::sink()).await
    };
    // Whatever comes of it, the connection is over.
    let _read = tokio::time::timeout(LINGER, read_away).await;
}
