//! An event whose id is in a header, and whose payload is the whole body.

use std::borrow::Cow;
use std::format;
use std::string::String;

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};
use bytes::Bytes;

use super::problem::Problem;
use super::{coding, query, start, webhook};
use crate::engine::{Event, InvalidEvent, Key};

/// The headers that may carry an id: the IETF's draft, and Standard Webhooks.
const ID_HEADERS: [&str; 2] = ["idempotency-key", WEBHOOK_ID];

/// The header that an eventful server sends its events' whole keys in.
const WEBHOOK_ID: &str = "webhook-id";

/// An id in a header.
pub(super) struct HeaderId<'a> {
    header: &'static str,
    text: Cow<'a, str>,
}

/// The id in the headers; none when they carry none.
///
/// # Errors
///
/// A header that is not UTF-8, or two ids that differ: each would make the next try another event.
pub(super) fn id(headers: &HeaderMap) -> Result<Option<HeaderId<'_>>, Problem> {
    let mut found: Option<HeaderId<'_>> = None;
    for header in ID_HEADERS {
        for value in headers.get_all(header) {
            let id = HeaderId { header, text: unquoted(utf8(header, value)?) };
            match &found {
                // Two ids would be two events, and either choice could be the wrong one.
                Some(first) if first.text != id.text => return Err(differ(first, &id)),
                Some(_) => {}
                None => found = Some(id),
            }
        }
    }
    Ok(found)
}

fn differ(first: &HeaderId<'_>, second: &HeaderId<'_>) -> Problem {
    let [(one, first), (other, second)] = [first, second].map(|id| (id.header, &id.text));
    Problem::invalid(format!("{one} is {first:?} and {other} is {second:?}: give one id, in one of the two headers"))
}

/// The text of a header that is given at most once.
fn single<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let (value, None) = (values.next(), values.next()) else {
        return Err(Problem::invalid(format!("{name} is given more than once: give it once")));
    };
    value.map(|value| utf8(name, value)).transpose()
}

fn utf8<'a>(name: &str, value: &'a HeaderValue) -> Result<&'a str, Problem> {
    let refused = || Problem::invalid(format!("{name} is not UTF-8: encode it, in base64 for example"));
    str::from_utf8(value.as_bytes()).map_err(|_| refused())
}

/// The event with this id.
pub(super) fn event(
    id: &HeaderId<'_>,
    uri_query: Option<&str>,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Event, Problem> {
    let names = ["source", "type", "group", "attributes", "not_before", "delay"];
    let [source, event_type, group, attributes, not_before, delay] = query::parse(uri_query, names)?;
    let key = match source {
        // A source in the URL is a decision of this receiver, and wins over what a sender forwards.
        Some(source) => Key::new(&source, &id.text).map_err(Problem::invalid)?,
        None => forwarded_key(id, forwarded(headers, "eventful-source")?)?,
    };
    // As for the source: what the URL says wins over what a sender forwards.
    let event_type = match event_type {
        Some(event_type) => Some(event_type.into()),
        None => forwarded(headers, "eventful-type")?,
    };
    let content_type = match headers.get(CONTENT_TYPE) {
        Some(value) => Some(value.to_str().map_err(|_| Problem::invalid("the content type is not ASCII: correct it"))?),
        None => None,
    };
    let attributes = match &attributes {
        Some(attributes) => Some(&**attributes),
        None => single(headers, "eventful-attributes")?,
    };
    let encoding = coding::content(headers)?;
    let event = build(key, event_type.as_deref(), content_type, encoding.as_deref(), body).map_err(Problem::invalid)?;
    let group = match group {
        Some(group) => Some(group.into()),
        None => forwarded(headers, "eventful-group")?,
    };
    let event = match group {
        Some(group) => event.with_group(&group).map_err(Problem::invalid)?,
        None => event,
    };
    let event = start::with_start(event, not_before.as_deref(), delay.as_deref()).map_err(Problem::invalid)?;
    match attributes {
        Some(attributes) => webhook::with_attributes(event, attributes).map_err(Problem::invalid),
        None => Ok(event),
    }
}

/// Returns what an eventful server says of an event in a header of this name.
fn forwarded<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<Cow<'a, str>>, Problem> {
    let Some(value) = single(headers, name)? else { return Ok(None) };
    let text = webhook::untext(value);
    text.map(Some).ok_or_else(|| Problem::invalid(format!("{name} is not UTF-8: percent-encode it as UTF-8")))
}

/// The key of an event that another server sends on, when it names a source; else that of the id alone.
fn forwarded_key(id: &HeaderId<'_>, source: Option<Cow<'_, str>>) -> Result<Key, Problem> {
    let Some(source) = source else { return Key::new("", &id.text).map_err(Problem::invalid) };
    // The id of another sender says nothing of a source, whatever it begins with.
    if id.header != WEBHOOK_ID || !webhook::names_source(&id.text) {
        return Key::new(&source, &id.text).map_err(Problem::invalid);
    }
    let key = webhook::key(&id.text).map_err(Problem::invalid)?;
    if key.source() == source {
        return Ok(key);
    }
    Err(Problem::invalid(format!(
        "eventful-source is {source:?}, and the source in webhook-id is {:?}: send the same one",
        key.source()
    )))
}

fn build(
    key: Key,
    event_type: Option<&str>,
    content_type: Option<&str>,
    encoding: Option<&str>,
    body: Bytes,
) -> Result<Event, InvalidEvent> {
    let mut event = Event::new(key, body);
    if let Some(event_type) = event_type {
        event = event.with_type(event_type)?;
    }
    if let Some(content_type) = content_type {
        event = event.with_content_type(content_type)?;
    }
    match encoding {
        Some(encoding) => event.with_content_encoding(encoding),
        None => Ok(event),
    }
}

/// Returns the content of a structured-field string (RFC 9651); of any other text, the text itself.
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
