//! Pages of other sites that may call the server (CORS, as the Fetch standard has it). None by default.

use core::str::FromStr;
use std::borrow::ToOwned as _;
use std::string::String;
use std::vec::Vec;

use axum::body::Body;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use axum::http::uri::Uri;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::Response;

/// The site of a page, as browsers write it: `https://app.example`, with its port where that is not the scheme's own.
///
/// ```
/// use eventful::http::Origin;
///
/// assert!("https://app.example".parse::<Origin>().is_ok());
/// assert!("app.example".parse::<Origin>().is_err() && "*".parse::<Origin>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

/// A text that is no [`Origin`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no origin: write scheme and host of the page, such as https://app.example, without a path")]
pub struct InvalidOrigin(String);

impl FromStr for Origin {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let lower = text.to_ascii_lowercase();
        let uri: Option<Uri> = lower.parse().ok();
        let host = uri.as_ref().filter(|uri| matches!(uri.scheme_str(), Some("http" | "https"))).and_then(Uri::host);
        let ends = |host: &str| {
            let (_, rest) = lower.split_once("://").unwrap_or_default();
            let rest = rest.strip_prefix(host).unwrap_or("/");
            rest.is_empty() || rest.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok())
        };
        if host.is_some_and(ends) { Ok(Self(lower)) } else { Err(InvalidOrigin(text.to_owned())) }
    }
}

/// The headers that a page may read.
const READ: &str = "location, retry-after";

/// The seconds for which a browser remembers that it may call: the longest that Chromium does is 7,200, and a change of
/// the configuration should be seen sooner.
const REMEMBERED: &str = "600";

/// The pages that may call.
#[derive(Debug, Clone, Default)]
pub(super) struct Cors(pub(super) Vec<Origin>);

impl Cors {
    /// The page that sends this, when it may.
    pub(super) fn origin(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let mut origins = headers.get_all(ORIGIN).iter();
        // Browsers send one; with several it is not clear whose page it is.
        let (Some(origin), None) = (origins.next(), origins.next()) else { return None };
        let is = |known: &Origin| known.0.as_bytes() == origin.as_bytes();
        self.0.iter().any(is).then(|| origin.clone())
    }

    /// The response to a browser's question of whether a page may call; none when this is no such question.
    pub(super) fn preflight(method: &Method, headers: &HeaderMap) -> Option<Response> {
        if *method != Method::OPTIONS || !headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
            return None;
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        for (name, value) in [(ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, DELETE"), (ACCESS_CONTROL_MAX_AGE, REMEMBERED)]
        {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        // A page that may call may send any header: calls read those of CloudEvents and of senders, whatever their names.
        if let Some(asked) = headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
            response.headers_mut().insert(ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
        }
        // The response repeats what the request has asked for, so a cache must keep it apart from others.
        response.headers_mut().append(VARY, HeaderValue::from_static("access-control-request-headers"));
        Some(response)
    }

    /// Lets the page read this response.
    pub(super) fn show_to(origin: HeaderValue, response: &mut Response) {
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(READ));
        // A cache must not give this response to a page of another origin.
        headers.append(VARY, HeaderValue::from_static("origin"));
    }
}

impl core::fmt::Display for Origin {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString as _;

    #[test]
    fn origin_is_a_scheme_and_a_host() {
        for text in ["https://a.example", "HTTP://A.example:8080", "http://127.0.0.1:3000", "http://[::1]:3000"] {
            assert!(text.parse::<Origin>().is_ok(), "{text}");
        }
        for text in [
            "",
            "*",
            "null",
            "a.example",
            "https://",
            "https://a/",
            "https://a/b",
            "ftp://a",
            "https://u@a",
            "https://a:x",
        ] {
            let error = text.parse::<Origin>().expect_err(text).to_string();
            assert!(error.contains("is no origin"), "{error}");
        }
    }
}
