//! Log lines for failed events of which no other trace remains.

use crate::engine::{DroppedFailure, ErrorText};
use crate::node::{Failures, FullOfFailures};

/// Logs a line for each event.
pub(super) fn log_failures(failures: &Failures) {
    for DroppedFailure { key, failed_at, attempt, error, why, .. } in &failures.dropped {
        let error = error.as_ref().map(ErrorText::as_str);
        tracing::warn!(%key, %failed_at, attempt, error, "{why}");
    }
    match failures.turned_full {
        Some(FullOfFailures { is_full: true, bytes, max_bytes }) => tracing::error!(
            bytes,
            max_bytes,
            "failed events have more than max_failed_bytes, and no new event is taken: redrive or discard some"
        ),
        Some(FullOfFailures { is_full: false, bytes, max_bytes }) => {
            tracing::info!(bytes, max_bytes, "failed events fit max_failed_bytes, and new events are taken again");
        }
        None => {}
    }
}
