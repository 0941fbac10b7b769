//! The tracing span of an attempt.

use std::string::ToString as _;
use tracing::Span;

use super::attempt::RunState;
use crate::engine::{ErrorText, Status};

/// Returns the span in which the handler of this run is polled.
pub(super) fn span(state: &RunState) -> Span {
    tracing::info_span!(
        "attempt",
        key = state.key.to_string(),
        attempt = state.number,
        run = %state.run,
        status = tracing::field::Empty,
    )
}

/// Records the result of an attempt; without a status it was stopped, or ended too late.
pub(super) fn record(span: &Span, status: Option<Status>, error: Option<&ErrorText>) {
    if span.is_disabled() {
        return;
    }
    span.record("status", status.map_or("stopped", Status::as_str));
    // Only the first line: further lines, such as the response of a target, may hold a payload.
    let error = error.and_then(|error| error.as_str().lines().next());
    span.in_scope(|| match (status, error) {
        (Some(Status::Failed), error) => tracing::warn!(error, "the event has failed; redrive it to try again"),
        (Some(Status::FailedRetry), Some(error)) => {
            tracing::info!(error, "the attempt has failed, another will follow");
        }
        (None, _) => tracing::info!("the attempt was stopped, or ended too late"),
        (Some(_), _) => tracing::debug!("the attempt ended"),
    });
}
