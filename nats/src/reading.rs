//! Messages as events.

use async_nats::{HeaderMap, HeaderName, Subject};
use bytes::Bytes;
use eventful::broker::{Unfit, UnfitMessage, key_of_message_id, text_of_header, with_trace};
use eventful::cloud_events::{self, CloudEventsMode};
use eventful::{Event, Key};

/// The header that names a message.
pub(crate) const MESSAGE_ID: &str = "Nats-Msg-Id";
/// The header that has the type of an event.
pub(crate) const TYPE: &str = "eventful-type";
/// The header that says what a payload is.
pub(crate) const CONTENT_TYPE: &str = "Content-Type";

/// The header that has the content type of a CloudEvent in binary mode.
pub(crate) const DATA_CONTENT_TYPE: &str = "ce-datacontenttype";

/// The place of a message, which is its id when it has none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StreamPlace<'a> {
    pub(crate) source: &'a str,
    pub(crate) stream: &'a str,
    pub(crate) sequence: u64,
}

/// The event that a message is.
pub(crate) fn event(
    place: StreamPlace<'_>,
    subject: &Subject,
    headers: Option<&HeaderMap>,
    payload: Bytes,
) -> Result<Event, UnfitMessage> {
    try_event(place, subject, headers, payload.clone()).map_err(|reason| UnfitMessage { reason, payload })
}

fn try_event(
    place: StreamPlace<'_>,
    subject: &Subject,
    headers: Option<&HeaderMap>,
    payload: Bytes,
) -> Result<Event, Unfit> {
    let content_type = header(headers, CONTENT_TYPE)?;
    let names: Vec<_> = headers.into_iter().flat_map(HeaderMap::iter).map(|(name, _)| lower(name)).collect();
    let event = match cloud_events::mode(content_type, names.iter().map(String::as_str)) {
        Some(CloudEventsMode::Binary) => cloud_event(headers, content_type, payload)?,
        Some(CloudEventsMode::Structured) => cloud_events::read_structured(&payload).map_err(Unfit::invalid)?,
        Some(CloudEventsMode::Batch) => return Err(Unfit::invalid("a message has one event: send each by itself")),
        None => plain(place, subject, headers, content_type, payload)?,
    };
    Ok(with_trace(event, header(headers, "traceparent")?, header(headers, "tracestate")?))
}

/// The event of a message in the binary mode of CloudEvents.
fn cloud_event(headers: Option<&HeaderMap>, content_type: Option<&str>, payload: Bytes) -> Result<Event, Unfit> {
    let all = headers.into_iter().flat_map(HeaderMap::iter);
    let all: Vec<_> = all.map(|(name, values)| (lower(name), values)).collect();
    // The binding of NATS has it among the attributes, unlike that of HTTP.
    let own = header(headers, DATA_CONTENT_TYPE)?.map(|text| text_of_header(text).ok_or("the header is not UTF-8"));
    let own = own.transpose().map_err(Unfit::invalid)?;
    let attributes = all.iter().filter(|(name, _)| name != DATA_CONTENT_TYPE);
    let attributes = attributes.flat_map(|(name, values)| values.iter().map(|value| (&**name, value.as_ref())));
    cloud_events::binary(attributes, own.as_deref().or(content_type), payload).map_err(Unfit::invalid)
}

fn plain(
    place: StreamPlace<'_>,
    subject: &Subject,
    headers: Option<&HeaderMap>,
    content_type: Option<&str>,
    payload: Bytes,
) -> Result<Event, Unfit> {
    let key = match header(headers, MESSAGE_ID)? {
        Some(id) => key_of_message_id(id).map_err(Unfit::invalid)?,
        None => Key::new(place.source, &format!("{}:{}", place.stream, place.sequence)).map_err(Unfit::invalid)?,
    };
    let event_type = match header(headers, TYPE)? {
        Some(value) => text_of_header(value).ok_or_else(|| Unfit::invalid("the header eventful-type is not UTF-8"))?,
        None => subject.as_str().into(),
    };
    let event = Event::new(key, payload).with_type(&event_type).map_err(Unfit::invalid)?;
    match content_type {
        Some(content_type) => event.with_content_type(content_type).map_err(Unfit::invalid),
        None => Ok(event),
    }
}

fn lower(name: &HeaderName) -> String {
    name.to_string().to_ascii_lowercase()
}

/// Returns the value of a header, in whichever case its name is written; names of NATS headers keep theirs.
///
/// # Errors
///
/// When there are several: each would make another event.
fn header<'a>(headers: Option<&'a HeaderMap>, name: &str) -> Result<Option<&'a str>, Unfit> {
    let of_name = |(known, _): &(&HeaderName, _)| known.to_string().eq_ignore_ascii_case(name);
    let mut values = headers.into_iter().flat_map(HeaderMap::iter).filter(of_name).flat_map(|(_, values)| values);
    match (values.next(), values.next()) {
        (value, None) => Ok(value.map(async_nats::HeaderValue::as_str)),
        (_, Some(_)) => Err(Unfit::Invalid(format!("the header {name} is there twice: send it once"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: StreamPlace<'static> = StreamPlace { source: "jetstream:1", stream: "ORDERS", sequence: 17 };

    #[test]
    fn message_without_an_id_has_its_place_as_its_id() {
        let event = read(&[]).expect("an event");
        assert_eq!(event.key(), &Key::new("jetstream:1", "ORDERS:17").expect("a key"));
        assert_eq!((event.event_type(), event.content_type()), (Some("orders.new"), None));
    }

    #[test]
    fn headers_name_the_event() {
        let event =
            read(&[("nats-msg-id", "eventful:shop/1"), ("Eventful-Type", "order"), ("content-type", "text/plain")]);
        let event = event.expect("an event");
        assert_eq!(event.key(), &Key::new("shop", "1").expect("a key"));
        assert_eq!((event.event_type(), event.content_type()), (Some("order"), Some("text/plain")));
        assert_eq!(&event.payload()[..], b"payload");
    }

    #[test]
    fn header_that_no_event_can_have_is_unfit() {
        for headers in [
            &[(MESSAGE_ID, "eventful:no-key")][..],
            &[(MESSAGE_ID, "")],
            &[(MESSAGE_ID, "a"), (MESSAGE_ID, "b")],
            &[(TYPE, "%ff")],
            &[(TYPE, "a"), ("Eventful-Type", "b")],
            &[(CONTENT_TYPE, "a"), (CONTENT_TYPE, "b")],
        ] {
            let unfit = read(headers).expect_err("not an event");
            assert!(matches!(unfit.reason, Unfit::Invalid(_)), "{headers:?}: {unfit:?}");
            assert_eq!(&unfit.payload[..], b"payload", "the payload is kept for the dead letter");
        }
    }

    #[test]
    fn cloud_event_has_its_own_source_and_id() {
        let headers = [
            ("Ce-Specversion", "1.0"),
            ("ce-id", "a%20b"),
            ("ce-source", "/shop"),
            ("ce-type", "order"),
            ("ce-tenant", "blue"),
            ("ce-datacontenttype", "text/plain"),
            (MESSAGE_ID, "another"),
        ];
        let event = read(&headers).expect("a CloudEvent");
        assert_eq!(event.key(), &Key::new("/shop", "a b").expect("a key"));
        assert_eq!((event.event_type(), event.content_type()), (Some("order"), Some("text/plain")));
        assert_eq!(event.attributes().iter().collect::<Vec<_>>(), [("tenant", "blue")]);
        let unfit = read(&headers[..2]).expect_err("no source");
        assert!(matches!(&unfit.reason, Unfit::Invalid(text) if text.contains("the attribute source is missing")));
        let batch = read(&[(CONTENT_TYPE, "application/cloudevents-batch+json")]).expect_err("several");
        assert!(matches!(&batch.reason, Unfit::Invalid(text) if text.contains("send each by itself")));
    }

    #[test]
    fn trace_of_the_message_is_kept() {
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let event = read(&[("traceparent", trace), ("tracestate", "a=1")]).expect("an event");
        let kept: Vec<_> = event.attributes().iter().collect();
        assert_eq!(kept, [("traceparent", trace), ("tracestate", "a=1")]);
    }

    fn read(headers: &[(&str, &str)]) -> Result<Event, UnfitMessage> {
        let mut map = HeaderMap::new();
        headers.iter().for_each(|(name, value)| map.append(*name, *value));
        event(PLACE, &Subject::from_static("orders.new"), Some(&map), Bytes::from_static(b"payload"))
    }
}
