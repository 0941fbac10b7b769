//! Says what nothing else remembers: failed events that were dropped, and that they keep others out.

use std::vec::Vec;

use crate::engine::{DropReason, DroppedFailure, Engine, ErrorText, Output};

/// What one change did to failed events, to be logged once the lock is free.
#[derive(Default)]
pub(super) struct Failures {
    dropped: Vec<DroppedFailure>,
    /// New events are refused from now on, or taken again.
    turned_full: Option<Full>,
}

/// Failed events against their bound.
struct Full {
    is_full: bool,
    bytes: u64,
    max_bytes: usize,
}

impl Failures {
    /// What is new since this was asked last. `said_full` is what was said then.
    pub(super) fn since(said_full: &mut bool, engine: &Engine, out: &mut Output) -> Self {
        let is_full = engine.is_full_of_failures();
        let turned = core::mem::replace(said_full, is_full) != is_full;
        let full =
            || Full { is_full, bytes: engine.gauges().failed_bytes, max_bytes: engine.config().max_failed_bytes };
        Self { dropped: out.drain_dropped().collect(), turned_full: turned.then(full) }
    }

    /// A line for each.
    pub(super) fn log(&self) {
        for DroppedFailure { key, failed_at, attempt, error, why, .. } in &self.dropped {
            let error = error.as_ref().map(ErrorText::as_str);
            tracing::warn!(%key, %failed_at, attempt, error, "{}", words(*why));
        }
        match self.turned_full {
            Some(Full { is_full: true, bytes, max_bytes }) => tracing::error!(
                bytes,
                max_bytes,
                "failed events have more than max_failed_bytes, and no new event is taken: redrive or discard some"
            ),
            Some(Full { is_full: false, bytes, max_bytes }) => {
                tracing::info!(bytes, max_bytes, "failed events fit max_failed_bytes, and new events are taken again");
            }
            None => {}
        }
    }
}

const fn words(why: DropReason) -> &'static str {
    match why {
        DropReason::Expired => "a failed event is forgotten at the end of failed_retention",
        DropReason::Overflow => {
            "a failed event is forgotten, the oldest one, since failed events had more than max_failed_bytes"
        }
    }
}
