//! An event whose id is in a header, and whose payload is the whole body.

use std::borrow::Cow;
use std::format;
use std::string::String;

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use bytes::Bytes;

use super::problem::Problem;
use super::query;
use crate::engine::{Event, InvalidEvent, Key};

/// The headers that may carry an id, the first one first: the IETF's draft, and Standard Webhooks.
const ID_HEADERS: [&str; 2] = ["idempotency-key", "webhook-id"];

/// The id in the headers; none when they carry none.
pub(super) fn id(headers: &HeaderMap) -> Result<Option<Cow<'_, str>>, Problem> {
    let Some(name) = ID_HEADERS.into_iter().find(|name| headers.contains_key(*name)) else { return Ok(None) };
    let mut values = headers.get_all(name).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Problem::invalid(format!("{name} is given more than once: give it once")));
    };
    let Ok(text) = str::from_utf8(value.as_bytes()) else {
        return Err(Problem::invalid(format!("{name} is not UTF-8: encode the id, in base64 for example")));
    };
    Ok(Some(unquoted(text)))
}

/// The event with this id.
pub(super) fn event(id: &str, uri_query: Option<&str>, headers: &HeaderMap, body: Bytes) -> Result<Event, Problem> {
    let [source, event_type] = query::parse(uri_query, ["source", "type"])?;
    let content_type = match headers.get(CONTENT_TYPE) {
        Some(value) => Some(value.to_str().map_err(|_| Problem::invalid("the content type is not ASCII: correct it"))?),
        None => None,
    };
    build(id, source.as_deref(), event_type.as_deref(), content_type, body).map_err(Problem::invalid)
}

fn build(
    id: &str,
    source: Option<&str>,
    event_type: Option<&str>,
    content_type: Option<&str>,
    body: Bytes,
) -> Result<Event, InvalidEvent> {
    let mut event = Event::new(Key::new(source.unwrap_or_default(), id)?, body);
    if let Some(event_type) = event_type {
        event = event.with_type(event_type)?;
    }
    match content_type {
        Some(content_type) => event.with_content_type(content_type),
        None => Ok(event),
    }
}

/// What a structured-field string (RFC 9651) stands for; any other text stands for itself.
fn unquoted(text: &str) -> Cow<'_, str> {
    let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match inner {
        Some(inner) if !inner.contains(['\\', '"']) => Cow::Borrowed(inner),
        Some(inner) => unescaped(inner).map_or(Cow::Borrowed(text), Cow::Owned),
        None => Cow::Borrowed(text),
    }
}

/// None when this cannot be the inside of a structured-field string.
fn unescaped(inner: &str) -> Option<String> {
    let mut chars = inner.chars();
    let mut out = String::with_capacity(inner.len());
    while let Some(char) = chars.next() {
        match char {
            '"' => return None,
            '\\' => out.push(chars.next().filter(|next| matches!(next, '\\' | '"'))?),
            _ => out.push(char),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_id_and_a_bare_one_are_one_id() {
        for (text, id) in [
            ("a", "a"),
            (r#""a""#, "a"),
            (r#""a\"\\b""#, r#"a"\b"#),
            (r#"""#, r#"""#),
            (r#""a"b""#, r#""a"b""#),
            (r#""a\""#, r#""a\""#),
            (r#""""#, ""),
        ] {
            assert_eq!(unquoted(text), id, "{text}");
        }
    }
}
