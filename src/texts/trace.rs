//! The trace that a request or a message is part of (W3C Trace Context), kept with its event and passed on.

use crate::engine::Event;

/// The header, and the attribute of the event, that names the trace and the span of the sender.
pub(crate) const TRACEPARENT: &str = "traceparent";
/// The same for what vendors add to it.
pub(crate) const TRACESTATE: &str = "tracestate";

/// The event with the trace of what brought it, unless it brings one of its own: CloudEvents have the same attributes. A
/// `traceparent` that is malformed is ignored, as the standard has it, with its `tracestate`, and so is what does not fit.
pub fn with_trace(event: Event, parent: Option<&str>, state: Option<&str>) -> Event {
    let Some(parent) = parent.filter(|text| is_traceparent(text)) else { return event };
    if event.attributes().value(TRACEPARENT).is_some() {
        return event;
    }
    // Kept, because an attribute that does not fit must not cost the event.
    let without = event.clone();
    let traced = event.with_attribute(TRACEPARENT, parent).unwrap_or(without);
    let Some(state) = state.filter(|text| !text.is_empty()) else { return traced };
    let without = traced.clone();
    traced.with_attribute(TRACESTATE, state).unwrap_or(without)
}

/// The headers `traceparent` and `tracestate` of this event, when it was part of a trace: they are its attributes of these
/// names.
pub fn headers(event: &Event) -> impl Iterator<Item = (&'static str, &str)> {
    let parent = event.attributes().value(TRACEPARENT).filter(|text| is_traceparent(text));
    // Without its `traceparent` a `tracestate` has no meaning.
    let state = event.attributes().value(TRACESTATE).filter(|_| parent.is_some());
    [(TRACEPARENT, parent), (TRACESTATE, state)].into_iter().filter_map(|(name, value)| Some((name, value?)))
}

/// Returns whether this is `VERSION-TRACE-SPAN-FLAGS` in lower-case hexadecimal, neither of the ids zero; a later version
/// than 00 may have more behind.
fn is_traceparent(text: &str) -> bool {
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
    // The standard forbids the version ff, and defines nothing behind the flags for version 00.
    version != "ff" && !is_zero(trace) && !is_zero(span) && (version != "00" || parts.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn event() -> Event {
        Event::with_id("a", "").expect("an event")
    }

    fn traced(event: Event, parent: &str) -> Event {
        with_trace(event, Some(parent), Some("a=1"))
    }

    #[test]
    fn trace_of_the_request_is_kept_unless_the_event_has_one() {
        let kept = traced(event(), TRACE);
        assert_eq!(kept.attributes().iter().collect::<std::vec::Vec<_>>(), [(TRACEPARENT, TRACE), (TRACESTATE, "a=1")]);
        let own = event().with_attribute(TRACEPARENT, "mine").expect("it fits");
        assert_eq!(traced(own, TRACE).attributes().iter().len(), 1);
        assert!(traced(event(), "00").attributes().is_empty());
        assert!(with_trace(event(), None, Some("a=1")).attributes().is_empty());
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
        assert_eq!(traced(full.clone(), TRACE).attributes(), full.attributes());
    }
}
