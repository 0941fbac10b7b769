//! The encoding of a snapshot's summary.

use std::vec::Vec;

use serde::{Deserialize, Serialize};

use super::wire::{WireEnd, WireError, take};
use crate::engine::{
    Epoch, FactCounters, Status, Timestamp,
    facts::{AttemptEnd, SnapshotSummary},
};

/// A summary, and the number of records in the snapshot.
pub(super) type CountedSummary = (SnapshotSummary, u64);

/// The number of kinds of ended runs in a snapshot of format 1.
const FIRST_ENDS: usize = 8;

/// The statuses whose forgotten records have counters of their own, the first of the counters that were added later;
/// all others had completed. Records that were forgotten before there were such counters count as completed, as nearly
/// all of them were.
const MORE_FORGOTTEN: [Status; 2] = [Status::Failed, Status::Discarded];

/// The summary at the start of a snapshot of format 1.
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
    /// The number of records that follow.
    records: u64,
}

/// The summary at the end of a snapshot.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WireSummary {
    accepted: u64,
    redriven: u64,
    forgotten: u64,
    started: u64,
    /// Numbers of runs, by [`WireEnd`]. Ends that no run had may be missing.
    finished: Vec<u64>,
    /// Counters that were added later, in the order of their addition. Zeros may be missing.
    more: Vec<u64>,
    paused: bool,
    epoch: u64,
    last: u64,
    /// The number of records before it.
    records: u64,
}

/// Decodes the summary at the start of a snapshot of format 1, and returns it with the rest.
pub(super) fn decode_first_summary(bytes: &[u8]) -> Result<(CountedSummary, &[u8]), WireError> {
    let (wire, rest) = take::<WireFirstSummary>(bytes)?;
    let WireFirstSummary { accepted, redriven, forgotten, started, finished, paused, epoch, last, records } = wire;
    let (finished, more) = (finished.to_vec(), Vec::new());
    let wire = WireSummary { accepted, redriven, forgotten, started, finished, more, paused, epoch, last, records };
    Ok((wire.into_counted()?, rest))
}

impl WireSummary {
    /// Creates the summary of this many records.
    pub(super) fn of(summary: &SnapshotSummary, records: u64) -> Self {
        let counters = &summary.counters;
        let mut finished = std::vec![0; FIRST_ENDS];
        for end in AttemptEnd::ALL {
            let at = WireEnd::of(end) as usize;
            // An enum of a newer format may have more ends than the first one had.
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

    /// Returns the summary, if this program knows all that it counts.
    pub(super) fn into_counted(self) -> Result<CountedSummary, WireError> {
        let mut counters = FactCounters::default();
        (counters.accepted, counters.redriven) = (self.accepted, self.redriven);
        counters.started = self.started;
        let (mut finished, mut more) = (NumberedCounts(self.finished), NumberedCounts(self.more));
        // Each counter of a status takes its part out of the total, which older programs have alone.
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
        // A counter that is dropped would fall, and metrics must not.
        if finished.has_more() || more.has_more() {
            return Err(WireError::Counter);
        }
        let (epoch, last) = (Epoch::new(self.epoch), Timestamp::from_micros(self.last));
        Ok((SnapshotSummary { counters, paused: self.paused, epoch, last }, self.records))
    }
}

/// Counts by number. A newer program may write more, an older one fewer.
struct NumberedCounts(Vec<u64>);

impl NumberedCounts {
    fn take(&mut self, at: usize) -> u64 {
        self.0.get_mut(at).map_or(0, core::mem::take)
    }

    /// Returns whether a counter is left that this program does not know.
    fn has_more(&self) -> bool {
        self.0.iter().any(|count| *count > 0)
    }
}
