//! Metrics: counters, gauges and histograms.
//!
//! Fact counters change when facts are applied and are rebuilt by replay. Tallies count what
//! changed no record, and start at zero. Gauges are read off the state itself.

use alloc::string::String;
use core::time::Duration;

use super::command::EnqueueFailure;
use super::fact::AttemptEnd;
use super::status::Status;
use super::time::{Timestamp, micros};

/// Everything that the engine counts and measures, at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// Counters of facts.
    pub facts: FactCounters,
    /// Counters of what changed no record.
    pub tallies: Tallies,
    /// The state, measured.
    pub gauges: Gauges,
    /// Durations.
    pub histograms: Histograms,
}

/// Counters of facts: they rise with each fact applied, and continue after a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct FactCounters {
    /// Events accepted.
    pub accepted: u64,
    /// Failed events redriven.
    pub redriven: u64,
    /// Runs started.
    pub started: u64,
    pub(super) finished: [u64; AttemptEnd::ALL.len()],
    pub(super) forgotten: [u64; Status::ALL.len()],
}

impl FactCounters {
    /// Runs that ended like this.
    pub const fn finished(&self, end: AttemptEnd) -> u64 {
        self.finished[end as usize]
    }

    /// Runs that ended.
    pub fn finished_total(&self) -> u64 {
        self.finished.iter().sum()
    }

    /// The same counters, with so many runs that ended like this.
    #[must_use]
    pub const fn with_finished(mut self, end: AttemptEnd, runs: u64) -> Self {
        self.finished[end as usize] = runs;
        self
    }

    /// Terminal records of this status that were forgotten: at the end of their retention, or, when
    /// they had failed, to keep `max_failed_bytes`. Zero of a status that is not terminal.
    pub const fn forgotten(&self, status: Status) -> u64 {
        self.forgotten[status as usize]
    }

    /// Records that were forgotten. With those that are there, they are as many as were accepted.
    pub fn forgotten_total(&self) -> u64 {
        self.forgotten.iter().sum()
    }

    /// The same counters, with so many records of this status that were forgotten.
    #[must_use]
    pub const fn with_forgotten(mut self, status: Status, records: u64) -> Self {
        self.forgotten[status as usize] = records;
        self
    }

    pub(super) const fn forget(&mut self, status: Status) {
        self.forgotten[status as usize] += 1;
    }

    pub(super) const fn finish(&mut self, end: AttemptEnd) {
        self.finished[end as usize] += 1;
    }
}

/// Counters of what changed no record: zero at start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Tallies {
    /// Submissions of an event that was accepted before.
    pub deduplicated: u64,
    /// Submissions of another payload under an accepted key.
    pub conflicted: u64,
    /// Tickets presented whose record no longer waited for them.
    pub tickets_stale: u64,
    /// Outcomes and heartbeats of runs that were not current.
    pub outcomes_stale: u64,
    /// Sweeps.
    pub sweeps: u64,
    pub(super) rejected: [u64; RejectReason::ALL.len()],
    pub(super) enqueue_failures: [u64; 2],
    pub(super) swept: [u64; SweptReason::ALL.len()],
}

impl Tallies {
    /// Submissions refused for this reason.
    pub const fn rejected(&self, reason: RejectReason) -> u64 {
        self.rejected[reason as usize]
    }

    /// Tickets that did not get into the channel for this reason.
    pub const fn enqueue_failures(&self, cause: EnqueueFailure) -> u64 {
        self.enqueue_failures[cause as usize]
    }

    /// Records that a sweep, or the proof of a lost ticket, scheduled again.
    pub const fn swept(&self, reason: SweptReason) -> u64 {
        self.swept[reason as usize]
    }

    pub(super) const fn reject(&mut self, reason: RejectReason) {
        self.rejected[reason as usize] += 1;
    }

    pub(super) const fn fail_enqueue(&mut self, cause: EnqueueFailure) {
        self.enqueue_failures[cause as usize] += 1;
    }

    pub(super) const fn sweep(&mut self, reason: SweptReason, count: u64) {
        self.swept[reason as usize] += count;
    }
}

/// The reason why a submission was refused, as the metric's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RejectReason {
    /// A bound by count is reached.
    Count,
    /// The event's group has as many events as its policy allows.
    Group,
    /// The bound by bytes is reached.
    Bytes,
    /// Failed events have more bytes than their bound allows.
    Failed,
    /// The journal has no room.
    Disk,
    /// The journal is slow or stuck.
    JournalSlow,
    /// The directory or the disk of the journal cannot be reached.
    JournalUnreachable,
    /// The event is too large.
    TooLarge,
    /// The submission makes no event.
    Invalid,
    /// The engine takes no new events any more.
    ShuttingDown,
}

impl RejectReason {
    /// Every reason, in the order of the metric's labels.
    pub const ALL: [Self; 10] = [
        Self::Count,
        Self::Group,
        Self::Bytes,
        Self::Failed,
        Self::Disk,
        Self::JournalSlow,
        Self::JournalUnreachable,
        Self::TooLarge,
        Self::Invalid,
        Self::ShuttingDown,
    ];

    /// Its name in snake case, as JSON and metrics show it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Group => "group",
            Self::Bytes => "bytes",
            Self::Failed => "failed",
            Self::Disk => "disk",
            Self::JournalSlow => "journal_slow",
            Self::JournalUnreachable => "journal_unreachable",
            Self::TooLarge => "too_large",
            Self::Invalid => "invalid",
            Self::ShuttingDown => "shutting_down",
        }
    }
}

/// The reason why a record was scheduled again, as the metric's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SweptReason {
    /// Its retry became due.
    RetryDue,
    /// Its ticket was lost with the channel, or was proved lost.
    LostTicket,
    /// Its run passed its deadline.
    ExpiredRun,
}

impl SweptReason {
    /// Every reason, in the order of the metric's labels.
    pub const ALL: [Self; 3] = [Self::RetryDue, Self::LostTicket, Self::ExpiredRun];

    /// Its name in snake case, as JSON and metrics show it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RetryDue => "retry_due",
            Self::LostTicket => "lost_ticket",
            Self::ExpiredRun => "expired_run",
        }
    }
}

/// The state, measured. Every number is one that a recount of the records gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Gauges {
    /// Waiting records with a live ticket in the channel.
    pub queued: u64,
    /// Waiting records that are eligible and have no ticket.
    pub line: u64,
    /// Waiting records that are not yet eligible.
    pub delayed: u64,
    /// Waiting records that are eligible and wait at the gate of their group or of their type.
    pub gated: u64,
    /// Runs in flight.
    pub inflight: u64,
    /// Bytes of the events that are not terminal, as [`Event::size_bytes`](super::Event::size_bytes) counts.
    pub bytes: u64,
    /// Bytes of the events that have failed, and of their errors.
    pub failed_bytes: u64,
    /// The time since which the oldest event waits that is not terminal: that of its acceptance, or before which it was not to
    /// start, rounded up to seconds.
    pub oldest_pending: Option<Timestamp>,
    /// The time at which the first of the failed events failed.
    pub oldest_failed: Option<Timestamp>,
    pub(super) records: [u64; Status::ALL.len()],
}

impl Gauges {
    /// Records of this status.
    pub const fn records(&self, status: Status) -> u64 {
        self.records[status as usize]
    }

    /// Records of any status.
    pub fn records_total(&self) -> u64 {
        self.records.iter().sum()
    }

    /// Records that are not terminal.
    pub const fn pending(&self) -> u64 {
        self.records(Status::Received) + self.records(Status::Processing) + self.records(Status::FailedRetry)
    }
}

/// The events of a type policy, counted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TypeStats {
    /// The pattern of the policy.
    pub pattern: String,
    /// The most of its events that run or are next, when there is a limit.
    pub concurrency: Option<usize>,
    /// Its events that wait at the gate.
    pub gated: u64,
    /// Its events that are through the gate and have not started.
    pub unstarted: u64,
    /// Its events that run.
    pub running: u64,
}

/// Durations, since start.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Histograms {
    /// From the time at which a record was eligible to the start of its run.
    pub queue_time: Histogram,
    /// From the start of a run to its end.
    pub processing_time: Histogram,
    /// From the acceptance of an event to its completion.
    pub end_to_end: Histogram,
}

/// Counts of durations in buckets of fixed bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    pub(super) counts: [u64; Self::BOUNDS_MICROS.len() + 1],
    pub(super) sum_micros: u64,
}

impl Histogram {
    /// The upper bounds of the buckets, in microseconds, each inclusive: 1, 2 and 5 of each
    /// power of ten from 10 µs to 5,000 s. One more bucket holds what is longer.
    pub const BOUNDS_MICROS: [u64; 27] = {
        let mut bounds = [0; 27];
        let mut at = 0;
        let mut power = 10;
        while at < bounds.len() {
            bounds[at] = power;
            bounds[at + 1] = 2 * power;
            bounds[at + 2] = 5 * power;
            power *= 10;
            at += 3;
        }
        bounds
    };

    /// The counts of the buckets, the one without a bound last. Not cumulative.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Durations counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Their sum.
    pub const fn sum(&self) -> Duration {
        Duration::from_micros(self.sum_micros)
    }

    pub(super) fn observe(&mut self, duration: Duration) {
        let micros = micros(duration);
        let bucket = Self::BOUNDS_MICROS.partition_point(|bound| *bound < micros);
        self.counts[bucket] += 1;
        // A counter never falls, so it stays at its end instead of beginning again.
        self.sum_micros = self.sum_micros.saturating_add(micros);
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: [0; Self::BOUNDS_MICROS.len() + 1], sum_micros: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_falls_into_the_first_bucket_that_holds_it() {
        let mut histogram = Histogram::default();
        for micros in [0, 10, 11, 20, 5_000_000_000, 5_000_000_001] {
            histogram.observe(Duration::from_micros(micros));
        }
        assert_eq!(histogram.counts()[..3], [2, 2, 0]);
        assert_eq!(histogram.counts()[26..], [1, 1]);
        assert_eq!(histogram.count(), 6);
        assert_eq!(histogram.sum(), Duration::from_micros(10_000_000_042));
    }

    #[test]
    fn the_bounds_are_1_2_and_5_of_each_power_of_ten() {
        let bounds = Histogram::BOUNDS_MICROS;
        assert_eq!(bounds[..4], [10, 20, 50, 100]);
        assert_eq!(bounds[24..], [1_000_000_000, 2_000_000_000, 5_000_000_000]);
    }

    #[test]
    fn the_names_of_reasons_are_the_labels_of_the_metrics() {
        let rejected = [
            "count",
            "group",
            "bytes",
            "failed",
            "disk",
            "journal_slow",
            "journal_unreachable",
            "too_large",
            "invalid",
            "shutting_down",
        ];
        assert_eq!(RejectReason::ALL.map(RejectReason::as_str), rejected);
        assert_eq!(SweptReason::ALL.map(SweptReason::as_str), ["retry_due", "lost_ticket", "expired_run"]);
    }

    #[test]
    fn pending_is_what_waits_or_runs() {
        let gauges = Gauges { records: [1, 2, 4, 8, 16, 32], ..Gauges::default() };
        assert_eq!((gauges.pending(), gauges.records_total()), (1 + 2 + 4, 63));
    }
}
