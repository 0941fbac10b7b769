//! Times that do not count toward retention.

use std::time::Duration;

use eventful::{Timestamp, engine::facts::Downtime};

/// The times between an opening and the last fact before it, as far as some record has outlived them.
#[derive(Debug, Clone, Default)]
pub(super) struct ReferenceDowntimes(Vec<Downtime>);

impl ReferenceDowntimes {
    /// Adds an opening after the last fact at `last`, when the first of all terminal records ended at `oldest`. At
    /// most `most` are kept apart.
    pub(super) fn open(&mut self, until: Timestamp, last: Timestamp, oldest: Option<Timestamp>, most: usize) {
        // A downtime counts only for records that were terminal before it.
        self.0.retain(|downtime| oldest.is_some_and(|oldest| downtime.until > oldest));
        let lasted = until.since(last);
        if oldest.is_some() && !lasted.is_zero() {
            self.0.push(Downtime { until, lasted });
        }
        // Records from before the second downtime are treated as if as old as the first.
        let is_full = self.0.len() > most;
        if let [first, second, ..] = &mut self.0[..]
            && is_full
        {
            second.lasted += first.lasted;
            self.0.remove(0);
        }
    }

    /// Returns the part of the time since `at` that does not count.
    pub(super) fn since(&self, at: Timestamp) -> Duration {
        self.0.iter().filter(|downtime| downtime.until > at).map(|downtime| downtime.lasted).sum()
    }

    /// Returns all downtimes, in order.
    pub(super) fn all(&self) -> &[Downtime] {
        &self.0
    }
}
