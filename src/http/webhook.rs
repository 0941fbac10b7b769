//! The headers that identify an event on its way to another service, and back.
//!
//! | header | value |
//! |---|---|
//! | `webhook-id` | [`id`]: unique over all sources, and [`key`] reads it back |
//! | `eventful-source`, `eventful-type`, `eventful-group` | [`text`], which [`untext`] reads back |
//! | `eventful-attributes` | [`attributes`]: `name=value,name=value`, as the W3C's `baggage` header |
//! | `traceparent`, `tracestate` | [`trace`]: the trace of the request that brought it |
//! | `eventful-scheduled-for` | [`scheduled_for`]: the time before which it was not to start, when it had one |
//!
//! A server that receives an event with these headers rebuilds its key, its type and its attributes from them.

use std::format;
use std::string::{String, ToString as _};

use percent_encoding::{AsciiSet, utf8_percent_encode};

use crate::engine::{Event, InvalidEvent};
use crate::key_text::UNSAFE;
use crate::texts::rfc3339::Rfc3339;
use crate::texts::trace;

pub(super) use crate::key_text::names_source;
pub use crate::key_text::{InvalidWebhookId, id, key, text, untext};

/// The bytes that are percent-encoded in a header, and what separates names, values and attributes.
const UNSAFE_IN_ATTRIBUTE: &AsciiSet = &UNSAFE.add(b',').add(b';').add(b'=').add(b'\\');

/// The reason why a text is no list of attributes, or an event cannot have them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAttributes {
    /// One has no value, or is not UTF-8.
    #[error("{0:?} is no attribute: write name=value,name=value, percent-encoded as UTF-8")]
    Form(String),
    /// A name is there twice.
    #[error("the attribute {0:?} is given twice: give it once")]
    Twice(String),
    /// The name is that of a header of its own.
    #[error("content-encoding is no attribute of its own: send the payload with the header Content-Encoding")]
    Encoding,
    /// The event cannot have it.
    #[error(transparent)]
    Event(#[from] InvalidEvent),
}

/// The headers `traceparent` and `tracestate` (W3C Trace Context) of this event, when a request brought it that was part
/// of a trace: they are its attributes of these names.
pub fn trace(event: &Event) -> impl Iterator<Item = (&'static str, &str)> {
    trace::headers(event)
}

/// The attributes of this event as the value of a header; nothing when it has none. How its payload is encoded is not
/// among them: that is the header `Content-Encoding`.
pub fn attributes(event: &Event) -> Option<String> {
    // Sent as the header that it came from.
    let kept = event.attributes().iter().filter(|(name, _)| *name != Event::CONTENT_ENCODING);
    let mut value = String::new();
    for (name, text) in kept {
        let [name, text] = [name, text].map(|text| utf8_percent_encode(text, UNSAFE_IN_ATTRIBUTE));
        let separator = if value.is_empty() { "" } else { "," };
        value.push_str(&format!("{separator}{name}={text}"));
    }
    (!value.is_empty()).then_some(value)
}

/// The time before which this event was not to start, when it has one: `2023-11-14T22:13:20.000000Z`.
pub fn scheduled_for(event: &Event) -> Option<String> {
    Some(Rfc3339(event.not_before()?.time()?).to_string())
}

/// The event with the attributes whose header value this is.
///
/// # Errors
///
/// [`InvalidAttributes`] when it is none, or the event cannot have them.
pub fn with_attributes(event: Event, value: &str) -> Result<Event, InvalidAttributes> {
    let pairs = value.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    pairs.into_iter().try_fold(event, |event, pair| {
        let malformed = || InvalidAttributes::Form(pair.to_string());
        let (name, text) = pair.split_once('=').ok_or_else(malformed)?;
        let (name, text) = (untext(name).ok_or_else(malformed)?, untext(text).ok_or_else(malformed)?);
        with_attribute(event, &name, &text)
    })
}

/// The event with an attribute that a client names.
pub(super) fn with_attribute(event: Event, name: &str, value: &str) -> Result<Event, InvalidAttributes> {
    // It has a header of its own, and two could contradict each other.
    if name == Event::CONTENT_ENCODING {
        return Err(InvalidAttributes::Encoding);
    }
    if event.attributes().value(name).is_some() {
        return Err(InvalidAttributes::Twice(name.to_string()));
    }
    Ok(event.with_attribute(name, value)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{InvalidKey, Key};
    use proptest::prelude::*;
    use proptest::test_runner::FileFailurePersistence;

    #[test]
    fn id_without_a_source_stays_as_it_is() {
        for id in ["order-1", "a b", "a\"", "100%", "a/b", "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", "Eventful:a/b"] {
            assert_eq!(super::id(&Key::new("", id).expect("a key")), id);
        }
    }

    #[test]
    fn id_that_a_header_would_change_is_encoded() {
        for (source, id, value) in [
            ("shop-eu", "order-1", "eventful:shop-eu/order-1"),
            ("a/b", "c/d", "eventful:a%2Fb/c/d"),
            ("", " a", "eventful:/%20a"),
            ("", "\"a\"", "eventful:/%22a%22"),
            ("", "ä", "eventful:/%C3%A4"),
            ("", "eventful:shop-eu/order-1", "eventful:/eventful:shop-eu/order-1"),
        ] {
            assert_eq!(super::id(&Key::new(source, id).expect("a key")), value);
        }
    }

    #[test]
    fn value_that_is_no_events_id_is_refused() {
        for value in
            ["eventful:", "eventful:a", "eventful:a/%zz", "eventful:a/%FF", "eventful:%61/b", "eventful:/plain"]
        {
            assert!(key(value).is_err(), "{value}");
        }
        assert_eq!(key(""), Err(InvalidWebhookId::Key(InvalidKey::Empty)));
    }

    #[test]
    fn attributes_are_a_list_that_is_read_back() {
        let event = Event::with_id("a", "x").and_then(|event| event.with_content_encoding("gzip"));
        let event = event.and_then(|event| event.with_attribute("b=,", "ä, \"1\"=2")).expect("an event");
        let event = event.with_attribute("a", "").expect("an event");
        let value = attributes(&event).expect("two attributes");
        assert_eq!(value, "a=,b%3D%2C=%C3%A4%2C%20%221%22%3D2");

        let plain = Event::with_id("a", "x").expect("an event");
        assert_eq!(attributes(&plain), None);
        let read = with_attributes(plain.with_content_encoding("gzip").expect("an event"), &value);
        assert_eq!(read, Ok(event));
    }

    #[test]
    fn text_that_is_no_list_of_attributes_is_refused() {
        let read = |value| with_attributes(Event::with_id("a", "x").expect("an event"), value).map(|_| ());
        let malformed = |pair: &str| Err(InvalidAttributes::Form(pair.into()));
        assert_eq!(read("a"), malformed("a"));
        assert_eq!(read("a=b, %FF=1"), malformed("%FF=1"));
        assert_eq!(read("a=1,a=1"), Err(InvalidAttributes::Twice("a".into())));
        assert_eq!(read("content-encoding=gzip"), Err(InvalidAttributes::Encoding));
        assert_eq!(read("=b"), Err(InvalidEvent::UnnamedAttribute.into()));
        assert_eq!(read(" ,a=b, ,"), Ok(()));
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: Some(std::boxed::Box::new(FileFailurePersistence::Direct("proptest-regressions/webhook.txt"))),
            ..ProptestConfig::default()
        })]

        #[test]
        fn id_is_a_safe_header_and_is_read_back(source in part(0), id in part(1)) {
            let key = Key::new(&source, &id).expect("a key");
            let value = super::id(&key);
            prop_assert!(value.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{}", value);
            prop_assert_eq!(value.trim(), &*value);
            prop_assert!(!value.starts_with('"'));
            prop_assert_eq!(super::key(&value), Ok(key));
        }

        #[test]
        fn text_is_a_safe_header_and_is_read_back(given in part(0)) {
            let value = text(&given);
            prop_assert!(value.bytes().all(|byte| matches!(byte, b'!'..=b'~') && byte != b'"'), "{}", value);
            prop_assert_eq!(untext(&value), Some(given.into()));
        }
    }

    const HARD: &[&str] =
        &["eventful:", "/", "%", "%2F", "%41", " ", "\"", "\\", "ä", "日", "a", "order-1", ":", ",", "~"];

    /// Texts made of what is hard for headers and for this encoding.
    fn part(least: usize) -> impl Strategy<Value = String> {
        let known = proptest::collection::vec(proptest::sample::select(HARD), least..6);
        let any = proptest::collection::vec(any::<char>().prop_filter("a control", |c| !c.is_control()), least..8);
        prop_oneof![known.prop_map(|pieces| pieces.concat()), any.prop_map(|chars| chars.into_iter().collect())]
    }
}
