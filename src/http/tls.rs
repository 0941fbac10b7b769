//! TLS, with certificate and key in files that may change while the server runs.

use core::net::{IpAddr, SocketAddr};
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::boxed::Box;
use std::io;
use std::path::{Path, PathBuf};
use std::string::{String, ToString};
use std::sync::{Arc, PoisonError, RwLock};
use std::vec::Vec;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor};

use super::listener::Listener;

/// The files that a server shows to its clients, and proves to be its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Its certificate in PEM, followed by those that lead to a root.
    pub certificates: PathBuf,
    /// The key of the certificate in PEM, not encrypted.
    pub key: PathBuf,
}

/// Files that no TLS can be served with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTls {
    /// A file cannot be read, or is no PEM.
    #[error("{} cannot be used: {why}; give a file in PEM that the server may read", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The reason.
        why: String,
    },
    /// The certificate is not that of the key, or is of a kind that is not supported.
    #[error("certificate {} and key {} do not go together: {why}; give the key that the certificate was made for", files.certificates.display(), files.key.display())]
    Pair {
        /// The files.
        files: TlsFiles,
        /// The reason.
        why: String,
    },
}

/// TLS of a server. Clones are the same one.
///
/// New connections are served with the files as they were when they were last read: [`Tls::reload`] reads them again.
#[derive(Debug, Clone)]
pub struct Tls {
    files: Arc<TlsFiles>,
    current: Arc<RwLock<Arc<ServerConfig>>>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// [`InvalidTls`]
    pub fn new(files: TlsFiles) -> Result<Self, InvalidTls> {
        let current = Arc::new(RwLock::new(read(&files)?));
        Ok(Self { files: Arc::new(files), current })
    }

    /// Reads the files again, for connections that come from now on.
    ///
    /// # Errors
    ///
    /// [`InvalidTls`]; then what was read before stays.
    pub fn reload(&self) -> Result<(), InvalidTls> {
        // Before the lock, for which new connections wait.
        let config = read(&self.files)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    /// The same connections, in TLS.
    pub fn listener<L: Listener>(&self, inner: L) -> TlsListener<L> {
        TlsListener { inner, tls: self.clone() }
    }
}

fn read(files: &TlsFiles) -> Result<Arc<ServerConfig>, InvalidTls> {
    let unusable = |path: &Path, why: &dyn ToString| InvalidTls::File { path: path.into(), why: why.to_string() };
    let certificates: Vec<_> = CertificateDer::pem_file_iter(&files.certificates)
        .and_then(Iterator::collect)
        .map_err(|why| unusable(&files.certificates, &why))?;
    if certificates.is_empty() {
        return Err(unusable(&files.certificates, &"there is no certificate in it"));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|why| unusable(&files.key, &why))?;
    let mismatch = |why: tokio_rustls::rustls::Error| InvalidTls::Pair { files: files.clone(), why: why.to_string() };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(mismatch)?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(mismatch)?;
    // In the order of preference: a client that speaks both gets HTTP/2.
    config.alpn_protocols = [&b"h2"[..], b"http/1.1"].map(Vec::from).into();
    Ok(Arc::new(config))
}

/// Connections in TLS. A handshake takes place when a connection is first read, so that it holds up no other one.
#[derive(Debug)]
pub struct TlsListener<L> {
    inner: L,
    tls: Tls,
}

impl<L: Listener> Listener for TlsListener<L> {
    type Io = TlsIo<L::Io>;

    async fn accept(&mut self) -> io::Result<Self::Io> {
        let io = self.inner.accept().await?;
        // Read now: the handshake owns the connection until it has ended.
        let peer = L::peer(&io);
        let config = Arc::clone(&self.tls.current.read().unwrap_or_else(PoisonError::into_inner));
        Ok(TlsIo { peer, state: TlsState::Handshake(Box::new(TlsAcceptor::from(config).accept(io))) })
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        self.inner.local_addr()
    }

    fn peer(io: &Self::Io) -> Option<IpAddr> {
        io.peer
    }
}

/// A connection in TLS.
#[derive(Debug)]
pub struct TlsIo<Io> {
    peer: Option<IpAddr>,
    state: TlsState<Io>,
}

enum TlsState<Io> {
    Handshake(Box<Accept<Io>>),
    Open(Box<TlsStream<Io>>),
    /// The handshake has failed: there is nothing to read or write.
    Failed,
}

impl<Io> core::fmt::Debug for TlsState<Io> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Handshake(_) => "Handshake",
            Self::Open(_) => "Open",
            Self::Failed => "Failed",
        })
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> TlsIo<Io> {
    fn opened(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Pin<&mut TlsStream<Io>>>> {
        if let TlsState::Handshake(accept) = &mut self.state {
            match ready!(Pin::new(&mut **accept).poll(cx)) {
                Ok(stream) => self.state = TlsState::Open(Box::new(stream)),
                Err(error) => {
                    self.state = TlsState::Failed;
                    return Poll::Ready(Err(error));
                }
            }
        }
        match &mut self.state {
            TlsState::Open(stream) => Poll::Ready(Ok(Pin::new(&mut **stream))),
            TlsState::Handshake(_) | TlsState::Failed => Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into())),
        }
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> AsyncRead for TlsIo<Io> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(self.opened(cx))?.poll_read(cx, buf)
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TlsIo<Io> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.opened(cx))?.poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.opened(cx))?.poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.opened(cx))?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.opened(cx))?.poll_shutdown(cx)
    }
}
