//! The trace that a request is part of (W3C Trace Context), kept with its event and passed on.

use axum::http::{HeaderMap, HeaderValue};

use crate::engine::Event;

/// The header, and the attribute of the event, that names the trace and the span of the sender.
pub(super) const TRACEPARENT: &str = "traceparent";
/// The same for what vendors add to it.
pub(super) const TRACESTATE: &str = "tracestate";

/// The event with the trace of the request that brought it, unless it brings one of its own: CloudEvents have the same
/// attributes. What is malformed is ignored, as the standard has it, and so is what does not fit.
pub(super) fn with_trace(event: Event, headers: &HeaderMap) -> Event {
    let Some(parent) = headers.get(TRACEPARENT).and_then(text).filter(|text| is_traceparent(text)) else {
        return event;
    };
    if event.attributes().value(TRACEPARENT).is_some() {
        return event;
    }
    let without = event.clone();
    let traced = event.with_attribute(TRACEPARENT, parent).unwrap_or(without);
    let mut states = headers.get_all(TRACESTATE).iter();
    match (states.next().and_then(text), states.next()) {
        (Some(state), None) => {
            let without = traced.clone();
            traced.with_attribute(TRACESTATE, state).unwrap_or(without)
        }
        _ => traced,
    }
}

fn text(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok().filter(|text| !text.is_empty())
}

/// Returns whether this is `VERSION-TRACE-SPAN-FLAGS` in lower-case hexadecimal, neither of the ids zero; a later version
/// than 00 may have more behind.
pub(super) fn is_traceparent(text: &str) -> bool {
    let mut parts = text.split('-');
    let mut hexadecimal = |digits: usize| {
        let is_hex = |part: &&str| part.len() == digits && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        parts.next().filter(is_hex)
    };
    let (Some(version), Some(trace), Some(span), Some(_)) =
        (hexadecimal(2), hexadecimal(32), hexadecimal(16), hexadecimal(2))
    else {
        return false;
    };
    let is_zero = |part: &str| part.bytes().all(|byte| byte == b'0');
    version != "ff" && !is_zero(trace) && !is_zero(span) && (version != "00" || parts.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn event() -> Event {
        Event::with_id("a", "").expect("an event")
    }

    fn traced(event: Event, parent: &'static str, state: &[&'static str]) -> Event {
        let mut headers = HeaderMap::new();
        headers.insert(TRACEPARENT, HeaderValue::from_static(parent));
        for state in state {
            headers.append(TRACESTATE, HeaderValue::from_static(state));
        }
        with_trace(event, &headers)
    }

    #[test]
    fn trace_of_the_request_is_kept_unless_the_event_has_one() {
        let kept = traced(event(), TRACE, &["a=1"]);
        assert_eq!(kept.attributes().iter().collect::<std::vec::Vec<_>>(), [(TRACEPARENT, TRACE), (TRACESTATE, "a=1")]);
        let own = event().with_attribute(TRACEPARENT, "mine").expect("it fits");
        assert_eq!(traced(own, TRACE, &["a=1"]).attributes().iter().len(), 1);
        assert_eq!(traced(event(), TRACE, &["a=1", "b=2"]).attributes().len(), 1, "two are none");
        assert!(with_trace(event(), &HeaderMap::new()).attributes().is_empty());
    }

    #[test]
    fn malformed_trace_is_ignored() {
        for text in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-00",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319-b7ad6b71692033311-01",
        ] {
            assert!(!is_traceparent(text), "{text}");
        }
        assert!(is_traceparent(TRACE));
        assert!(is_traceparent("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-new"));
    }

    #[test]
    fn event_without_room_for_its_trace_is_kept_without() {
        let mut full = event();
        for number in 0..crate::engine::Attributes::MAX {
            full = full.with_attribute(&std::format!("a{number}"), "").expect("it fits");
        }
        assert_eq!(traced(full.clone(), TRACE, &["a=1"]).attributes(), full.attributes());
    }
}
