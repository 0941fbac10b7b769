//! From facts, or from none, to an engine.

use alloc::vec::Vec;

use super::command::{ErrorText, Outcome};
use super::delayed::Delayed;
use super::downtime::Downtime;
use super::effect::Output;
use super::event::GroupName;
use super::fact::{Change, Fact};
use super::gates::Gates;
use super::groups::EventGroups;
use super::ids::Seq;
use super::key::Key;
use super::metrics::{FactCounters, Histograms, Metrics, Tallies};
use super::runs::Runs;
use super::schedule::{ScheduleCursor, ScheduleName};
use super::shard::{Shard, ShardCount};
use super::state::{EngineState, ReplayError};
use super::store::{List, LiveState, Slot, Store};
use super::tickets::Tickets;
use super::{Config, Engine, Epoch, InvalidConfig, Phase, RecordView, Timestamp};

/// Rebuilds an engine from the facts of an earlier one.
///
/// ```
/// use eventful::{engine::{facts::Replay, Command, Engine, Output}, Config, Event, Timestamp};
///
/// let now = Timestamp::from_micros(1_700_000_000_000_000);
/// let mut out = Output::with_facts();
/// let mut engine = Engine::new(Config::default(), now, &mut out)?;
/// engine.execute(now, Command::Submit(Event::with_id("a", "payload")?), &mut out);
///
/// let mut replay = Replay::new(Config::default())?;
/// for fact in out.facts() {
///     replay.apply(fact)?;
/// }
/// assert_eq!(replay.state(), engine.durable_state());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Replay {
    config: Config,
    pub(super) state: EngineState,
    pub(super) last: Timestamp,
}

/// The state that facts determine. An engine and the replay of its facts have equal ones.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DurableState {
    /// Every record, ordered by key, without what facts do not determine: place and deadline.
    pub records: Vec<RecordView>,
    /// The fact counters.
    pub counters: FactCounters,
    /// True if the engine is paused.
    pub paused: bool,
    /// The groups that are paused, in the order of their names.
    pub paused_groups: Vec<GroupName>,
    /// The schedules with their cursors, in the order of their names.
    pub schedules: Vec<(ScheduleName, ScheduleCursor)>,
    /// The last epoch.
    pub epoch: Epoch,
    /// The times that do not count toward the retention of records that have outlived them.
    pub downtimes: Vec<Downtime>,
}

impl Replay {
    /// An engine without facts, not yet open.
    ///
    /// # Errors
    ///
    /// [`InvalidConfig`] when the configuration contradicts itself.
    pub fn new(config: Config) -> Result<Self, InvalidConfig> {
        config.validate()?;
        let state = EngineState::new(&config);
        Ok(Self { config, state, last: Timestamp::EPOCH })
    }

    /// Applies the next fact.
    ///
    /// # Errors
    ///
    /// [`ReplayError`] when the fact does not follow from those before it; nothing has changed.
    pub fn apply(&mut self, fact: &Fact) -> Result<(), ReplayError> {
        self.state.apply(fact, self.last)?;
        self.last = self.last.max(fact.at);
        Ok(())
    }

    /// Returns the state that the facts so far determine.
    pub fn state(&self) -> DurableState {
        self.state.durable()
    }

    /// Returns the key of a record that is not of this shard, if there is one.
    pub fn misplaced(&self, shards: ShardCount, shard: Shard) -> Option<Key> {
        // One shard has all keys: there is nothing to search for.
        if shards == ShardCount::ONE {
            return None;
        }
        let store = self.store();
        store.locations().map(|location| store.key(location)).find(|key| shards.shard_of(key) != shard).cloned()
    }

    pub(super) fn store(&self) -> &Store {
        &self.state.store
    }

    /// Opens the engine: raises the epoch, ends the runs that were in flight as crashed, and feeds
    /// what waits. `now` counts as the time of the last fact when it lies before it.
    pub fn open(self, now: Timestamp, out: &mut Output) -> Engine {
        self.open_with(now, Tallies::default(), Histograms::default(), out)
    }

    /// The same in the place of an engine that was given up, with its metrics: its tallies and
    /// histograms, which are in no fact, are continued, so that the counters of a process never fall.
    pub fn open_instead(self, now: Timestamp, before: Metrics, out: &mut Output) -> Engine {
        self.open_with(now, before.tallies, before.histograms, out)
    }

    fn open_with(self, now: Timestamp, tallies: Tallies, histograms: Histograms, out: &mut Output) -> Engine {
        // The engine's time never goes back, whatever the clock of this process says.
        let (now, last) = (now.max(self.last), self.last);
        let (groups, gates) = (EventGroups::new(self.config.seed()), Gates::new(&self.config));
        let mut engine = Engine {
            config: self.config,
            now,
            phase: Phase::Running,
            state: self.state,
            run_number: 0,
            line: List::default(),
            delayed: Delayed::default(),
            groups,
            gates,
            tickets: Tickets::new(),
            blocked_since: None,
            holds_expiry: false,
            runs: Runs::default(),
            tallies,
            histograms,
        };
        // First: the epoch separates the runs of this opening from all earlier ones.
        engine.raise_epoch(last, out);
        engine.place_all();
        // Before anything is fed, so that no run of an earlier opening is in flight when one starts.
        engine.crash_all(out);
        engine.feed(out);
        engine
    }
}

impl Engine {
    /// Opens an engine that remembers nothing. Its epoch is `now`, in microseconds.
    ///
    /// # Errors
    ///
    /// [`InvalidConfig`] when the configuration contradicts itself.
    pub fn new(config: Config, now: Timestamp, out: &mut Output) -> Result<Self, InvalidConfig> {
        Ok(Replay::new(config)?.open(now, out))
    }

    /// Returns the state that facts determine, to be compared with a replay of them.
    pub fn durable_state(&self) -> DurableState {
        self.state.durable()
    }

    fn raise_epoch(&mut self, last: Timestamp, out: &mut Output) {
        // Above the last epoch in any case, also with a clock that is behind.
        let epoch = Epoch::new(self.now.as_micros().max(self.state.epoch.number().saturating_add(1)));
        out.fact(self.now, || Change::Epoch(epoch));
        self.state.open(self.now, last, epoch);
    }

    /// Puts waiting records where they wait, in the order of their times and then of their acceptance, and runs with the runs.
    fn place_all(&mut self) {
        self.apply_policies();
        self.join_groups();
        let live = &self.state.store.live;
        let mut waiting: Vec<(Timestamp, Option<Seq>, Slot)> = live
            .iter()
            .filter_map(|(slot, record)| match record.state {
                LiveState::Waiting(waiting) => Some((waiting.eligible_at, record.seq, slot)),
                LiveState::Processing(_) | LiveState::Failed { .. } => None,
            })
            .collect();
        // By time, then by acceptance: the order does not depend on the places in memory.
        waiting.sort();
        waiting.into_iter().for_each(|(eligible_at, _, slot)| self.wait(slot, eligible_at));

        let live = &self.state.store.live;
        let runs = live.iter().filter(|(_, record)| matches!(record.state, LiveState::Processing(_)));
        let runs: Vec<Slot> = runs.map(|(slot, _)| slot).collect();
        // With the deadline of now, as none is known; they end before any sweep.
        runs.into_iter().for_each(|slot| self.runs.insert(&mut self.state.store.live, slot, self.now));
    }

    /// Gives every record its type policy, and those of runs in flight their passes.
    fn apply_policies(&mut self) {
        // Without policies no record has one, and an opening with many records is spared a visit to each.
        if self.config.types.is_empty() {
            return;
        }
        let slots: Vec<Slot> = self.state.store.live.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            let policy = self.policy_of(&self.state.store.live[slot].event);
            let record = &mut self.state.store.live[slot];
            record.policy = policy;
            if let (Some(gate), LiveState::Processing(_)) = (policy, record.state) {
                self.gates.count_run(gate);
            }
        }
    }

    /// Ends every run, in the order of their numbers.
    fn crash_all(&mut self, out: &mut Output) {
        while let Some((_, slot)) = self.runs.first(&self.state.store.live) {
            let error = ErrorText::new("the process ended during this attempt");
            let finish = self.judge(slot, Outcome::Crashed { error });
            self.finish(slot, finish, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Event;

    #[test]
    fn records_that_do_not_agree_with_their_counts_are_found() {
        let mut replay = Replay::new(Config::default()).expect("a valid configuration");
        let event = Event::with_id("a", "x").expect("an id");
        replay.apply(&Fact { at: Timestamp::EPOCH, change: Change::Accepted(event) }).expect("the first fact");
        assert_eq!(replay.check(), Ok(()));

        let slot = replay.state.store.live.iter().map(|(slot, _)| slot).next().expect("a record");
        replay.state.store.live[slot].state = LiveState::failed(Timestamp::EPOCH);

        assert!(replay.check().is_err());
    }
}
