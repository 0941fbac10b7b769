//! The records that follow from facts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use eventful::{
    Config, Event, Status, Timestamp,
    engine::{Epoch, FailedOverflow, GroupName, RunId, ScheduleCursor, ScheduleName, facts::Change},
};

use super::downtimes::ReferenceDowntimes;
use super::{FactCounts, Lifecycle, ReferenceRecord, group_policy_of};
use crate::failure::{Broken, holds};
use crate::scenario::EventNumber;

/// A fold of facts: the records that follow from them, and their sums.
///
/// Each fact is checked before it is applied: one that cannot follow from those before it, or that the configuration
/// does not allow, breaks a promise.
#[derive(Debug, Clone)]
pub struct ReferenceState {
    /// The configuration of the engine whose facts these are.
    pub config: Config,
    /// Records by the numbers of their keys.
    pub(super) records: Vec<Option<Box<ReferenceRecord>>>,
    /// Runs in flight, with their events, in the order of their starts.
    pub inflight: Vec<(RunId, EventNumber)>,
    /// The number of records by status.
    pub by_status: [u64; Status::ALL.len()],
    /// The bytes of events that are not terminal.
    pub bytes: u64,
    /// The bytes of failed events, with their errors.
    pub failed_bytes: u64,
    /// The number of facts of each kind.
    pub counts: FactCounts,
    /// The counts when the engine was last opened.
    pub counts_at_opening: FactCounts,
    /// True if the engine is paused.
    pub paused: bool,
    /// The groups that are paused.
    pub paused_groups: BTreeSet<GroupName>,
    /// The schedules with their cursors.
    pub schedules: BTreeMap<ScheduleName, ScheduleCursor>,
    /// The engine's epoch; none if no opening is among the facts.
    pub epoch: Option<Epoch>,
    /// The time of the last fact.
    pub last: Timestamp,
    pub(super) last_run: Option<RunId>,
    pub(super) downtimes: ReferenceDowntimes,
}

impl ReferenceState {
    /// Creates the state of an engine without any fact.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            records: Vec::new(),
            inflight: Vec::new(),
            by_status: [0; Status::ALL.len()],
            bytes: 0,
            failed_bytes: 0,
            counts: FactCounts::default(),
            counts_at_opening: FactCounts::default(),
            paused: false,
            paused_groups: BTreeSet::new(),
            schedules: BTreeMap::new(),
            epoch: None,
            last: Timestamp::EPOCH,
            last_run: None,
            downtimes: ReferenceDowntimes::default(),
        }
    }

    /// Returns the record of an event, however long ago it ended.
    pub fn record(&self, event: EventNumber) -> Option<&ReferenceRecord> {
        self.records.get(usize::from(event))?.as_deref()
    }

    /// Returns the record of an event, unless its retention has ended: forgotten or not, it is absent then.
    pub fn present(&self, event: EventNumber, now: Timestamp) -> Option<&ReferenceRecord> {
        self.record(event).filter(|record| !self.is_expired(record.stage, now))
    }

    /// Returns the first event that has failed and so stops this group, which is one that halts.
    pub fn halted_by(&self, group: &str) -> Option<EventNumber> {
        let is_halting = group_policy_of(&self.config, group).halts();
        let failed = self.all().filter(|(_, record)| is_halting && record.status() == Status::Failed);
        let failed = failed.filter(|(_, record)| record.event.group() == Some(group));
        failed.min_by_key(|(_, record)| record.seq).map(|(event, _)| event)
    }

    /// Returns whether the event stops its group while it is failed.
    pub fn would_halt(&self, event: &Event) -> bool {
        event.group().is_some_and(|group| group_policy_of(&self.config, group).halts())
    }

    /// Returns every record, with the number of its event.
    pub fn all(&self) -> impl Iterator<Item = (EventNumber, &ReferenceRecord)> {
        (0..).zip(&self.records).filter_map(|(event, record)| Some((event, record.as_deref()?)))
    }

    /// Returns the first time, in whole seconds that are rounded up, since which a pending event waits.
    pub fn oldest_pending(&self) -> Option<Timestamp> {
        let pending = self.all().filter(|(_, record)| !record.status().is_terminal());
        let since = pending.map(|(_, record)| record.pending_since().as_micros()).min()?;
        Some(Timestamp::from_micros(since.div_ceil(1_000_000) * 1_000_000))
    }

    /// Returns the time at which the first of the failed events failed.
    pub fn oldest_failed(&self) -> Option<Timestamp> {
        let failed = self.all().filter(|(_, record)| record.status() == Status::Failed);
        failed.filter_map(|(_, record)| record.stage.terminal_at()).min()
    }

    /// Returns the event whose current run this is.
    pub fn of_run(&self, run: RunId) -> Option<EventNumber> {
        self.inflight.iter().find(|(current, _)| *current == run).map(|(_, event)| *event)
    }

    /// Returns the number of events that are not terminal.
    pub const fn pending(&self) -> u64 {
        self.count(Status::Received) + self.count(Status::Processing) + self.count(Status::FailedRetry)
    }

    /// Returns the number of records of this status.
    pub const fn count(&self, status: Status) -> u64 {
        self.by_status[status as usize]
    }

    /// Returns the number of all records.
    pub fn total(&self) -> u64 {
        self.by_status.iter().sum()
    }

    /// Returns the time at which the retention of a record in this stage ends. Downtimes do not count. A failed event
    /// may be kept without end.
    pub fn forgets_at(&self, stage: Lifecycle) -> Option<Timestamp> {
        let at = stage.terminal_at()?;
        let is_failed = matches!(stage, Lifecycle::Failed(_));
        // Without a retention of their own failed events are kept until an operator decides.
        let retention = if is_failed { self.config.failed_retention? } else { self.config.retention };
        Some(at + retention + self.downtimes.since(at))
    }

    /// Returns whether the retention of a record in this stage has ended.
    pub fn is_expired(&self, stage: Lifecycle, now: Timestamp) -> bool {
        self.forgets_at(stage).is_some_and(|end| end <= now)
    }

    /// Returns the time at which the first terminal record is to be forgotten, among those that have their event
    /// (`whole`) or the others. They are forgotten in the order in which they ended, even where downtimes that are no
    /// longer kept apart let one that ended later expire sooner. If failed events exceed their bound and the oldest
    /// are dropped, the time is now.
    pub fn first_end(&self, whole: bool) -> Option<Timestamp> {
        let ended = self.all().map(|(_, record)| record.stage).filter(|stage| stage.is_tombstone() != whole);
        let first = ended.filter(|stage| stage.terminal_at().is_some()).min_by_key(|stage| stage.terminal_at())?;
        match whole && self.drops_oldest() && self.has_failed_overflow() {
            true => first.terminal_at(),
            false => self.forgets_at(first),
        }
    }

    /// Returns the longest time by which a record is kept beyond its retention, where downtimes are no longer kept
    /// apart.
    pub fn most_longer(&self) -> Duration {
        let all = self.downtimes.all();
        let is_full = all.len() >= self.config.thresholds().downtimes;
        all.iter().filter(|_| is_full).map(|downtime| downtime.lasted).sum()
    }

    /// Returns whether failed events have more bytes than are allowed.
    pub const fn has_failed_overflow(&self) -> bool {
        self.failed_bytes > self.config.max_failed_bytes as u64
    }

    /// Returns whether failed events are dropped, the oldest first, if they have more bytes than are allowed.
    pub fn drops_oldest(&self) -> bool {
        self.config.failed_overflow == FailedOverflow::DropOldest
    }

    /// Checks that no run is in flight in an engine that was just opened.
    ///
    /// # Errors
    ///
    /// [`Broken`] if one is.
    pub fn judge_opened(&self) -> Result<(), Broken> {
        let open = self.inflight.first();
        holds(open.is_none(), || broken(4, format_args!("the engine was opened, but a run is in flight: {open:?}")))
    }

    /// Checks that there are no more runs than permits.
    ///
    /// # Errors
    ///
    /// [`Broken`] if there are.
    pub fn judge_permits(&self) -> Result<(), Broken> {
        let (inflight, limit) = (self.inflight.len(), self.config.concurrency.get());
        holds(inflight <= limit, || broken(5, format_args!("{inflight} runs are in flight, the limit is {limit}")))
    }
}

/// Returns the violation of a fact that cannot follow.
pub(super) fn unfit(promise: u8, event: EventNumber, stage: Option<Lifecycle>, change: &Change) -> Broken {
    broken(promise, format_args!("event {event} is {stage:?}, which cannot lead to {change:?}"))
}

#[cold]
pub(super) fn broken(promise: u8, what: impl std::fmt::Display) -> Broken {
    Broken::new("expected", promise, what)
}
