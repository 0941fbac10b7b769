//! The summary of a snapshot as bytes.

use std::vec::Vec;

use serde::{Deserialize, Serialize};

use super::wire::{WireEnd, WireError, take};
use crate::engine::{
    Epoch, FactCounters, Status, Timestamp,
    facts::{AttemptEnd, SnapshotSummary},
};

/// A summary, and how many records the snapshot has.
pub(super) type CountedSummary = (SnapshotSummary, u64);

/// Runs that ended, by kind, in a snapshot of format 1.
const FIRST_ENDS: usize = 8;

/// Forgotten records that are counted apart, first among the counters that were thought of later; all
/// others had completed. What was forgotten before these were counted counts as completed, as nearly
/// all of it was.
const MORE_FORGOTTEN: [Status; 2] = [Status::Failed, Status::Discarded];

/// What a snapshot of format 1 begins with.
#[derive(Debug, Serialize, Deserialize)]
struct WireFirstSummary {
    accepted: u64,
    redriven: u64,
    forgotten: u64,
    started: u64,
    finished: [u64; FIRST_ENDS],
    paused: bool,
    epoch: u64,
    last: u64,
    /// Records that follow.
    records: u64,
}

/// What a snapshot ends with.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WireSummary {
    accepted: u64,
    redriven: u64,
    forgotten: u64,
    started: u64,
    /// By [`WireEnd`]. Ends that no run had may be missing.
    finished: Vec<u64>,
    /// Counters that were thought of later, in the order of their addition. Zeros may be missing.
    more: Vec<u64>,
    paused: bool,
    epoch: u64,
    last: u64,
    /// Records before it.
    records: u64,
}

/// Reads what a snapshot of format 1 begins with, and returns what follows it, too.
pub(super) fn decode_first_summary(bytes: &[u8]) -> Result<(CountedSummary, &[u8]), WireError> {
    let (wire, rest) = take::<WireFirstSummary>(bytes)?;
    let WireFirstSummary { accepted, redriven, forgotten, started, finished, paused, epoch, last, records } = wire;
    let (finished, more) = (finished.to_vec(), Vec::new());
    let wire = WireSummary { accepted, redriven, forgotten, started, finished, more, paused, epoch, last, records };
    Ok((wire.into_counted()?, rest))
}

impl WireSummary {
    /// The summary of so many records.
    pub(super) fn of(summary: &SnapshotSummary, records: u64) -> Self {
        let counters = &summary.counters;
        let mut finished = std::vec![0; FIRST_ENDS];
        for end in AttemptEnd::ALL {
            let at = WireEnd::of(end) as usize;
            finished.resize(finished.len().max(at + 1), 0);
            finished[at] = counters.finished(end);
        }
        Self {
            accepted: counters.accepted,
            redriven: counters.redriven,
            forgotten: counters.forgotten_total(),
            started: counters.started,
            finished,
            more: MORE_FORGOTTEN.map(|status| counters.forgotten(status)).into(),
            paused: summary.paused,
            epoch: summary.epoch.number(),
            last: summary.last.as_micros(),
            records,
        }
    }

    /// What it says, when all that it counts is known.
    pub(super) fn into_counted(self) -> Result<CountedSummary, WireError> {
        let mut counters = FactCounters::default();
        (counters.accepted, counters.redriven) = (self.accepted, self.redriven);
        counters.started = self.started;
        let (mut finished, mut more) = (NumberedCounts(self.finished), NumberedCounts(self.more));
        let mut completed = self.forgotten;
        for (at, status) in MORE_FORGOTTEN.into_iter().enumerate() {
            let forgotten = more.take(at);
            counters = counters.with_forgotten(status, forgotten);
            completed = completed.saturating_sub(forgotten);
        }
        counters = counters.with_forgotten(Status::Completed, completed);
        for end in AttemptEnd::ALL {
            counters = counters.with_finished(end, finished.take(WireEnd::of(end) as usize));
        }
        if finished.has_more() || more.has_more() {
            return Err(WireError::Counter);
        }
        let (epoch, last) = (Epoch::new(self.epoch), Timestamp::from_micros(self.last));
        Ok((SnapshotSummary { counters, paused: self.paused, epoch, last }, self.records))
    }
}

/// Counts by number. Those of a newer program may be more, those of an older one fewer.
struct NumberedCounts(Vec<u64>);

impl NumberedCounts {
    fn take(&mut self, at: usize) -> u64 {
        self.0.get_mut(at).map_or(0, core::mem::take)
    }

    /// Whether something was counted that was not taken.
    fn has_more(&self) -> bool {
        self.0.iter().any(|count| *count > 0)
    }
}
