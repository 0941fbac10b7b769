//! The span of an attempt.

use std::string::ToString as _;
use tracing::Span;

use super::attempt::RunState;
use crate::engine::{ErrorText, Status};

/// The span in which the handler of this run is polled.
pub(super) fn span(cell: &RunState) -> Span {
    tracing::info_span!(
        "attempt",
        key = cell.key.to_string(),
        attempt = cell.number,
        run = %cell.run,
        status = tracing::field::Empty,
    )
}

/// Records what an attempt has led to; without a status it was stopped, or ended too late.
pub(super) fn record(span: &Span, status: Option<Status>, error: Option<&ErrorText>) {
    if span.is_disabled() {
        return;
    }
    span.record("status", status.map_or("stopped", Status::as_str));
    // What follows on further lines, such as the answer of a target, may hold a payload.
    let error = error.and_then(|error| error.as_str().lines().next());
    span.in_scope(|| match (status, error) {
        (Some(Status::Failed), error) => tracing::warn!(error, "the event has failed: redrive it to try again"),
        (Some(Status::FailedRetry), Some(error)) => {
            tracing::info!(error, "the attempt has failed, another will follow");
        }
        (None, _) => tracing::info!("the attempt was stopped, or ended too late"),
        (Some(_), _) => tracing::debug!("the attempt ended"),
    });
}
