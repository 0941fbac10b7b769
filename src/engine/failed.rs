//! Bounds of failed events: for how long they are kept, and how much of them.

use core::time::Duration;

use super::answer::{Bound, Refusal};
use super::config::FailedOverflow;
use super::effect::{DropReason, DroppedFailure, Output};
use super::store::{Location, Slot};
use super::time::{Timestamp, sooner};
use super::{Engine, Phase};

/// The longest time that a sender is asked to wait while failed events fill their bound. Room comes when an operator
/// acts: a second would only make senders come back in vain, and more than a minute would keep them away when he has.
const OPERATOR: Duration = Duration::from_secs(60);

impl Engine {
    /// Returns whether new events are refused because failed ones have more than `max_failed_bytes`.
    pub fn is_full_of_failures(&self) -> bool {
        self.phase == Phase::Running && self.config.failed_overflow == FailedOverflow::Refuse && self.has_overflow()
    }

    pub(super) fn has_overflow(&self) -> bool {
        self.state.store.failed_bytes() > self.config.max_failed_bytes
    }

    /// The terminal record that is to be forgotten first, and from when on. Failed ones come before
    /// others.
    pub(super) fn next_expiry(&self) -> Option<(Timestamp, Location)> {
        let store = &self.state.store;
        let failed = store.oldest_failed().and_then(|location| Some((self.failed_until(location)?, location)));
        let retired = store.oldest_tombstone().and_then(|location| Some((self.ends_at(location)?, location)));
        sooner(failed, retired)
    }

    /// Returns the time until which the event is kept that failed first; absent when without end.
    fn failed_until(&self, oldest: Location) -> Option<Timestamp> {
        match self.config.failed_overflow == FailedOverflow::DropOldest && self.has_overflow() {
            // A time in the past, so that it is due at once.
            true => self.state.store.terminal_at(oldest),
            false => self.ends_at(oldest),
        }
    }

    /// Makes sure that failed events leave room for a new one of this size.
    ///
    /// Where the oldest are dropped, a sweep that is late must not cost memory without bound.
    pub(super) fn admit_beside_failed(&self, size_bytes: usize) -> Result<(), Refusal> {
        let (store, config) = (&self.state.store, &self.config);
        let refused = match config.failed_overflow {
            FailedOverflow::Refuse => self.has_overflow(),
            FailedOverflow::DropOldest => {
                let kept = store.bytes().saturating_add(store.failed_bytes()).saturating_add(size_bytes);
                self.has_overflow() && kept > config.max_bytes.saturating_add(config.max_failed_bytes)
            }
        };
        match refused {
            true => Err(Refusal::Overloaded { bound: Bound::Failed, retry_after: self.failed_retry_after() }),
            false => Ok(()),
        }
    }

    /// Until the next failed event ends by itself, when that is soon.
    fn failed_retry_after(&self) -> Duration {
        let end = self.state.store.oldest_failed().and_then(|oldest| self.failed_until(oldest));
        let left = end.map_or(OPERATOR, |end| end.since(self.now).min(OPERATOR));
        // What has ended by now waits for a sweep, whose time is not known.
        left.max(self.config.overload_retry_after)
    }

    /// Puts a failed event that is about to be forgotten into the output.
    pub(super) fn report_failure(&self, slot: Slot, out: &mut Output) {
        let (location, record) = (Location::Live(slot), &self.state.store.live[slot]);
        out.drop_failure(DroppedFailure {
            key: record.event.key().clone(),
            failed_at: self.state.store.terminal_at(location).unwrap_or_default(),
            attempt: record.attempt,
            error: record.last_error().cloned(),
            why: if self.is_expired(location) { DropReason::Expired } else { DropReason::Overflow },
        });
    }
}
