//! An engine's records out of a replay, whole, and back into one.

use alloc::vec::Vec;

use super::downtime::Downtime;
use super::event::{Event, GroupName};
use super::ids::Epoch;
use super::metrics::FactCounters;
use super::replay::Replay;
use super::schedule::{ScheduleCursor, ScheduleName};
use super::state::{EngineState, ReplayError};
use super::store::{ActiveRun, LiveState, Location, Tombstone, TombstoneKind};
use super::time::Timestamp;
use super::{Config, Cursor, InvalidConfig, RecordView, Status};

/// A record, whole: what is known of it, and its event unless that was dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotRecord {
    /// The record of the event.
    pub record: RecordView,
    /// Its event; absent in a tombstone.
    pub event: Option<Event>,
}

/// The state that facts determine beside the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SnapshotSummary {
    /// The fact counters.
    pub counters: FactCounters,
    /// True if the engine is paused.
    pub paused: bool,
    /// The last epoch.
    pub epoch: Epoch,
    /// The time of the last fact.
    pub last: Timestamp,
}

impl SnapshotSummary {
    /// Returns whether there can be so many records, of which so many are processing, beside it.
    pub fn agrees(&self, records: u64, processing: u64) -> bool {
        let counters = &self.counters;
        // Every accepted event is a record or was forgotten; every started run has ended or is in flight.
        counters.accepted == records.saturating_add(counters.forgotten_total())
            && counters.started == counters.finished_total().saturating_add(processing)
    }
}

impl Replay {
    /// Returns the state that the facts so far determine beside the records.
    pub fn summary(&self) -> SnapshotSummary {
        let EngineState { counters, paused, epoch, .. } = self.state;
        SnapshotSummary { counters, paused, epoch, last: self.last }
    }

    /// The times that do not count toward the retention of records that have outlived them, the first
    /// first.
    pub fn downtimes(&self) -> impl Iterator<Item = Downtime> {
        self.state.downtimes.iter()
    }

    /// The groups that are paused, in the order of their names.
    pub fn paused_groups(&self) -> impl Iterator<Item = &GroupName> {
        self.state.paused_groups.iter()
    }

    /// The schedules with their cursors, in the order of their names.
    pub fn schedules(&self) -> impl Iterator<Item = (&ScheduleName, ScheduleCursor)> {
        self.state.schedules.iter().map(|(name, cursor)| (name, *cursor))
    }

    /// Records so far.
    pub fn len(&self) -> usize {
        self.state.store.len()
    }

    /// Records of this status so far.
    pub fn count(&self, status: Status) -> u64 {
        self.state.store.count(status)
    }

    /// The time at which the oldest pending event was accepted. The cost depends on the records that are
    /// pending or have failed.
    pub fn oldest_pending(&self) -> Option<Timestamp> {
        // Live records come first, so the scan ends where tombstones begin.
        let live = self.state.store.locations().map_while(|location| match location {
            Location::Live(slot) => Some(&self.state.store.live[slot]),
            Location::Tombstone(_) => None,
        });
        live.filter(|record| record.state.status() != Status::Failed).map(|record| record.accepted_at).min()
    }

    /// Returns whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Hands the records after `after` to `visit`, one by one, as long as that returns true. Returns where
    /// to continue; nothing at the end.
    pub fn visit_kept(&self, after: Cursor, visit: &mut dyn FnMut(SnapshotRecord) -> bool) -> Option<Cursor> {
        let mut scan = self.state.store.scan(after);
        while let Some(place) = scan.next() {
            if let Some(location) = place
                && !visit(self.keep(location))
            {
                return Some(scan.cursor());
            }
        }
        None
    }

    /// The records after `after`, about `limit` of them, and where to continue; no records at the end.
    pub fn kept(&self, after: Cursor, limit: usize) -> (Vec<SnapshotRecord>, Cursor) {
        let mut kept = Vec::with_capacity(limit);
        let mut scan = self.state.store.scan(after);
        while kept.len() < limit
            && let Some(place) = scan.next()
        {
            kept.extend(place.map(|location| self.keep(location)));
        }
        (kept, scan.cursor())
    }

    fn keep(&self, location: Location) -> SnapshotRecord {
        let event = match location {
            Location::Live(slot) => Some(self.state.store.live[slot].event.clone()),
            Location::Tombstone(_) => None,
        };
        SnapshotRecord { record: self.state.store.view(location).durable(), event }
    }
}

/// A replay that begins with records instead of with the facts that made them.
#[derive(Debug)]
pub struct SnapshotLoader {
    replay: Replay,
}

impl SnapshotLoader {
    /// A replay without records yet.
    ///
    /// # Errors
    ///
    /// [`InvalidConfig`] when the configuration contradicts itself.
    pub fn new(config: Config) -> Result<Self, InvalidConfig> {
        Ok(Self { replay: Replay::new(config)? })
    }

    /// Takes in the next record, in the order in which [`Replay::kept`] gave them.
    ///
    /// # Errors
    ///
    /// [`ReplayError`] when it is known already, or its parts contradict each other.
    pub fn put(&mut self, kept: SnapshotRecord) -> Result<(), ReplayError> {
        let SnapshotRecord { record, event } = kept;
        let store = &mut self.replay.state.store;
        let hash = store.hash(&record.key);
        // Two records of one key would make one of them unreachable.
        if store.find(hash, &record.key).is_some() {
            return Err(ReplayError::new(record.accepted_at, "kept twice", &record.key));
        }
        match (event, tombstone(&record)) {
            (None, Some(tombstone)) => store.add_tombstone(hash, tombstone),
            // The event must be the record's own.
            (Some(event), None) if *event.key() == record.key => {
                let Some(state) = state(&record) else { return Err(contradiction(&record)) };
                let slot = store.insert(hash, event, record.accepted_at, record.seq);
                let live = &mut store.live[slot];
                (live.attempt, live.charge) = (record.attempt, record.charge);
                // Before the state: `advance` adds up the bytes of a failed record, and its errors are among them.
                live.recall(record.last_error, record.history);
                store.advance(slot, state);
            }
            _ => return Err(contradiction(&record)),
        }
        Ok(())
    }

    /// Takes in the next downtime, in the order in which [`Replay::downtimes`] gave them.
    pub fn put_downtime(&mut self, downtime: Downtime) {
        let EngineState { downtimes, thresholds, .. } = &mut self.replay.state;
        downtimes.add(downtime, thresholds.downtimes);
    }

    /// Takes in the next paused group, in the order in which [`Replay::paused_groups`] gave them.
    pub fn put_paused_group(&mut self, group: GroupName) {
        self.replay.state.pause_group(group, true);
    }

    /// Takes in the next schedule, in the order in which [`Replay::schedules`] gave them.
    pub fn put_schedule(&mut self, schedule: ScheduleName, cursor: ScheduleCursor) {
        self.replay.state.set_cursor(schedule, Some(cursor));
    }

    /// The replay with this summary, when the records agree with it.
    ///
    /// # Errors
    ///
    /// [`ReplayError`] when they do not.
    pub fn finish(self, summary: &SnapshotSummary) -> Result<Replay, ReplayError> {
        let (records, processing) = (self.replay.len() as u64, self.replay.state.store.count(Status::Processing));
        match summary.agrees(records, processing) {
            true => Ok(self.finish_part(summary, None)),
            false => Err(ReplayError::unsound(summary.last)),
        }
    }

    /// The replay with this summary, which counts records, too, that were not put in; the first of those
    /// that have ended did so at `ended`. Only facts about those that were put in can be applied to it.
    pub fn finish_part(mut self, summary: &SnapshotSummary, ended: Option<Timestamp>) -> Replay {
        let SnapshotSummary { counters, paused, epoch, last } = *summary;
        let state = &mut self.replay.state;
        // Sorted once: snapshots hold records in another order than that in which they failed.
        state.store.sort_failed();
        (state.counters, state.paused, state.epoch) = (counters, paused, epoch);
        state.ended_elsewhere = ended;
        self.replay.last = last;
        self.replay
    }
}

fn contradiction(record: &RecordView) -> ReplayError {
    ReplayError::new(record.accepted_at, "kept with parts that contradict each other", &record.key)
}

/// The state of a live record.
fn state(record: &RecordView) -> Option<LiveState> {
    match record.status {
        Status::Received => Some(LiveState::waiting(false, record.eligible_at?)),
        Status::FailedRetry => Some(LiveState::waiting(true, record.eligible_at?)),
        Status::Processing => {
            let run = record.run?;
            Some(LiveState::Processing(ActiveRun { id: run.id, started_at: run.started_at, deadline: run.started_at }))
        }
        Status::Failed => Some(LiveState::failed(record.terminal_at?)),
        Status::Completed | Status::Discarded => None,
    }
}

/// The tombstone of a record that has ended.
fn tombstone(record: &RecordView) -> Option<Tombstone> {
    let kind = match record.status {
        Status::Completed => TombstoneKind::Completed,
        Status::Discarded => TombstoneKind::Discarded,
        Status::Received | Status::Processing | Status::FailedRetry | Status::Failed => return None,
    };
    Some(Tombstone {
        key: record.key.clone(),
        accepted_at: record.accepted_at,
        terminal_at: record.terminal_at?,
        attempt: record.attempt,
        digest: record.digest,
        kind,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::facts::{Change, Fact};

    #[test]
    fn records_are_given_in_parts_of_the_limit() {
        let mut replay = Replay::new(Config::default()).expect("the default is valid");
        assert!(replay.is_empty());
        for id in ["a", "b", "c"] {
            let event = Event::with_id(id, "x").expect("a short id");
            replay.apply(&Fact { at: Timestamp::EPOCH, change: Change::Accepted(event) }).expect("it is new");
        }
        assert!(!replay.is_empty());

        let (first, after) = replay.kept(Cursor::START, 2);
        let (rest, _) = replay.kept(after, 2);
        let ids = first.iter().chain(&rest).map(|kept| kept.record.key.id().into_text());
        assert_eq!((first.len(), rest.len()), (2, 1));
        assert_eq!(alloc::vec::Vec::from_iter(ids), ["a", "b", "c"]);
    }
}
