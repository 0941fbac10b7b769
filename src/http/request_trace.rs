//! The trace that a request is part of (W3C Trace Context), kept with its event.

use axum::http::{HeaderMap, HeaderValue};

use crate::engine::Event;
use crate::texts::trace;

/// The event with the trace of the request that brought it, unless it brings one of its own.
pub(super) fn with_trace(event: Event, headers: &HeaderMap) -> Event {
    let parent = headers.get(trace::TRACEPARENT).and_then(text);
    let mut states = headers.get_all(trace::TRACESTATE).iter();
    // Of two neither is known to be the right one.
    let state = match (states.next().and_then(text), states.next()) {
        (Some(state), None) => Some(state),
        (_, _) => None,
    };
    trace::with_trace(event, parent, state)
}

/// The headers that make the trace of a request, without the others.
pub(super) fn trace_headers(headers: &HeaderMap) -> HeaderMap {
    let of_trace = [trace::TRACEPARENT, trace::TRACESTATE];
    let mut kept = HeaderMap::new();
    for (name, value) in headers.iter().filter(|(name, _)| of_trace.contains(&name.as_str())) {
        // Added to the others of its name, as two states are none.
        kept.append(name, value.clone());
    }
    kept
}

fn text(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_tracestate_leaves_none() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let mut headers = HeaderMap::new();
        headers.insert(trace::TRACEPARENT, HeaderValue::from_static(parent));
        let event = || Event::with_id("a", "").expect("an event");
        for (state, kept) in [("a=1", 2), ("b=2", 1)] {
            headers.append(trace::TRACESTATE, HeaderValue::from_static(state));
            assert_eq!(with_trace(event(), &headers).attributes().len(), kept);
        }
    }
}
