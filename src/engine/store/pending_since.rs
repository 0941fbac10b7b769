//! The times since which pending events wait.

use alloc::collections::BTreeMap;

use crate::engine::time::Timestamp;

/// The number of pending events by the second since which they wait.
///
/// Events that came in one second share an entry: with one for each event, an event would cost as much again as its bytes
/// in the other sums, and no alarm needs less than a second.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct PendingSince(BTreeMap<Timestamp, u64>);

impl PendingSince {
    pub(super) fn add(&mut self, since: Timestamp) {
        *self.0.entry(since.rounded_up()).or_insert(0) += 1;
    }

    pub(super) fn remove(&mut self, since: Timestamp) {
        let second = since.rounded_up();
        if let Some(count) = self.0.get_mut(&second) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(&second);
            }
        }
    }

    /// Returns the first of the times, rounded up to seconds.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        self.0.first_key_value().map(|(second, _)| *second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oldest_is_the_first_that_is_left() {
        let at = |millis: u64| Timestamp::from_micros(millis * 1000);
        let mut since = PendingSince::default();
        for millis in [2_500, 1_000, 1_001, 2_001] {
            since.add(at(millis));
        }
        assert_eq!(since.oldest(), Some(at(1_000)));
        since.remove(at(1_000));
        assert_eq!(since.oldest(), Some(at(2_000)), "rounded up");
        since.remove(at(1_001));
        since.remove(at(2_500));
        assert_eq!(since.oldest(), Some(at(3_000)));
        since.remove(at(2_001));
        assert_eq!((since.oldest(), since), (None, PendingSince::default()));
    }
}
