//! The state that facts determine, and the changes that they make.
//!
//! A command that decides a fact and a replay that reads it back call the same method here, so
//! the state that facts rebuild is the state that commands made.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use super::command::ErrorText;
use super::config::Config;
use super::downtime::DowntimeLog;
use super::event::{Event, GroupName};
use super::fact::{AfterRun, AttemptEnd, Change, Charge, Fact};
use super::ids::{Epoch, RunId, Seq};
use super::key::Key;
use super::metrics::FactCounters;
use super::schedule::{ScheduleCursor, ScheduleName};
use super::store::{ActiveRun, LiveState, Location, Slot, Store, TombstoneKind};
use super::thresholds::Thresholds;
use super::time::Timestamp;
use super::view::PastAttempt;

/// Records, counters, and whether the engine is paused.
#[derive(Debug)]
pub(super) struct EngineState {
    pub(super) store: Store,
    pub(super) counters: FactCounters,
    pub(super) paused: bool,
    pub(super) paused_groups: BTreeSet<GroupName>,
    pub(super) schedules: BTreeMap<ScheduleName, ScheduleCursor>,
    pub(super) epoch: Epoch,
    pub(super) downtimes: DowntimeLog,
    /// The time at which the first of the terminal records ended that belong to this state and are not here.
    pub(super) ended_elsewhere: Option<Timestamp>,
    pub(super) thresholds: Thresholds,
}

/// The end of a run, as decided.
#[derive(Debug, Clone)]
pub(super) struct Finish {
    pub(super) end: AttemptEnd,
    pub(super) error: Option<ErrorText>,
    pub(super) next: AfterRun,
    pub(super) charge: Charge,
}

/// A fact that does not follow from the facts before it: the journal is not one engine's, or not
/// whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem} (decided at {at}): the facts are not those of one engine from its start, restore them from a copy")]
pub struct ReplayError {
    problem: String,
    at: Timestamp,
}

impl EngineState {
    pub(super) fn new(config: &Config) -> Self {
        let (counters, paused, paused_groups, schedules, epoch, downtimes, ended_elsewhere) = Default::default();
        let thresholds = config.thresholds;
        let store = Store::new(config.seed(), &thresholds);
        Self { store, counters, paused, paused_groups, schedules, epoch, downtimes, ended_elsewhere, thresholds }
    }

    /// Applies a fact that was decided before. `last` is the time of the one before it.
    pub(super) fn apply(&mut self, fact: &Fact, last: Timestamp) -> Result<(), ReplayError> {
        let at = fact.at;
        // Each change is checked before it is made: a journal that lacks a fact is refused, and not replayed to another
        // state.
        match &fact.change {
            Change::Accepted(event) => self.replay_accepted(at, event)?,
            Change::Started { key, run } => self.start(at, self.waiting(at, key)?, *run),
            Change::Finished { key, run, end, error, next, charge } => {
                let slot = self.processing(at, key, *run)?;
                self.finish(at, slot, Finish { end: *end, error: error.clone(), next: *next, charge: *charge });
            }
            Change::Redriven(key) => self.redrive(at, self.failed(at, key)?),
            Change::Discarded(key) => self.discard(at, self.live(at, key)?),
            Change::Forgotten(keys) => self.replay_forgotten(at, keys)?,
            Change::Paused => self.pause(true),
            Change::Resumed => self.pause(false),
            Change::Epoch(epoch) => self.open(at, last, *epoch),
            Change::GroupPaused { group, paused } => self.pause_group(group.clone(), *paused),
            Change::Scheduled { schedule, cursor } => self.replay_scheduled(at, schedule, *cursor)?,
        }
        Ok(())
    }

    /// Applies the opening of the engine at `at`, after the last fact at `last`.
    pub(super) fn open(&mut self, at: Timestamp, last: Timestamp, epoch: Epoch) {
        self.epoch = epoch;
        // Records that are only in an older snapshot count too: they may have outlived more downtimes.
        let oldest = self.store.first_ended().into_iter().chain(self.ended_elsewhere).min();
        self.downtimes.open(at, last, oldest, self.thresholds.downtimes);
    }

    pub(super) fn accept(&mut self, at: Timestamp, hash: u64, event: Event) -> Slot {
        self.counters.accepted += 1;
        // The number follows from facts alone, so a replay gives each record the one that it had.
        self.store.insert(hash, event, at, Seq::new(self.counters.accepted))
    }

    pub(super) fn start(&mut self, at: Timestamp, slot: Slot, run: RunId) {
        self.counters.started += 1;
        let record = &mut self.store.live[slot];
        // Saturating, so that no number of attempts can panic.
        record.attempt = record.attempt.saturating_add(1);
        record.charge.charged = record.charge.charged.saturating_add(1);
        // The deadline is no fact: the engine sets it after this.
        self.store.advance(slot, LiveState::Processing(ActiveRun { id: run, started_at: at, deadline: at }));
    }

    pub(super) fn finish(&mut self, at: Timestamp, slot: Slot, finish: Finish) {
        self.counters.finish(finish.end);
        let state = match finish.next {
            AfterRun::Completed => return self.store.retire(slot, TombstoneKind::Completed, at),
            AfterRun::Failed => LiveState::failed(at),
            AfterRun::Retry { eligible_at } => LiveState::waiting(true, eligible_at),
        };
        let record = &mut self.store.live[slot];
        // As decided: a replay under another configuration must not charge otherwise.
        record.charge = finish.charge;
        let ActiveRun { id, started_at, .. } = *record.run();
        let past = PastAttempt { run: id, started_at, ended_at: at, end: finish.end, error: None };
        record.remember(past, finish.error, self.thresholds.history);
        self.store.advance(slot, state);
    }

    pub(super) fn redrive(&mut self, at: Timestamp, slot: Slot) {
        self.counters.redriven += 1;
        // A new life has all its attempts.
        self.store.live[slot].charge = Charge::default();
        // Not as a retry: its status is `Received`, as that of a new event.
        self.store.advance(slot, LiveState::waiting(false, at));
    }

    pub(super) fn discard(&mut self, at: Timestamp, slot: Slot) {
        // A run that an operator ends has no other fact that would count its end.
        if let LiveState::Processing(_) = self.store.live[slot].state {
            self.counters.finish(AttemptEnd::Discarded);
        }
        self.store.retire(slot, TombstoneKind::Discarded, at);
    }

    pub(super) fn forget(&mut self, location: Location) {
        self.counters.forget(self.store.status(location));
        self.store.forget(location);
    }

    pub(super) fn pause(&mut self, paused: bool) {
        self.paused = paused;
    }

    pub(super) fn pause_group(&mut self, group: GroupName, paused: bool) {
        match paused {
            true => drop(self.paused_groups.insert(group)),
            false => drop(self.paused_groups.remove(&group)),
        }
    }

    pub(super) fn set_cursor(&mut self, schedule: ScheduleName, cursor: Option<ScheduleCursor>) {
        match cursor {
            Some(cursor) => drop(self.schedules.insert(schedule, cursor)),
            None => drop(self.schedules.remove(&schedule)),
        }
    }

    fn replay_scheduled(
        &mut self,
        at: Timestamp,
        schedule: &ScheduleName,
        cursor: Option<ScheduleCursor>,
    ) -> Result<(), ReplayError> {
        let before = self.schedules.get(schedule);
        if let (Some(before), Some(after)) = (before, cursor)
            && after.decided <= before.decided
        {
            return Err(ReplayError::new(at, "decided twice", &schedule.key(after.decided)));
        }
        self.set_cursor(schedule.clone(), cursor);
        Ok(())
    }

    fn replay_accepted(&mut self, at: Timestamp, event: &Event) -> Result<(), ReplayError> {
        let hash = self.store.hash(event.key());
        // Also an expired one: an engine forgets that by a fact before it accepts the key again.
        if self.store.find(hash, event.key()).is_some() {
            return Err(ReplayError::new(at, "accepted, but it is known", event.key()));
        }
        self.accept(at, hash, event.clone());
        Ok(())
    }

    /// Finds all before it drops the first, so that a fact which does not follow changes nothing.
    fn replay_forgotten(&mut self, at: Timestamp, keys: &[Key]) -> Result<(), ReplayError> {
        if let [key] = keys {
            self.forget(self.terminal(at, key)?);
            return Ok(());
        }
        let found: Result<Vec<_>, _> = keys.iter().map(|key| Ok((self.terminal(at, key)?, key))).collect();
        let mut found = found?;
        // Sorted by place, so that a key that is named twice is next to itself.
        found.sort_by_key(|(location, _)| *location);
        if let Some(twice) = found.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(ReplayError::new(at, "forgotten twice by one fact", twice[0].1));
        }
        found.into_iter().for_each(|(location, _)| self.forget(location));
        Ok(())
    }

    fn find(&self, at: Timestamp, key: &Key) -> Result<Location, ReplayError> {
        let found = self.store.find(self.store.hash(key), key);
        found.ok_or_else(|| ReplayError::new(at, "changed, but it is not known", key))
    }

    fn live(&self, at: Timestamp, key: &Key) -> Result<Slot, ReplayError> {
        match self.find(at, key)? {
            Location::Live(slot) => Ok(slot),
            Location::Tombstone(_) => Err(ReplayError::new(at, "changed, but it has ended", key)),
        }
    }

    fn waiting(&self, at: Timestamp, key: &Key) -> Result<Slot, ReplayError> {
        let slot = self.live(at, key)?;
        match self.store.live[slot].state {
            LiveState::Waiting(_) => Ok(slot),
            LiveState::Processing(_) | LiveState::Failed { .. } => {
                Err(ReplayError::new(at, "started, but it does not wait", key))
            }
        }
    }

    fn processing(&self, at: Timestamp, key: &Key, run: RunId) -> Result<Slot, ReplayError> {
        let slot = self.live(at, key)?;
        match self.store.live[slot].state {
            LiveState::Processing(active) if active.id == run => Ok(slot),
            LiveState::Processing(_) | LiveState::Waiting(_) | LiveState::Failed { .. } => {
                Err(ReplayError::new(at, "finished, but this run of it is not in flight", key))
            }
        }
    }

    fn failed(&self, at: Timestamp, key: &Key) -> Result<Slot, ReplayError> {
        let slot = self.live(at, key)?;
        match self.store.live[slot].state {
            LiveState::Failed { .. } => Ok(slot),
            LiveState::Waiting(_) | LiveState::Processing(_) => {
                Err(ReplayError::new(at, "redriven, but it has not failed", key))
            }
        }
    }

    fn terminal(&self, at: Timestamp, key: &Key) -> Result<Location, ReplayError> {
        let location = self.find(at, key)?;
        match self.store.terminal_at(location) {
            Some(_) => Ok(location),
            None => Err(ReplayError::new(at, "forgotten, but it has not ended", key)),
        }
    }
}

impl ReplayError {
    pub(super) fn new(at: Timestamp, problem: &str, key: &Key) -> Self {
        Self { problem: alloc::format!("{key} was {problem}"), at }
    }

    pub(super) fn unsound(at: Timestamp) -> Self {
        Self { problem: "the records are not as many as the counters say".to_string(), at }
    }
}
