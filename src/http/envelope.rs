//! An event as one JSON object.

use std::borrow::Cow;
use std::string::String;

use bytes::Bytes;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::engine::{Event, InvalidEvent, Key};

/// What an envelope may have beside the payload, in bytes: its other members, escaped.
pub(super) const OVERHEAD_BYTES: usize = 16 << 10;

/// `{"id", "source"?, "type"?, "payload"?}`, and nothing else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(default)]
    source: Option<String>,
    #[serde(default, rename = "type")]
    event_type: Option<String>,
    #[serde(borrow, default, deserialize_with = "present")]
    payload: Option<&'a RawValue>,
}

/// Why a text is no envelope, or an envelope no event.
#[derive(Debug, thiserror::Error)]
pub(super) enum InvalidEnvelope {
    #[error(r#"not an envelope {{"id", "source"?, "type"?, "payload"?}}: {0}"#)]
    Json(#[from] serde_json::Error),
    #[error(r#"not an envelope {{"id", "source"?, "type"?, "payload"?}}: send one JSON object"#)]
    NoObject,
    #[error(transparent)]
    Event(#[from] InvalidEvent),
}

/// The event in an envelope. Its payload is the member's text, byte by byte; nothing when it is
/// absent, and four bytes when it is `null`.
pub(super) fn parse(text: &[u8]) -> Result<Event, InvalidEnvelope> {
    // What serde derives would take an array of the members too.
    if !text.trim_ascii_start().starts_with(b"{") {
        return Err(InvalidEnvelope::NoObject);
    }
    let envelope: Envelope<'_> = serde_json::from_slice(text)?;
    let source = envelope.source.as_deref().unwrap_or_default();
    let key = Key::new(source, &envelope.id).map_err(InvalidEvent::from)?;
    let event = match envelope.payload {
        Some(payload) => Event::new(key, Bytes::copy_from_slice(payload.get().as_bytes())),
        None => Event::new(key, Bytes::new()),
    };
    let event = if envelope.payload.is_some() { event.with_content_type("application/json")? } else { event };
    Ok(match envelope.event_type {
        Some(event_type) => event.with_type(&event_type)?,
        None => event,
    })
}

/// A member that is there, whatever it is: `null` too.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn what_is_no_envelope_is_refused() {
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
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(parse(b"{\"id\":\"\xff\"}").is_err());
        assert!(parse(b"{\"id\":\"a\",\"payload\":\"\xff\"}").is_err());
    }

    #[test]
    fn escapes_of_an_id_are_undone() {
        let event = parse(br#"{"id":"\u00e4\"","source":null}"#).expect("an event");
        assert_eq!(&*event.key().id(), "ä\"");
    }
}
