//! The page for operators at `/ui/`: static text without data, which makes the calls of the API with the token of its
//! reader.
//!
//! All of it is in the program, so it needs no other site. Its policy (CSP) allows no inline script or style, no other
//! origin, and no text as markup. Every URL in it is relative: it works behind a proxy under any prefix.
//!
//! The curves are drawn by uPlot 1.6.32, unchanged, under the licence (MIT) that is beside it.

use std::collections::BTreeMap;
use std::format;
use std::string::String;
use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH, LOCATION, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::front::Front;
use super::problem::{Problem, ProblemKind};

/// `require-trusted-types-for`: a browser that knows it lets no script set text as markup, whatever an event holds.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
                      trusted-types 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// The file that is served at `/ui/` itself.
const INDEX: &str = "index.html";

macro_rules! files {
    ($($kind:expr => $($name:literal),+;)+) => {
        [$($(($name, $kind, include_str!(concat!("page/", $name)))),+),+]
    };
}

/// Every file of the page: name, type, text.
const FILES: [(&str, &str, &str); 19] = files! {
    HTML => "index.html";
    CSS => "page.css", "uPlot.min.css";
    SVG => "icon.svg";
    TEXT => "uPlot.LICENSE";
    SCRIPT => "uPlot.iife.min.js", "main.js", "api.js", "json.js", "dom.js", "words.js", "numbers.js", "charts.js",
        "overview.js", "notices.js", "failures.js", "search.js", "record.js", "change.js";
};

/// A file of the page, with the tag of its text.
struct PageFile {
    kind: &'static str,
    text: &'static str,
    tag: String,
}

/// The files of the page.
#[derive(Clone)]
struct PageFiles(Arc<BTreeMap<&'static str, PageFile>>);

/// The routes of the page.
pub(super) fn routes() -> Router<Arc<Front>> {
    let files = PageFiles::new();
    let index = files.clone();
    Router::new()
        .route("/ui", get(to_page))
        .route("/ui/", get(async move |headers: HeaderMap| index.respond(INDEX, &headers)))
        .route("/ui/{file}", get(async move |file: FileName, headers: HeaderMap| files.named(file, &headers)))
}

/// Leads to the page, from wherever this is behind a proxy: the files are relative to `ui/`, with the slash.
async fn to_page() -> impl IntoResponse {
    (StatusCode::PERMANENT_REDIRECT, [(LOCATION, "ui/")])
}

/// The parameters of the path, by their names: an outer router may have more of them.
#[derive(Deserialize)]
struct InFilePath {
    file: String,
}

type FileName = Result<Path<InFilePath>, PathRejection>;

impl PageFiles {
    fn new() -> Self {
        let with_tag = |(name, kind, text): (_, _, &'static str)| {
            let digest = Sha256::digest(text.as_bytes());
            // Half of the digest: that it differs from text to text is all that is needed of it.
            let tag = digest.iter().take(16).fold(String::new(), |tag, byte| tag + &format!("{byte:02x}"));
            (name, PageFile { kind, text, tag: format!("\"{tag}\"") })
        };
        Self(Arc::new(FILES.into_iter().map(with_tag).collect()))
    }

    fn named(&self, file: FileName, headers: &HeaderMap) -> Response {
        // A name that is not UTF-8 is that of no file.
        self.respond(&file.map_or_else(|_| String::new(), |Path(InFilePath { file })| file), headers)
    }

    fn respond(&self, name: &str, headers: &HeaderMap) -> Response {
        let Some(file) = self.0.get(name) else {
            return Problem::new(ProblemKind::NotFound, "the page has no such file: it begins at /ui/").into_response();
        };
        let cached = [(ETAG, file.tag.as_str()), (CACHE_CONTROL, "no-cache")];
        if is_known(headers, &file.tag) {
            return (StatusCode::NOT_MODIFIED, cached).into_response();
        }
        let protecting: [(HeaderName, &str); 3] =
            [(CONTENT_SECURITY_POLICY, POLICY), (X_CONTENT_TYPE_OPTIONS, "nosniff"), (REFERRER_POLICY, "no-referrer")];
        (cached, protecting, [(CONTENT_TYPE, file.kind)], file.text).into_response()
    }
}

/// Returns whether the browser has the text with this tag (RFC 9110, section 13.1.2): a proxy that compresses makes the tag
/// a weak one.
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let values = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bound of the whole page, which a slow connection of an operator at night has to load.
    const PAGE_BYTES: usize = 150_000;

    #[test]
    fn page_is_small() {
        let bytes: usize = FILES.iter().map(|(_, _, text)| text.len()).sum();
        assert!(bytes <= PAGE_BYTES, "{bytes} bytes");
    }

    #[test]
    fn page_names_no_other_site_and_has_nothing_inline() {
        for (name, _, text) in FILES.into_iter().filter(|(name, _, _)| !name.starts_with("uPlot.")) {
            for outside in ["https://", "//cdn", "@import", "innerHTML", "outerHTML", "insertAdjacentHTML", "eval("] {
                assert!(!text.contains(outside), "{name} has {outside}");
            }
        }
        let (_, _, index) = FILES[0];
        for inline in ["<style", "style=", "onclick", "onload", "javascript:", "=\"/"] {
            assert!(!index.contains(inline), "{inline}");
        }
        let scripts: usize = index.matches("<script ").count();
        assert_eq!((scripts, index.matches("<script").count()), (index.matches("></script>").count(), scripts));
    }

    #[test]
    fn tags_are_compared_as_a_proxy_may_change_them() {
        let known = |value: &'static str| {
            is_known(&HeaderMap::from_iter([(IF_NONE_MATCH, axum::http::HeaderValue::from_static(value))]), "\"a\"")
        };
        for value in ["\"a\"", "W/\"a\"", "\"b\", \"a\"", "*"] {
            assert!(known(value), "{value}");
        }
        for value in ["", "a", "\"b\"", "W/a", "\"a"] {
            assert!(!known(value), "{value}");
        }
    }
}
