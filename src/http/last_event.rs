//! The last event of numbers, which all streams of them share.

use core::time::Duration;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use tokio::time::Instant;

use super::timeouts::now;

/// The last event of numbers. To compute one goes through all shards, and the many pages of a shift need the same.
#[derive(Debug, Default)]
pub(super) struct LastEvent(Mutex<Option<(Instant, ComputedEvent)>>);

#[derive(Debug, Clone)]
pub(super) struct ComputedEvent {
    pub(super) text: Bytes,
    /// No other follows.
    pub(super) is_last: bool,
}

impl LastEvent {
    /// Returns the last event if it is younger than `fresh`, else a new one; `None` when there are no numbers.
    pub(super) fn get(
        &self,
        fresh: Duration,
        compute: impl FnOnce() -> Option<ComputedEvent>,
    ) -> Option<ComputedEvent> {
        // Locked meanwhile, so that streams with the same second wait for one computation.
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, event)) = last.as_ref().filter(|(at, _)| now().duration_since(*at) < fresh) {
            return Some(event.clone());
        }
        let event = compute()?;
        *last = Some((now(), event.clone()));
        Some(event)
    }
}
