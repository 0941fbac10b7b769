//! Sources of connections: real sockets and simulated ones.

use core::future::Future;
use core::net::{IpAddr, SocketAddr};
use std::io;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

/// A source of connections: a real socket, or a simulated one.
pub trait Listener: Send {
    /// A connection.
    type Io: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next connection. Dropping the future loses none.
    ///
    /// # Errors
    ///
    /// Those of the operating system. They end nothing: the next call may succeed.
    fn accept(&mut self) -> impl Future<Output = io::Result<Self::Io>> + Send;

    /// Returns the address at which it is bound, when that is one of IP: on a loopback address, the hosts of requests
    /// are checked (see [`Limits::allowed_hosts`](super::Limits::allowed_hosts)).
    fn local_addr(&self) -> Option<SocketAddr> {
        None
    }

    /// Returns the address of the client, or of the proxy through which it calls, when that is one of IP.
    fn peer(_io: &Self::Io) -> Option<IpAddr> {
        None
    }
}

/// Small responses leave at once: `TCP_NODELAY` is set.
impl Listener for TcpListener {
    type Io = TcpStream;

    async fn accept(&mut self) -> io::Result<TcpStream> {
        let (stream, _) = TcpListener::accept(self).await?;
        // Fails only when the peer is gone already; then the first read fails too.
        let _set = stream.set_nodelay(true);
        Ok(stream)
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        Self::local_addr(self).ok()
    }

    fn peer(io: &TcpStream) -> Option<IpAddr> {
        // A socket for both families shows an IPv4 client under a mapped address: a client has one on every listener.
        Some(io.peer_addr().ok()?.ip().to_canonical())
    }
}
