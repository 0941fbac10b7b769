//! P7: histograms have the durations of waiting, running and completion that follow from the facts.

use std::time::Duration;

use eventful::{
    Timestamp,
    engine::facts::{AfterRun, Change, Fact},
    metrics::{Histogram, Histograms},
};

use crate::failure::{Broken, holds};
use crate::key_table::KeyTable;
use crate::spec::ReferenceState;

/// The durations that follow from the facts, since the process began.
#[derive(Debug, Default)]
pub(super) struct Durations {
    queue: Fold,
    processing: Fold,
    end_to_end: Fold,
}

/// The durations of one kind.
#[derive(Debug)]
struct Fold {
    /// The number of durations of each size, the last without a bound.
    counts: [u64; Self::BUCKETS],
    micros: u64,
}

impl Durations {
    /// Adds the durations of the next fact, before it is applied.
    pub(super) fn measure(&mut self, expected: &ReferenceState, fact: &Fact, key_table: &KeyTable) {
        let (key, completes) = match &fact.change {
            Change::Started { key, .. } | Change::Discarded(key) => (key, false),
            Change::Finished { key, next, .. } => (key, *next == AfterRun::Completed),
            Change::Accepted(_)
            | Change::Redriven(_)
            | Change::Forgotten(_)
            | Change::Paused
            | Change::Resumed
            | Change::GroupPaused { .. }
            | Change::Scheduled { .. }
            | Change::Epoch(_) => return,
        };
        let Some(record) = key_table.number(key).and_then(|event| expected.record(event)) else { return };
        let since = |at: Timestamp| fact.at.since(at);
        if matches!(fact.change, Change::Started { .. }) {
            record.stage.eligible_at().into_iter().for_each(|at| self.queue.add(since(at)));
        } else if let Some((_, started_at)) = record.stage.run() {
            self.processing.add(since(started_at));
        }
        if completes {
            self.end_to_end.add(since(record.accepted_at));
        }
    }

    /// Checks the engine's histograms.
    pub(super) fn judge(&self, shown: &Histograms) -> Result<(), Broken> {
        self.queue.judge("queue time", &shown.queue_time)?;
        self.processing.judge("processing time", &shown.processing_time)?;
        self.end_to_end.judge("time from end to end", &shown.end_to_end)
    }
}

impl Fold {
    /// Three bounds for each power of ten from 10 µs on, and one bucket without a bound.
    const BUCKETS: usize = 28;

    fn add(&mut self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let (mut at, mut power) = (0, 10);
        // The bounds are 1, 2 and 5 times each power of ten; a duration equal to one belongs to it.
        while at + 1 < Self::BUCKETS && micros > power * [1, 2, 5][at % 3] {
            at += 1;
            power *= if at.is_multiple_of(3) { 10 } else { 1 };
        }
        self.counts[at] += 1;
        self.micros = self.micros.saturating_add(micros);
    }

    fn judge(&self, what: &str, shown: &Histogram) -> Result<(), Broken> {
        let is_same = shown.counts() == self.counts && shown.sum() == Duration::from_micros(self.micros);
        holds(is_same, || Broken::new("durations", 7, format_args!("{what}: {shown:?} is shown, expected {self:?}")))
    }
}

impl Default for Fold {
    fn default() -> Self {
        Self { counts: [0; Self::BUCKETS], micros: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duration_is_in_the_bucket_of_its_least_upper_bound() {
        let mut fold = Fold::default();
        [0, 10, 11, 20, 21, 50, 51, 5_000_000_000, 5_000_000_001].into_iter().map(Duration::from_micros).for_each(
            |duration| {
                fold.add(duration);
            },
        );
        assert_eq!(fold.counts[..5], [2, 2, 2, 1, 0]);
        assert_eq!(fold.counts[25..], [0, 1, 1]);
    }
}
