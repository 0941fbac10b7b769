//! Events as messages.

use async_nats::HeaderMap;
use bytes::Bytes;
use eventful::Event;
use eventful::broker::{header_text, trace_headers};
use eventful::cloud_events;

use crate::config::MessageForm;
use crate::reading::{CONTENT_TYPE, DATA_CONTENT_TYPE, MESSAGE_ID, TYPE};

/// The headers and the payload of the message of an event.
pub(crate) fn message(form: MessageForm, id: &str, event: &Event) -> (HeaderMap, Bytes) {
    let mut headers = HeaderMap::new();
    headers.insert(MESSAGE_ID, id);
    let mut payload = event.payload().clone();
    let content_type = event.content_type().map(header_text);
    match form {
        MessageForm::Plain => {
            if let Some(event_type) = event.event_type() {
                headers.insert(TYPE, header_text(event_type));
            }
            for (name, value) in trace_headers(event) {
                headers.insert(name, header_text(value));
            }
        }
        MessageForm::CloudEventsBinary => {
            for (name, value) in cloud_events::headers(event) {
                headers.insert(name, value);
            }
            if let Some(content_type) = &content_type {
                headers.insert(DATA_CONTENT_TYPE, content_type.clone());
            }
        }
        MessageForm::CloudEventsStructured => payload = cloud_events::structured(event).into(),
    }
    let content_type = match form {
        MessageForm::Plain | MessageForm::CloudEventsBinary => content_type,
        MessageForm::CloudEventsStructured => Some(cloud_events::CONTENT_TYPE.to_owned()),
    };
    if let Some(content_type) = content_type {
        headers.insert(CONTENT_TYPE, content_type);
    }
    (headers, payload)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::{self, StreamPlace};
    use async_nats::Subject;
    use eventful::Key;

    #[test]
    fn event_is_the_same_after_each_form() {
        let key = Key::new("/shop", "a b/\u{e4}").expect("a key");
        let event = Event::new(key, "17 \u{20ac}\0").with_type("order\u{a0}paid").expect("a type");
        let event = event.with_content_type("text/plain; charset=utf-8").expect("a content type");
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let event = event.with_attribute("traceparent", trace).expect("an attribute");
        for form in [MessageForm::Plain, MessageForm::CloudEventsBinary, MessageForm::CloudEventsStructured] {
            let id = eventful::broker::message_id(event.key());
            let (headers, payload) = message(form, &id, &event);
            let place = StreamPlace { source: "", stream: "ORDERS", sequence: 1 };
            let read = reading::event(place, &Subject::from_static("orders"), Some(&headers), payload);
            let read = read.unwrap_or_else(|unfit| panic!("{form:?}: {unfit:?}"));
            assert_eq!((read.key(), read.payload()), (event.key(), event.payload()), "{form:?}");
            assert_eq!((read.event_type(), read.attributes()), (event.event_type(), event.attributes()), "{form:?}");
            assert_eq!(headers.get(MESSAGE_ID).map(ToString::to_string), Some(id), "{form:?}");
        }
    }
}
