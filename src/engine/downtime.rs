//! Time that does not count toward retention.
//!
//! Between the last fact before an opening and the opening the engine was down, or its clock has
//! stepped: the facts cannot say which. Were that time counted, one start with a clock that is a
//! month ahead would forget everything. So it is not, and a record is remembered for as long as its
//! retention says *while the engine is open*: after a stop it is remembered for longer by the clock on
//! the wall, never for less, and `max_records` bounds how many that makes.

use alloc::vec::Vec;
use core::time::Duration;

use super::time::{Timestamp, micros};

/// A time that does not count toward retention: from the last fact before an opening until that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Downtime {
    /// The time at which the engine was opened.
    pub until: Timestamp,
    /// The time for which no fact had been decided.
    pub lasted: Duration,
}

/// The downtimes that some record has outlived.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct DowntimeLog(Vec<Total>);

/// An opening, and all downtimes up to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Total {
    until: Timestamp,
    micros: u64,
}

impl DowntimeLog {
    /// Takes in an opening at `until`, after the last fact at `last`, when the first of all terminal
    /// records ended at `oldest`. At most `most` downtimes are kept apart.
    pub(super) fn open(&mut self, until: Timestamp, last: Timestamp, oldest: Option<Timestamp>, most: usize) {
        // Without a terminal record there is no retention that a downtime could lengthen.
        let Some(oldest) = oldest else { return self.0.clear() };
        self.forget_before(oldest);
        self.add(Downtime { until, lasted: until.since(last) }, most);
    }

    /// Takes in the next downtime.
    pub(super) fn add(&mut self, Downtime { until, lasted }: Downtime, most: usize) {
        if lasted.is_zero() {
            return;
        }
        // Its time stays in the sums: a record that ended after it is kept longer than it must be, never shorter.
        if self.0.len() >= most {
            self.0.remove(0);
        }
        let total = self.total().saturating_add(micros(lasted));
        self.0.push(Total { until, micros: total });
    }

    /// Returns how much of the time since `at` does not count.
    pub(super) fn since(&self, at: Timestamp) -> Duration {
        Duration::from_micros(self.total() - self.total_at(at))
    }

    /// Each of them, the first first.
    pub(super) fn iter(&self) -> impl Iterator<Item = Downtime> {
        let before = core::iter::once(0).chain(self.0.iter().map(|total| total.micros));
        let lasted = |(total, before): (&Total, u64)| Downtime {
            until: total.until,
            // The sums rise, so the difference is not negative.
            lasted: Duration::from_micros(total.micros - before),
        };
        self.0.iter().zip(before).map(lasted)
    }

    /// Forgets the downtimes before `at`: no record is left that they could matter to.
    fn forget_before(&mut self, at: Timestamp) {
        let (seen, gone) = (self.total_at(at), self.seen_by(at));
        self.0.drain(..gone);
        // The sums count from the first that is left.
        self.0.iter_mut().for_each(|total| total.micros -= seen);
    }

    fn total(&self) -> u64 {
        self.0.last().map_or(0, |total| total.micros)
    }

    /// All downtimes up to `at`.
    fn total_at(&self, at: Timestamp) -> u64 {
        let before = self.seen_by(at).checked_sub(1);
        before.and_then(|last| self.0.get(last)).map_or(0, |total| total.micros)
    }

    fn seen_by(&self, at: Timestamp) -> usize {
        self.0.partition_point(|total| total.until <= at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 4;

    const fn at(micros: u64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    fn after(openings: &[(u64, u64)], oldest: u64) -> DowntimeLog {
        let mut downtimes = DowntimeLog::default();
        openings.iter().for_each(|(last, until)| downtimes.open(at(*until), at(*last), Some(at(oldest)), MOST));
        downtimes
    }

    #[test]
    fn downtime_does_not_count_for_records_that_ended_before_it() {
        let downtimes = after(&[(10, 30), (50, 100)], 5);
        let uncounted = [5, 10, 30, 50, 99, 100].map(|ended| downtimes.since(at(ended)).as_micros());
        assert_eq!(uncounted, [70, 70, 50, 50, 50, 0]);
    }

    #[test]
    fn downtimes_that_no_record_has_outlived_are_forgotten() {
        let mut downtimes = after(&[(10, 30), (50, 100)], 5);
        downtimes.open(at(140), at(120), Some(at(40)), MOST);
        assert_eq!(downtimes.iter().map(|one| one.until).collect::<Vec<_>>(), [at(100), at(140)]);
        assert_eq!([40, 110].map(|ended| downtimes.since(at(ended)).as_micros()), [70, 20]);

        downtimes.open(at(200), at(150), None, MOST);
        assert_eq!(downtimes, DowntimeLog::default());
    }

    #[test]
    fn more_downtimes_than_are_kept_only_lengthen_retention() {
        let openings: Vec<_> = (1..=MOST as u64 + 1).map(|n| (n * 10, n * 10 + 1)).collect();
        let downtimes = after(&openings, 5);
        assert_eq!(downtimes.iter().count(), MOST);
        assert_eq!(downtimes.since(at(5)).as_micros(), MOST as u128 + 1);
        assert_eq!(downtimes.since(at(15)).as_micros(), MOST as u128 + 1, "and not one less");
        assert_eq!(downtimes.since(at(21)).as_micros(), MOST as u128 - 1);
    }

    #[test]
    fn downtimes_taken_out_and_in_again_are_the_same() {
        let downtimes = after(&[(10, 30), (50, 100), (100, 100)], 5);
        let mut again = DowntimeLog::default();
        downtimes.iter().for_each(|one| again.add(one, MOST));
        assert_eq!(again, downtimes);
    }
}
