//! The HTTP client: keeps connections, follows no redirects.

use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Request, Response, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pool;
pub(crate) use hyper_util::client::legacy::Error;
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::watched::{WatchedConnector, is_stale};

/// The longest time that a connection may take to be made: three tries of TCP, after 0, 1 and 3 s, and a margin. A host that
/// drops packets is known as unreachable then, which is not the same as slow.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A client for one URL.
#[derive(Debug, Clone)]
pub(crate) enum HttpClient {
    Plain(Pools<WatchedConnector<HttpConnector>>),
    Secure(Pools<WatchedConnector<HttpsConnector<HttpConnector>>>),
}

/// Connections over one kind of transport.
#[derive(Debug, Clone)]
pub(crate) struct Pools<C> {
    /// Connections that are kept for the next request.
    kept: Pool<C, Full<Bytes>>,
    /// A new connection for each request.
    fresh: Pool<C, Full<Bytes>>,
}

impl HttpClient {
    /// Creates a client that can speak to `url`. Only `https` needs the system's certificates.
    pub(crate) fn new(url: &Uri) -> anyhow::Result<Self> {
        let mut connector = HttpConnector::new();
        // A request is one write: waiting for more to send would only delay it.
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        if url.scheme_str() != Some("https") {
            return Ok(Self::Plain(Pools::new(WatchedConnector(connector))));
        }
        // The connector below is plain TCP; TLS is put on top of it.
        connector.enforce_http(false);
        let secure = HttpsConnectorBuilder::new()
            .with_native_roots()
            .context("https needs the system's certificates: install the package ca-certificates")?;
        let connector = secure.https_only().enable_http1().wrap_connector(connector);
        Ok(Self::Secure(Pools::new(WatchedConnector(connector))))
    }

    /// Sends a request, and returns the response once its head is there.
    ///
    /// A kept connection may have been closed by the server before it saw the request. Then, and only then,
    /// the request is sent a second time, on a new connection.
    pub(crate) async fn request(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Error> {
        match self {
            Self::Plain(pools) => pools.request(request).await,
            Self::Secure(pools) => pools.request(request).await,
        }
    }
}

impl<C: Connect + Clone + Send + Sync + 'static> Pools<C> {
    fn new(connector: C) -> Self {
        let mut pool = Pool::builder(TokioExecutor::new());
        pool.pool_timer(TokioTimer::new());
        let kept = pool.build(connector.clone());
        // One pool keeps connections, the other one never does: a request that is repeated must not meet another
        // closed one.
        Self { kept, fresh: pool.pool_max_idle_per_host(0).build(connector) }
    }

    async fn request(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Error> {
        match self.kept.request(request.clone()).await {
            Err(error) if is_stale(&error) => self.fresh.request(request).await,
            answer => answer,
        }
    }
}

/// Describes an error with its causes: the outer one alone says little.
pub(crate) fn explain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
