//! The counters of the model, by name.

use std::collections::BTreeMap;
use std::time::Duration;

use eventful::{
    Status,
    engine::{EnqueueFailure, facts::AttemptEnd},
    metrics::{Histogram, Metrics, RejectReason, SweptReason},
};

use crate::spec::FactCounts;

/// The name of a counter and its label; the label may be empty.
pub type Label = (&'static str, &'static str);

/// Counters, and the durations in the histograms. Zeros are absent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModelCounts(BTreeMap<Label, u64>);

impl ModelCounts {
    /// Raises a counter.
    pub fn add(&mut self, label: Label, count: u64) {
        if count > 0 {
            *self.0.entry(label).or_default() += count;
        }
    }

    /// Raises a counter by one.
    pub fn one(&mut self, name: &'static str) {
        self.add((name, ""), 1);
    }

    /// Counts a duration, and adds up its microseconds.
    pub fn observe(&mut self, name: &'static str, duration: Duration) {
        self.add((name, "count"), 1);
        self.add((name, "micros"), duration.as_micros() as u64);
    }

    /// Returns a counter.
    pub fn count(&self, label: Label) -> u64 {
        self.0.get(&label).copied().unwrap_or_default()
    }

    /// Returns every counter that is not zero.
    pub fn all(&self) -> impl Iterator<Item = (Label, u64)> {
        self.0.iter().map(|(label, count)| (*label, *count))
    }

    /// Returns the counters of an engine.
    pub fn of(metrics: &Metrics) -> Self {
        let mut counts = Self::default().with_facts(&FactCounts::of(&metrics.facts));
        counts.add_tallies(metrics);
        counts.add_histogram("queue_time", &metrics.histograms.queue_time);
        counts.add_histogram("processing_time", &metrics.histograms.processing_time);
        counts.add_histogram("end_to_end", &metrics.histograms.end_to_end);
        counts
    }

    /// Adds the numbers of facts.
    #[must_use]
    pub fn with_facts(mut self, facts: &FactCounts) -> Self {
        self.add(("accepted", ""), facts.accepted);
        self.add(("redriven", ""), facts.redriven);
        for status in Status::ALL {
            self.add(("forgotten", status.as_str()), facts.forgotten[status as usize]);
        }
        self.add(("started", ""), facts.started);
        for end in AttemptEnd::ALL {
            self.add(("finished", end.as_str()), facts.finished[end as usize]);
        }
        self
    }

    fn add_tallies(&mut self, metrics: &Metrics) {
        let tallies = &metrics.tallies;
        self.add(("deduplicated", ""), tallies.deduplicated);
        self.add(("conflicted", ""), tallies.conflicted);
        self.add(("tickets_stale", ""), tallies.tickets_stale);
        self.add(("outcomes_stale", ""), tallies.outcomes_stale);
        self.add(("sweeps", ""), tallies.sweeps);
        for reason in RejectReason::ALL {
            self.add(("rejected", reason.as_str()), tallies.rejected(reason));
        }
        for reason in SweptReason::ALL {
            self.add(("swept", reason.as_str()), tallies.swept(reason));
        }
        for cause in [EnqueueFailure::Full, EnqueueFailure::Closed] {
            self.add(("enqueue_failures", cause_name(cause)), tallies.enqueue_failures(cause));
        }
    }

    fn add_histogram(&mut self, name: &'static str, histogram: &Histogram) {
        self.add((name, "count"), histogram.count());
        self.add((name, "micros"), histogram.sum().as_micros() as u64);
    }
}

/// Returns the label of a failure to enqueue.
pub(super) fn cause_name(cause: EnqueueFailure) -> &'static str {
    match cause {
        EnqueueFailure::Full => "full",
        EnqueueFailure::Closed => "closed",
    }
}
