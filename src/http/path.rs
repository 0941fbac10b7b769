//! The key of an event, in a URL.

use std::string::String;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::problem::Problem;
use super::query;
use crate::engine::Key;

/// What stands for itself in a path and in a query: the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What the path gave, before it is looked at.
pub(super) type Id = Result<Path<String>, PathRejection>;

/// The key that `/v1/events/{id}?source=` names.
pub(super) fn key(id: Id, RawQuery(query): RawQuery) -> Result<Key, Problem> {
    let Path(id) =
        id.map_err(|_| Problem::invalid("the id is not UTF-8: encode it as UTF-8, then percent-encode it"))?;
    let [source] = query::parse(query.as_deref(), ["source"])?;
    Key::new(source.as_deref().unwrap_or_default(), &id).map_err(Problem::invalid)
}

/// Where the record of this key is to be found.
pub(super) fn location(key: &Key) -> String {
    let mut path = String::from("/v1/events/");
    path.extend(utf8_percent_encode(&key.id(), RESERVED));
    if !key.source().is_empty() {
        path.push_str("?source=");
        path.extend(utf8_percent_encode(key.source(), RESERVED));
    }
    path
}
