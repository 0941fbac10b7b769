//! The key of an event, in a URL.

use std::string::String;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::problem::Problem;
use super::query;
use crate::engine::Key;

/// The bytes that are percent-encoded in a path and in a query: all but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The id in a path. It has its name, as a router around this one may take parameters of its own from the path.
#[derive(Debug, Deserialize)]
pub(super) struct InPath {
    id: String,
}

/// The id in a path, before it is checked.
pub(super) type PathId = Result<Path<InPath>, PathRejection>;

/// The id of the event that is called `batch`, as the call for many events is.
pub(super) fn batch() -> PathId {
    Ok(Path(InPath { id: String::from("batch") }))
}

/// The key that `/v1/events/{id}?source=` names.
pub(super) fn key(id: PathId, RawQuery(query): RawQuery) -> Result<Key, Problem> {
    let Path(InPath { id }) =
        id.map_err(|_| Problem::invalid("the id is not UTF-8: encode it as UTF-8, then percent-encode it"))?;
    let [source] = query::parse(query.as_deref(), ["source"])?;
    Key::new(source.as_deref().unwrap_or_default(), &id).map_err(Problem::invalid)
}

/// The values of two more parameters.
type Two = [Option<String>; 2];

/// The same, and the values of two more parameters.
pub(super) fn key_and(id: PathId, RawQuery(query): RawQuery, more: [&str; 2]) -> Result<(Key, Two), Problem> {
    let Path(InPath { id }) =
        id.map_err(|_| Problem::invalid("the id is not UTF-8: encode it as UTF-8, then percent-encode it"))?;
    let ([source], values) = query::split(query.as_deref(), ["source"], more)?;
    let key = Key::new(source.as_deref().unwrap_or_default(), &id).map_err(Problem::invalid)?;
    Ok((key, values))
}

/// The key that `/v1/event?id=&source=` names, and the values of two more parameters.
pub(super) fn key_in_query_and(RawQuery(query): RawQuery, more: [&str; 2]) -> Result<(Key, Two), Problem> {
    let ([id, source], values) = query::split(query.as_deref(), ["id", "source"], more)?;
    let id = id.ok_or_else(|| Problem::invalid("there is no id: give it as ?id=, and the source as &source="))?;
    Ok((Key::new(source.as_deref().unwrap_or_default(), &id).map_err(Problem::invalid)?, values))
}

/// The key that `/v1/event?id=&source=` names.
pub(super) fn key_in_query(RawQuery(query): RawQuery) -> Result<Key, Problem> {
    let [id, source] = query::parse(query.as_deref(), ["id", "source"])?;
    let id = id.ok_or_else(|| Problem::invalid("there is no id: give it as ?id=, and the source as &source="))?;
    Key::new(source.as_deref().unwrap_or_default(), &id).map_err(Problem::invalid)
}

/// Returns the path of a key's record, when the calls of the front have this prefix.
///
/// A client that resolves a URL removes `.` and `..` from its path, percent-encoded too (RFC 3986, section 5.2.4; WHATWG
/// URL, "double-dot path segment"). An event of such an id is named by its query, which stays as it is.
pub(super) fn location(prefix: &str, key: &Key) -> String {
    let id = key.id();
    // For most all of it: letters, digits and dashes are not encoded.
    let mut url = String::with_capacity(prefix.len() + "/v1/events/?source=".len() + id.len() + key.source().len());
    url.push_str(prefix);
    let is_dots = matches!(&*id, "." | "..");
    url.push_str(if is_dots { "/v1/event?id=" } else { "/v1/events/" });
    url.extend(utf8_percent_encode(&id, RESERVED));
    if !key.source().is_empty() {
        url.push_str(if is_dots { "&source=" } else { "?source=" });
        url.extend(utf8_percent_encode(key.source(), RESERVED));
    }
    url
}
