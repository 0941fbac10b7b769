//! An event as one JSON object.

use core::fmt;
use std::borrow::Cow;
use std::string::String;
use std::vec::Vec;

use bytes::Bytes;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::start::{self, InvalidStart};
use super::webhook::{InvalidAttributes, with_attribute};
use crate::engine::{Attributes, Event, InvalidEvent, Key};

/// The most bytes that an envelope may have beside the payload: its other members, escaped.
pub(super) const OVERHEAD_BYTES: usize = (16 << 10) + 6 * Attributes::MAX_BYTES;

/// `{"id", "source"?, "type"?, "group"?, "attributes"?, "not_before"? | "delay"?, "payload"?}`, and nothing else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(default)]
    source: Option<String>,
    #[serde(default, rename = "type")]
    event_type: Option<String>,
    #[serde(default)]
    group: Option<String>,
    #[serde(default)]
    attributes: Option<NamedTexts>,
    #[serde(default)]
    not_before: Option<String>,
    #[serde(default)]
    delay: Option<String>,
    #[serde(borrow, default, deserialize_with = "present")]
    payload: Option<&'a RawValue>,
}

/// The reason why a text is no envelope, or an envelope no event.
#[derive(Debug, thiserror::Error)]
pub(super) enum InvalidEnvelope {
    #[error(
        r#"not an envelope {{"id", "source"?, "type"?, "group"?, "attributes"?, "not_before"? | "delay"?, "payload"?}}: {0}"#
    )]
    Json(#[from] serde_json::Error),
    #[error(r#"not an envelope {{"id", "source"?, "type"?, "group"?, "attributes"?, "not_before"? | "delay"?, "payload"?}}: send one JSON object"#)]
    NoObject,
    #[error("the text is UTF-16: send it as UTF-8, converted with iconv -f UTF-16 -t UTF-8 for example")]
    Utf16,
    #[error(transparent)]
    Event(#[from] InvalidEvent),
    #[error(transparent)]
    Attributes(#[from] InvalidAttributes),
    #[error(transparent)]
    Start(#[from] InvalidStart),
}

/// The members of an object whose values are texts, in their order, and one of a name that is there twice as well.
struct NamedTexts(Vec<(String, String)>);

impl<'de> Deserialize<'de> for NamedTexts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CollectAttributes;

        impl<'de> Visitor<'de> for CollectAttributes {
            type Value = NamedTexts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<NamedTexts, A::Error> {
                let mut texts = Vec::new();
                while let Some(member) = members.next_entry()? {
                    texts.push(member);
                }
                Ok(NamedTexts(texts))
            }
        }

        deserializer.deserialize_map(CollectAttributes)
    }
}

/// The byte order mark of UTF-8, with which some editors begin a file.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A text without the byte order mark that it may begin with, and without white space at its ends.
pub(super) fn trimmed(text: &[u8]) -> &[u8] {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text).trim_ascii()
}

/// Returns whether a text is UTF-16: it has its byte order mark, or one of the first two bytes is zero, as JSON
/// begins with ASCII (RFC 4627, section 3).
fn is_utf16(text: &[u8]) -> bool {
    matches!(text, [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, ..] | [_, 0, ..])
}

/// The event in an envelope. Its payload is the member's text, byte by byte; nothing when it is
/// absent, and four bytes when it is `null`.
pub(super) fn parse(text: &[u8]) -> Result<Event, InvalidEnvelope> {
    let text = trimmed(text);
    // Before the JSON parser, whose message would not help.
    if is_utf16(text) {
        return Err(InvalidEnvelope::Utf16);
    }
    // What serde derives would take an array of the members too.
    if !text.starts_with(b"{") {
        return Err(InvalidEnvelope::NoObject);
    }
    let envelope: Envelope<'_> = serde_json::from_slice(text)?;
    let source = envelope.source.as_deref().unwrap_or_default();
    let key = Key::new(source, &envelope.id).map_err(InvalidEvent::from)?;
    let event = match envelope.payload {
        // Copied, so that a small payload does not keep the whole request in memory.
        Some(payload) => Event::new(key, Bytes::copy_from_slice(payload.get().as_bytes())),
        None => Event::new(key, Bytes::new()),
    };
    // The payload is JSON, as the envelope is.
    let event = if envelope.payload.is_some() { event.with_content_type("application/json")? } else { event };
    let event = match envelope.event_type {
        Some(event_type) => event.with_type(&event_type)?,
        None => event,
    };
    let event = match envelope.group {
        Some(group) => event.with_group(&group)?,
        None => event,
    };
    let attributes = envelope.attributes.map_or_else(Vec::new, |texts| texts.0);
    let event = attributes.iter().try_fold(event, |event, (name, value)| with_attribute(event, name, value))?;
    Ok(start::with_start(event, envelope.not_before.as_deref(), envelope.delay.as_deref())?)
}

/// A member that is there, whatever it is: `null` too.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::ToOwned as _;
    use std::vec::Vec;

    #[test]
    fn the_payload_is_what_was_sent_byte_by_byte() {
        for (text, payload) in [
            (r#"{"id":"a","payload":{"b" : 1.0e0,"b":2}}"#, r#"{"b" : 1.0e0,"b":2}"#),
            (r#"{"payload": [ ] ,"id":"a"}"#, "[ ]"),
            (r#"{"id":"a","payload":null}"#, "null"),
            (r#"{"id":"a"}"#, ""),
        ] {
            let event = parse(text.as_bytes()).expect("an event");
            assert_eq!(event.payload(), payload);
        }
    }

    #[test]
    fn body_that_is_no_envelope_is_refused() {
        for text in [
            "",
            "[]",
            r#"["a","b","c",{}]"#,
            "{}",
            r#"{"id":""}"#,
            r#"{"id":1}"#,
            r#"{"id":null}"#,
            r#"{"id":"a","id":"a"}"#,
            r#"{"id":"a","payload":1,"payload":1}"#,
            r#"{"id":"a","soruce":"b"}"#,
            r#"{"id":"a","payload":}"#,
            r#"{"id":"a"} {}"#,
            r#"{"id":"a\u0000b"}"#,
            r#"{"id":"\ud800"}"#,
            r#"{"id":"a","attributes":[]}"#,
            r#"{"id":"a","delay":5}"#,
            r#"{"id":"a","delay":"5"}"#,
            r#"{"id":"a","delay":"5s","not_before":"2023-11-14T22:13:20Z"}"#,
            r#"{"id":"a","not_before":"tomorrow"}"#,
            r#"{"id":"a","attributes":{"b":1}}"#,
            r#"{"id":"a","attributes":{"b":"1","b":"1"}}"#,
            r#"{"id":"a","attributes":{"":"1"}}"#,
            r#"{"id":"a","attributes":{"content-encoding":"gzip"}}"#,
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(parse(b"{\"id\":\"\xff\"}").is_err());
        assert!(parse(b"{\"id\":\"a\",\"payload\":\"\xff\"}").is_err());
    }

    #[test]
    fn byte_order_mark_in_front_is_skipped() {
        let event = parse(b"\xef\xbb\xbf {\"id\":\"a\",\"payload\":\"\xef\xbb\xbf\"}").expect("an event");
        assert_eq!(event.payload(), "\"\u{feff}\"");
        assert!(trimmed(b"\xef\xbb\xbf\r").is_empty());
    }

    #[test]
    fn utf16_is_named_as_such_with_and_without_its_mark() {
        let text = r#"{"id":"a"}"#;
        let units = |mark: &str| (mark.to_owned() + text).encode_utf16().collect::<Vec<_>>();
        for mark in ["", "\u{feff}"] {
            let little: Vec<u8> = units(mark).into_iter().flat_map(u16::to_le_bytes).collect();
            let big: Vec<u8> = units(mark).into_iter().flat_map(u16::to_be_bytes).collect();
            for bytes in [little, big] {
                let refused = parse(&bytes).expect_err("it is UTF-16");
                assert!(matches!(refused, InvalidEnvelope::Utf16), "{refused}");
            }
        }
    }

    #[test]
    fn attributes_are_an_object_of_texts() {
        let event = parse(br#"{"id":"a","attributes":{"b":"\u00e4","a":""}}"#).expect("an event");
        assert_eq!(event.attributes().iter().collect::<Vec<_>>(), [("a", ""), ("b", "ä")]);
        let event = parse(br#"{"id":"a","attributes":null}"#).expect("an event");
        assert!(event.attributes().is_empty());
    }

    #[test]
    fn escapes_of_an_id_are_undone() {
        let event = parse(br#"{"id":"\u00e4\"","source":null}"#).expect("an event");
        assert_eq!(&*event.key().id(), "ä\"");
    }
}
