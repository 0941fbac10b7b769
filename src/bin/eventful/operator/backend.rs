//! The API of a server, or the same API over the directory of one that has stopped.

use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use eventful::http::{FrontConfig, router};
use eventful::journal::DiskStore;
use eventful::{Attempt, Config, Durability, Event, Eventful, Failure};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HOST, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::Value;
use tower_service::Service as _;

use super::misused::Misused;
use super::options::BackendOptions;
use crate::access;
use crate::client::{self, HttpClient};
use crate::url::HttpUrl;

/// The longest time for which a server is waited for.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A server, or a directory.
pub(super) enum Backend {
    Server { client: Box<HttpClient>, to: HttpUrl, authorization: Option<HeaderValue> },
    Directory { eventful: Eventful, router: Router },
}

/// A response that does not end, or the reason why there is none now.
pub(super) enum Opened {
    Stream(Incoming),
    Gone(anyhow::Error),
}

/// A response.
pub(super) struct ApiResponse {
    pub(super) status: StatusCode,
    body: Bytes,
}

impl ApiResponse {
    async fn of(response: Response<Incoming>) -> anyhow::Result<Self> {
        let status = response.status();
        Ok(Self { status, body: response.into_body().collect().await?.to_bytes() })
    }

    /// The body as text.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).trim_end().to_owned()
    }

    /// The body as JSON; null when it is none.
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The response, when it is a success.
    ///
    /// # Errors
    ///
    /// The words of the server, and what to do; [`Misused`] when they are about the arguments.
    pub(super) fn ok(self) -> anyhow::Result<Self> {
        if self.status.is_success() {
            return Ok(self);
        }
        let detail = self.json()["detail"].as_str().map_or_else(|| self.text(), ToOwned::to_owned);
        let hint = match self.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "; give a token with --token-file",
            _ => "",
        };
        let words = format!("{detail} ({}){hint}", self.status);
        Err(if self.status == StatusCode::BAD_REQUEST { Misused(words).into() } else { anyhow::Error::msg(words) })
    }
}

impl Backend {
    pub(super) async fn open(options: &BackendOptions) -> anyhow::Result<Self> {
        let Some(directory) = &options.data else {
            let authorization = options.token_file.as_deref().map(access::authorization).transpose()?;
            let client = Box::new(HttpClient::new(options.to.uri())?);
            return Ok(Self::Server { client, to: options.to.clone(), authorization });
        };
        let eventful = open(directory).await?;
        let router = router(eventful.clone(), FrontConfig::default());
        Ok(Self::Directory { eventful, router })
    }

    /// Calls the API.
    pub(super) async fn call(&self, method: Method, target: &str) -> anyhow::Result<ApiResponse> {
        let Self::Directory { router, .. } = self else {
            let exchange = async { ApiResponse::of(self.send(method, target).await?).await };
            return tokio::time::timeout(TIMEOUT, exchange).await.unwrap_or_else(|_| Err(self.silent()));
        };
        let mut request = Request::new(Body::empty());
        (*request.method_mut(), *request.uri_mut()) = (method, target.parse()?);
        // The front refuses a request of HTTP/1.1 without a host.
        request.headers_mut().insert(HOST, HeaderValue::from_static("localhost"));
        let response = router.clone().call(request).await.unwrap_or_else(|never| match never {});
        let status = response.status();
        Ok(ApiResponse { status, body: response.into_body().collect().await?.to_bytes() })
    }

    /// Opens a response that does not end.
    ///
    /// # Errors
    ///
    /// A server that refuses.
    pub(super) async fn follow(&self, target: &str) -> anyhow::Result<Opened> {
        let response = match tokio::time::timeout(TIMEOUT, self.send(Method::GET, target)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Ok(Opened::Gone(error)),
            Err(_) => return Ok(Opened::Gone(self.silent())),
        };
        if response.status().is_success() {
            return Ok(Opened::Stream(response.into_body()));
        }
        let refused = tokio::time::timeout(TIMEOUT, ApiResponse::of(response)).await;
        let refused = refused.unwrap_or_else(|_| Err(self.silent()))?;
        let is_short = refused.status.is_server_error();
        match refused.ok() {
            // One that is about to end, or has just begun.
            Err(error) if is_short => Ok(Opened::Gone(error)),
            Err(error) => Err(error),
            Ok(_) => Ok(Opened::Gone(self.silent())),
        }
    }

    /// Sends a request to the server, and returns the response once its head is there.
    async fn send(&self, method: Method, target: &str) -> anyhow::Result<Response<Incoming>> {
        let Self::Server { client, to, authorization } = self else {
            anyhow::bail!("a directory is no server: leave --data out");
        };
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.method_mut() = method;
        *request.uri_mut() = to.join(target)?;
        request.headers_mut().extend(authorization.clone().map(|value| (AUTHORIZATION, value)));
        client.request(request).await.map_err(|error| {
            anyhow::anyhow!("{}: is the server at {to} running? --to names another one", client::explain(&error))
        })
    }

    fn silent(&self) -> anyhow::Error {
        let Self::Server { to, .. } = self else { return anyhow::anyhow!("no response within {TIMEOUT:?}") };
        anyhow::anyhow!("no response from {to} within {TIMEOUT:?}: see its log, or name another one with --to")
    }

    /// The JSON of a successful `GET`.
    pub(super) async fn get(&self, target: &str) -> anyhow::Result<Value> {
        Ok(self.call(Method::GET, target).await?.ok()?.json())
    }

    /// Returns whether it is a server, which has more to say than a directory.
    pub(super) const fn is_server(&self) -> bool {
        matches!(self, Self::Server { .. })
    }

    /// Closes what was opened. Changes are durable then.
    pub(super) async fn close(self) -> anyhow::Result<()> {
        if let Self::Directory { eventful, router } = self {
            drop(router);
            let report = eventful.shutdown(Some(Duration::ZERO)).await;
            anyhow::ensure!(report.unsynced == 0, "{} changes may not be on the disk: see the log", report.unsynced);
        }
        Ok(())
    }
}

/// Opens the journal in a directory. Nothing is handled, and nothing is forgotten that its server would still remember.
async fn open(directory: &Path) -> anyhow::Result<Eventful> {
    anyhow::ensure!(DiskStore::is_in(directory)?, "{}: there is no journal in it", directory.display());
    let mut config = Config::durable();
    // The server's own bounds are not known here, and no event may be lost to narrower ones.
    (config.max_records, config.max_pending) = (1 << 30, 1 << 30);
    (config.max_bytes, config.max_failed_bytes) = (usize::MAX, usize::MAX);
    config.retention = Duration::from_secs(u32::MAX.into());
    // A run that was cut is judged at the opening, and no event may fail by fewer attempts than its server gives it.
    config.max_attempts = u32::MAX;
    let store = DiskStore::new(directory);
    let builder = Eventful::builder().config(config).without_runs().journal(store, Durability::default());
    let opened = builder.open(|_: Event, _: Attempt| async { Err::<(), _>(Failure::snooze(Duration::ZERO)) }).await;
    // The text of an error holds that of its cause.
    opened.map_err(|error| {
        anyhow::anyhow!("{} was not opened: {error}; a server that runs is asked with --to URL", directory.display())
    })
}
