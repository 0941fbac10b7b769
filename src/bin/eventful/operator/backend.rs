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
use hyper::header::{AUTHORIZATION, HOST, HeaderValue};
use hyper::{Method, Request, StatusCode};
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

/// A response.
pub(super) struct ApiResponse {
    pub(super) status: StatusCode,
    body: Bytes,
}

impl ApiResponse {
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
        match self {
            Self::Server { client, to, authorization } => {
                let mut request = Request::new(Full::new(Bytes::new()));
                *request.method_mut() = method;
                *request.uri_mut() = to.join(target)?;
                request.headers_mut().extend(authorization.clone().map(|value| (AUTHORIZATION, value)));
                let exchange = async {
                    let response = client.request(request).await;
                    let response = response.map_err(|error| {
                        anyhow::anyhow!(
                            "{}: is the server at {to} running? --to names another one",
                            client::explain(&error)
                        )
                    })?;
                    let status = response.status();
                    Ok(ApiResponse { status, body: response.into_body().collect().await?.to_bytes() })
                };
                tokio::time::timeout(TIMEOUT, exchange)
                    .await
                    .unwrap_or_else(|_| anyhow::bail!("no response from {to} within {TIMEOUT:?}"))
            }
            Self::Directory { router, .. } => {
                let mut request = Request::new(Body::empty());
                (*request.method_mut(), *request.uri_mut()) = (method, target.parse()?);
                request.headers_mut().insert(HOST, HeaderValue::from_static("localhost"));
                let response = router.clone().call(request).await.unwrap_or_else(|never| match never {});
                let status = response.status();
                Ok(ApiResponse { status, body: response.into_body().collect().await?.to_bytes() })
            }
        }
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
    let store = DiskStore::new(directory);
    let builder = Eventful::builder().config(config).without_runs().journal(store, Durability::default());
    let opened = builder.open(|_: Event, _: Attempt| async { Err::<(), _>(Failure::snooze(Duration::ZERO)) }).await;
    // The text of an error holds that of its cause.
    opened.map_err(|error| {
        anyhow::anyhow!("{} was not opened: {error}; a server that runs is asked with --to URL", directory.display())
    })
}
