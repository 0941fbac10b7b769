//! The accept loop.

use core::future::{Future, poll_fn};
use core::net::{IpAddr, SocketAddr};
use core::pin::pin;
use core::task::{Poll, Waker};
use core::time::Duration;
use std::sync::Arc;
use std::vec;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use super::calls::ConnectionCalls;
use super::door::Door;
use super::front::Front;
use super::front_config::FrontConfig;
use super::h2::{self, H2Limits};
use super::limits::Limits;
use super::listener::Listener;
use super::preface::{self, Spoken};
use super::routes;
use super::stall::StallCut;
use super::timeouts::Timeouts;
use crate::runtime::Eventful;

/// The smallest buffer of a connection: hyper panics below 8 KiB, so a smaller setting is raised.
const LEAST_BUFFER_BYTES: usize = 8 << 10;

/// Bytes that are read and dropped on a connection for probes, which send nothing that would have to be.
const PROBE_LINGER_BYTES: u64 = 64 << 10;

/// The longest time in which nothing comes of what a client still sends, before its connection ends, and the most
/// bytes that are read and dropped meanwhile. The bound is for clients that never end: most send all of a request
/// that was refused.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: u64 = 256 << 20;

/// The longest time that the head of a request may take on a connection that is there for probes: these are sent from
/// nearby.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// The pause after the operating system refused to give a connection: it has no descriptors, and trying at once again
/// would keep a core busy.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves HTTP/1.1 and HTTP/2 (with prior knowledge) until `stop` resolves; then takes no more connections, lets open requests end
/// for `close_grace`, and returns.
///
/// Shut the engine down first: meanwhile `/readyz` says so, and senders get a response.
pub async fn serve<L: Listener>(
    mut listener: L,
    eventful: Eventful,
    config: impl Into<FrontConfig>,
    stop: impl Future<Output = ()>,
) {
    let config = config.into();
    let limits = config.limits.clone();
    let server = HttpServer::new(eventful, config, listener.local_addr());
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            // Ended connections are taken out as they end, so that the set does not grow.
            Some(_) = connections.join_next() => {}
            accepted = server.accept(&mut listener) => {
                connections.extend(accepted.map(|(io, slot)| server.connection(L::peer(&io), io, slot)));
            }
        }
    }
    // Closed first, so that new connections are refused instead of left waiting.
    drop(listener);
    server.closing.close();
    let ended = async { while connections.join_next().await.is_some() {} };
    // What has not ended by then is cut when the set is dropped.
    let _cut = tokio::time::timeout(limits.close_grace, ended).await;
}

struct HttpServer {
    door: Arc<Door>,
    /// For most connections, and for those beyond the limit.
    full: Served,
    health_only: Served,
    write_timeout: Duration,
    close_grace: Duration,
    head_bytes: usize,
    slots: Arc<Semaphore>,
    reserve: Arc<Semaphore>,
    /// Has no permits. It is closed when the server stops, which wakes all that wait for one.
    closing: Arc<Semaphore>,
}

/// The service of a connection, and its limits.
struct Served {
    front: Option<Arc<Front>>,
    router: Router,
    http: http1::Builder,
    /// The longest time before a request.
    idle: Duration,
}

/// The permission to serve one connection.
struct ConnectionSlot {
    permit: OwnedSemaphorePermit,
    is_reserved: bool,
}

impl HttpServer {
    fn new(eventful: Eventful, config: FrontConfig, bound: Option<SocketAddr>) -> Self {
        let limits = config.limits.clone();
        let (door, gives_leases) = (config.door(bound), config.leases.is_some());
        let front = Arc::new(Front::new(eventful, config));
        let mut http_of_probes = http(limits.header_timeout.min(PROBE_TIMEOUT), limits.buffer_bytes, false);
        // A probe asks once; a kept connection would hold the reserve.
        http_of_probes.keep_alive(false);
        Self {
            door: Arc::new(door),
            full: Served {
                router: routes::all(Arc::clone(&front)),
                front: Some(Arc::clone(&front)),
                http: http(limits.header_timeout, limits.buffer_bytes, gives_leases),
                idle: limits.header_timeout,
            },
            health_only: Served {
                front: None,
                router: routes::health_only(front),
                http: http_of_probes,
                idle: limits.header_timeout.min(PROBE_TIMEOUT),
            },
            write_timeout: limits.write_timeout,
            close_grace: limits.close_grace,
            head_bytes: limits.buffer_bytes.max(LEAST_BUFFER_BYTES),
            slots: Arc::new(Semaphore::new(limits.max_connections.clamp(1, Semaphore::MAX_PERMITS))),
            reserve: Arc::new(Semaphore::new(Limits::RESERVED_CONNECTIONS)),
            closing: Arc::new(Semaphore::new(0)),
        }
    }

    /// A slot, then a connection for it; none when the operating system has none to give.
    async fn accept<L: Listener>(&self, listener: &mut L) -> Option<(L::Io, ConnectionSlot)> {
        // A slot before the connection: what cannot be served waits in the queue of the operating system.
        let slot = self.slot().await?;
        match listener.accept().await {
            Ok(io) => Some((io, self.better(slot))),
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                // Without a pause a lack of descriptors would make this loop spin.
                tokio::time::sleep(ACCEPT_PAUSE).await;
                None
            }
        }
    }

    async fn slot(&self) -> Option<ConnectionSlot> {
        tokio::select! {
            biased;
            permit = Arc::clone(&self.slots).acquire_owned() => Some(ConnectionSlot { permit: permit.ok()?, is_reserved: false }),
            // The reserve last: it keeps probes served while other connections hold all slots.
            permit = Arc::clone(&self.reserve).acquire_owned() => Some(ConnectionSlot { permit: permit.ok()?, is_reserved: true }),
        }
    }

    /// A slot without reserve, when one has become free while a connection was waited for.
    fn better(&self, slot: ConnectionSlot) -> ConnectionSlot {
        // A slot may have become free while the next connection was awaited.
        match Arc::clone(&self.slots).try_acquire_owned() {
            Ok(permit) if slot.is_reserved => ConnectionSlot { permit, is_reserved: false },
            _ => slot,
        }
    }

    fn connection<Io>(
        &self,
        peer: Option<IpAddr>,
        io: Io,
        slot: ConnectionSlot,
    ) -> impl Future<Output = ()> + Send + 'static
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let io = StallCut::new(io, self.write_timeout);
        let Served { front, router, http, idle } = if slot.is_reserved { &self.health_only } else { &self.full };
        let timeouts = Timeouts::default();
        let mut http = http.clone();
        http.timer(timeouts.clone());
        let calls = ConnectionCalls {
            door: Arc::clone(&self.door),
            peer,
            front: front.clone(),
            others: router.clone(),
            timeouts: timeouts.clone(),
        };
        let h2_limits = H2Limits {
            idle: *idle,
            unread: self.write_timeout,
            grace: self.close_grace,
            head_bytes: self.head_bytes,
            is_for_one: slot.is_reserved,
        };
        let (idle, linger_bytes) = (*idle, if slot.is_reserved { PROBE_LINGER_BYTES } else { LINGER_BYTES });
        let closing = Arc::clone(&self.closing);
        async move {
            let detected = tokio::select! {
                biased;
                detected = timeouts.within(idle, preface::detect(io)) => detected,
                () = closed(&closing) => None,
            };
            let ended = match detected {
                Some(Ok((Spoken::Http1, io))) => {
                    serve_http1(http.serve_connection(TokioIo::new(io), calls), &closing, linger_bytes).await
                }
                Some(Ok((Spoken::Http2, io))) => h2::serve(io, calls, h2_limits, closed(&closing)).await,
                Some(Err(error)) => {
                    tracing::debug!(%error, "a connection ended before its first request");
                    Ok(())
                }
                None => Ok(()),
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection ended early");
            }
            // Held until here, so that the limit is on connections that are open.
            drop(slot.permit);
        }
    }
}

async fn serve_http1<Io>(
    mut connection: http1::Connection<TokioIo<Io>, ConnectionCalls>,
    closing: &Semaphore,
    linger_bytes: u64,
) -> hyper::Result<()>
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // In a block, so that the borrow of the connection ends before it is taken apart.
    let ended = {
        let mut closed = pin!(closed(closing));
        poll_fn(|cx| match connection.poll_without_shutdown(cx) {
            Poll::Ready(ended) => Poll::Ready(Some(ended)),
            Poll::Pending => closed.as_mut().poll(cx).map(|()| None),
        })
        .await
    };
    if let Some(ended) = ended {
        // Closed gently, so that a client that still sends can read the response.
        linger(connection.into_parts().io.into_inner(), linger_bytes).await;
        ended
    } else {
        let mut connection = pin!(connection);
        // The response on its way is finished, and no further request is read.
        connection.as_mut().graceful_shutdown();
        connection.await
    }
}

/// Waits until the server closes. The semaphore has a lock that all connections share, so it is asked once by each task,
/// and not again before it is closed.
async fn closed(closing: &Semaphore) {
    let mut acquire = pin!(closing.acquire());
    let mut asked: Option<Waker> = None;
    poll_fn(|cx| {
        // Polled once for each waker: the semaphore keeps a place in its queue.
        if !closing.is_closed() && asked.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            return Poll::Pending;
        }
        asked = Some(cx.waker().clone());
        acquire.as_mut().poll(cx).map(drop)
    })
    .await;
}

/// A client may close its sending side and wait for its response. One that is gone altogether is noticed when its response
/// is written, and no response takes for ever. But where workers wait for events, one that is gone must be noticed before
/// it is given one: there a client that closes its sending side has left.
fn http(header_timeout: Duration, buffer_bytes: usize, gives_leases: bool) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.header_read_timeout(header_timeout).half_close(!gives_leases);
    http.max_buf_size(buffer_bytes.max(LEAST_BUFFER_BYTES));
    http
}

/// Reads away what the client still sends, as long as it comes. A connection that is closed with something
/// unread is reset, and the client may never see why its request was refused.
async fn linger(mut io: impl AsyncRead + AsyncWrite + Unpin, bytes: u64) {
    // Whatever comes of it, the connection has ended.
    let Ok(Ok(())) = tokio::time::timeout(LINGER, io.shutdown()).await else { return };
    let mut io = io.take(bytes);
    let mut buffer = vec![0; 16 << 10];
    while let Ok(Ok(1..)) = tokio::time::timeout(LINGER, io.read(&mut buffer)).await {}
}
