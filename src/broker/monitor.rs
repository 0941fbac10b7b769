//! The numbers of a consumer, while it runs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::action::IntakeCounts;

/// Shows the numbers of a consumer while it runs, and sums those of consumers that follow each other.
///
/// Clones show the same numbers.
#[derive(Debug, Clone, Default)]
pub struct IntakeMonitor(Arc<Mutex<MonitorState>>);

/// The numbers of a consumer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct IntakeNumbers {
    /// The counts since the first consumer began.
    pub counts: IntakeCounts,
    /// Deliveries in flight.
    pub in_flight: u64,
    /// Messages that the broker has not delivered yet, when it was last asked.
    pub lag: Option<u64>,
    /// True while a consumer runs.
    pub is_running: bool,
}

#[derive(Debug, Default)]
struct MonitorState {
    /// The counts of the consumers that have ended.
    before: IntakeCounts,
    current: IntakeCounts,
    in_flight: u64,
    lag: Option<u64>,
    is_running: bool,
}

impl IntakeMonitor {
    /// Returns the numbers.
    pub fn numbers(&self) -> IntakeNumbers {
        let state = self.lock();
        let MonitorState { before, current, in_flight, lag, is_running } = &*state;
        let (in_flight, lag, is_running) = (*in_flight, *lag, *is_running);
        IntakeNumbers { counts: before.plus(current), in_flight, lag, is_running }
    }

    /// Records the number of messages that the broker has not delivered yet; none when it did not say.
    pub fn set_lag(&self, lag: Option<u64>) {
        self.lock().lag = lag;
    }

    /// Begins with a consumer. The numbers are its own until what is returned is dropped.
    pub(super) fn begin(&self) -> Monitored<'_> {
        self.lock().is_running = true;
        Monitored(self)
    }

    fn lock(&self) -> MutexGuard<'_, MonitorState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A consumer that a monitor shows.
#[derive(Debug)]
pub(super) struct Monitored<'a>(&'a IntakeMonitor);

impl Monitored<'_> {
    pub(super) fn note(&self, counts: &IntakeCounts, in_flight: usize) {
        let mut state = self.0.lock();
        state.current = *counts;
        state.in_flight = u64::try_from(in_flight).unwrap_or(u64::MAX);
    }
}

impl Drop for Monitored<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.before = state.before.plus(&state.current);
        (state.current, state.in_flight, state.is_running) = (IntakeCounts::default(), 0, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_consumers_that_follow_each_other_are_summed() {
        let monitor = IntakeMonitor::default();
        for accepted in [3, 4] {
            let consumer = monitor.begin();
            consumer.note(&IntakeCounts { accepted, ..IntakeCounts::default() }, 2);
            assert!(monitor.numbers().is_running && monitor.numbers().in_flight == 2);
        }
        monitor.set_lag(Some(5));
        let IntakeNumbers { counts, in_flight, lag, is_running } = monitor.numbers();
        assert_eq!((counts.accepted, in_flight, lag, is_running), (7, 0, Some(5), false));
    }
}
