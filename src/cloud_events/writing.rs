//! Events that leave as CloudEvents.

use std::borrow::Cow;
use std::format;
use std::string::{String, ToString as _};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{PREFIX, VERSION, is_json, is_name};
use crate::engine::Event;
use crate::key_text;
use crate::texts::{base64, rfc3339};

/// The media type of [`structured`].
pub const CONTENT_TYPE: &str = "application/cloudevents+json; charset=utf-8";

/// The `source` of an event that has none, as every CloudEvent must have one.
pub const NO_SOURCE: &str = "eventful:";

/// The `type` of an event that has none, as every CloudEvent must have one.
pub const NO_TYPE: &str = "eventful.event";

/// The attributes that have their value from something else than an attribute of the event.
const RESERVED: [&str; 6] = ["specversion", "id", "source", "type", "datacontenttype", "data"];

/// The characters of URI references (RFC 3986, section 2) beside letters, digits and `%`.
const URI_MARKS: &[u8] = b"-._~:/?#[]@!$&'()*+,;=";

/// The characters that are percent-encoded in a text that is no URI reference.
const NO_URI: &AsciiSet = &{
    let (mut set, mut at) = (NON_ALPHANUMERIC.remove(URI_MARKS[0]), 1);
    while at < URI_MARKS.len() {
        set = set.remove(URI_MARKS[at]);
        at += 1;
    }
    set
};

/// The headers that make a request with this event's payload a CloudEvent in binary mode, percent-encoded as its HTTP
/// binding has it. `Content-Type` and `Content-Encoding` are those of the event, and not among them.
///
/// ```
/// use eventful::cloud_events;
/// use eventful::{Event, Key};
///
/// let event = Event::new(Key::new("/shop", "order-1")?, "17 €").with_type("order.paid")?;
/// let headers: Vec<_> = cloud_events::headers(&event).collect();
/// let pairs = [("ce-specversion", "1.0"), ("ce-id", "order-1"), ("ce-source", "/shop"), ("ce-type", "order.paid")];
/// assert!(headers.iter().map(|(name, value)| (&**name, &**value)).eq(pairs));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn headers(event: &Event) -> impl Iterator<Item = (String, String)> {
    attributes(event).map(|(name, value)| (format!("{PREFIX}{name}"), key_text::text(&value)))
}

/// The event as JSON, in structured mode, for a request with [`CONTENT_TYPE`] and no `Content-Encoding`.
///
/// JSON stays as it is, byte for byte; other text becomes a string, and all else base64. A payload whose content type is
/// unknown is `application/octet-stream`, since without any it would be taken for JSON. A payload that is encoded stays so,
/// and its encoding is the attribute `contentencoding`.
///
/// ```
/// use eventful::cloud_events;
/// use eventful::{Event, Key};
///
/// let event = Event::new(Key::new("/shop", "1")?, "{\"n\": 1}").with_type("t")?.with_content_type("application/json")?;
/// let json = r#"{"specversion":"1.0","id":"1","source":"/shop","type":"t","datacontenttype":"application/json","data":{"n": 1}}"#;
/// assert_eq!(cloud_events::structured(&event), json);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn structured(event: &Event) -> String {
    let mut object = ObjectText(String::from("{"));
    for (name, value) in attributes(event) {
        object.add_text(name, &value);
    }
    if let Some(encoding) = event.content_encoding() {
        object.add_text("contentencoding", encoding);
    }
    let payload = event.payload();
    let content_type = event.content_type().or_else(|| (!payload.is_empty()).then_some("application/octet-stream"));
    if let Some(content_type) = content_type {
        object.add_text("datacontenttype", content_type);
    }
    match (content_type, str::from_utf8(payload)) {
        // No data is no member: an empty text would be data.
        _ if payload.is_empty() => {}
        (Some(json), Ok(text)) if is_json(json) && serde_json::from_str::<&RawValue>(text).is_ok() => {
            object.add("data", text);
        }
        (_, Ok(text)) if event.content_type().is_some_and(|it| !is_json(it)) && event.content_encoding().is_none() => {
            object.add_text("data", text);
        }
        // As a string, broken JSON would come back as a JSON text, and encoded data as a plain one.
        _ => object.add_text("data_base64", &base64::encode(payload)),
    }
    object.0 + "}"
}

/// A JSON object that is being written.
struct ObjectText(String);

impl ObjectText {
    fn add(&mut self, name: &str, json: &str) {
        let separator = if self.0.len() > 1 { "," } else { "" };
        self.0.push_str(&format!("{separator}\"{name}\":{json}"));
    }

    fn add_text(&mut self, name: &str, text: &str) {
        self.add(name, &Value::from(text).to_string());
    }
}

/// The attributes, but those of the data.
fn attributes(event: &Event) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
    let source = Some(event.key().source()).filter(|source| !source.is_empty());
    let required = [
        ("specversion", VERSION.into()),
        ("id", event.key().id().to_string().into()),
        ("source", source.map_or(NO_SOURCE.into(), uri_reference)),
        ("type", event.event_type().unwrap_or(NO_TYPE).into()),
    ];
    let others = event.attributes().iter().filter(|(name, value)| is_attribute(name, value));
    required.into_iter().chain(others.map(|(name, value)| (name, value.into())))
}

/// Returns whether a CloudEvent may have this attribute.
fn is_attribute(name: &str, value: &str) -> bool {
    let is_allowed =
        is_name(name) && !RESERVED.contains(&name) && !value.is_empty() && !value.contains(char::is_control);
    // A source may have kept its time in another form.
    is_allowed && (name != "time" || rfc3339::parse(value).is_some())
}

/// The source as it is when it is a URI reference; else percent-encoded.
fn uri_reference(source: &str) -> Cow<'_, str> {
    if is_uri_reference(source) { source.into() } else { utf8_percent_encode(source, NO_URI).into() }
}

fn is_uri_reference(text: &str) -> bool {
    let is_plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric() || URI_MARKS.contains(&byte));
    let is_hex = |part: &str| part.as_bytes().get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    let mut parts = text.split('%');
    parts.next().is_none_or(is_plain) && parts.all(|part| is_hex(part) && is_plain(part))
}

#[cfg(test)]
mod tests {
    use super::super::{binary, read_structured};
    use super::*;
    use crate::engine::Key;
    use bytes::Bytes;
    use std::vec::Vec;

    fn event(source: &str, payload: &[u8]) -> Event {
        let key = Key::new(source, "a b").expect("a key");
        Event::new(key, Bytes::copy_from_slice(payload)).with_type("t").expect("a type")
    }

    fn in_binary(event: &Event) -> Event {
        let headers: Vec<_> = headers(event).collect();
        let headers = headers.iter().map(|(name, value)| (&**name, value.as_bytes()));
        binary(headers, event.content_type(), event.payload().clone()).expect("a CloudEvent")
    }

    #[test]
    fn event_is_the_same_after_either_mode() {
        let payloads: [(Option<&str>, &[u8]); 7] = [
            (Some("application/json"), br#"{"b": 1.50, "a": "\u00e4"}"#),
            (Some("application/json"), b"{no JSON"),
            (Some("application/vnd.a+json; charset=utf-8"), b"\"text\""),
            (Some("text/plain"), "\"gr\u{fc}\u{df}e\"\n\0".as_bytes()),
            (Some("text/plain"), b"1"),
            (Some("application/octet-stream"), b"\0\xff"),
            (Some("text/plain"), b""),
        ];
        for (content_type, payload) in payloads {
            let mut event = event("/shop?a=%20", payload);
            for (name, value) in [("subject", "17 %"), ("tenant", "\u{e4}\"\\"), ("time", "2026-01-31T02:00:00Z")] {
                event = event.with_attribute(name, value).expect("an attribute");
            }
            if let Some(content_type) = content_type {
                event = event.with_content_type(content_type).expect("a content type");
            }
            for (mode, read) in [
                ("binary", in_binary(&event)),
                ("structured", read_structured(structured(&event).as_bytes()).expect("JSON")),
            ] {
                assert_eq!(
                    (read.key(), read.event_type(), read.content_type()),
                    (event.key(), Some("t"), content_type)
                );
                assert_eq!((read.payload(), read.attributes()), (event.payload(), event.attributes()), "{mode}");
            }
        }
    }

    #[test]
    fn event_without_source_type_or_content_type_is_a_cloud_event() {
        let event = Event::new(Key::new("", "1").expect("a key"), "{}");
        let names: Vec<_> = headers(&event).collect();
        let pair = |name: &str, value: &str| (name.into(), value.into());
        assert_eq!(names[2..], [pair("ce-source", NO_SOURCE), pair("ce-type", NO_TYPE)]);
        let read = read_structured(structured(&event).as_bytes()).expect("a CloudEvent");
        // Not JSON, which its sender did not say that it was.
        assert_eq!((&read.payload()[..], read.content_type()), (&b"{}"[..], Some("application/octet-stream")));
    }

    #[test]
    fn attributes_that_no_cloud_event_may_have_are_left_out() {
        let mut event = event("shop eu/100%", b"x").with_content_type("text/plain").expect("a content type");
        for (name, value) in [
            ("id", "other"),
            ("data", "other"),
            ("header:X-A", "1"),
            ("Upper", "1"),
            ("empty", ""),
            ("time", "1700000000"),
            ("ok", "1"),
            (Event::CONTENT_ENCODING, "gzip"),
        ] {
            event = event.with_attribute(name, value).expect("an attribute");
        }
        let names: Vec<_> = headers(&event).map(|(name, _)| name).collect();
        assert_eq!(names, ["ce-specversion", "ce-id", "ce-source", "ce-type", "ce-ok"]);
        let json: Value = serde_json::from_str(&structured(&event)).expect("JSON");
        let wanted = serde_json::json!({
            "specversion": "1.0", "id": "a b", "source": "shop%20eu/100%25", "type": "t", "ok": "1",
            "contentencoding": "gzip", "datacontenttype": "text/plain", "data_base64": "eA==",
        });
        assert_eq!(json, wanted);
    }
}
