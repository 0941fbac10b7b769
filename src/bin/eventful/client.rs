//! The HTTP client: keeps connections, follows no redirects.

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Request, Response, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client as Pool, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};

/// A client for one URL.
#[derive(Debug, Clone)]
pub(crate) enum Client {
    Plain(Pool<HttpConnector, Full<Bytes>>),
    Secure(Pool<HttpsConnector<HttpConnector>, Full<Bytes>>),
}

impl Client {
    /// A client that can speak to `url`. Only `https` needs the system's certificates.
    pub(crate) fn new(url: &Uri) -> anyhow::Result<Self> {
        let mut pool = Pool::builder(TokioExecutor::new());
        pool.pool_timer(TokioTimer::new());
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        if url.scheme_str() != Some("https") {
            return Ok(Self::Plain(pool.build(connector)));
        }
        connector.enforce_http(false);
        let secure = HttpsConnectorBuilder::new()
            .with_native_roots()
            .context("https needs the system's certificates: install the package ca-certificates")?;
        Ok(Self::Secure(pool.build(secure.https_only().enable_http1().wrap_connector(connector))))
    }

    pub(crate) async fn request(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Error> {
        match self {
            Self::Plain(pool) => pool.request(request).await,
            Self::Secure(pool) => pool.request(request).await,
        }
    }
}

/// An error with what caused it: the outer one alone says little.
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
