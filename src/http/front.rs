//! What the calls share.

use std::sync::Arc;

use super::budget::Budget;
use super::envelope::OVERHEAD_BYTES;
use super::limits::Limits;
use crate::runtime::Eventful;

/// What every call has at hand.
#[derive(Debug)]
pub(super) struct Front {
    pub(super) eventful: Eventful,
    pub(super) limits: Limits,
    /// For requests, and for answers that wait for their client.
    pub(super) budget: Arc<Budget>,
}

impl Front {
    pub(super) fn new(eventful: Eventful, limits: &Limits) -> Self {
        // The largest event that is allowed must be possible.
        let largest = eventful.config().max_event_bytes.saturating_add(OVERHEAD_BYTES);
        Self { eventful, limits: limits.clone(), budget: Budget::new(limits.max_inflight_bytes.max(largest)) }
    }
}
