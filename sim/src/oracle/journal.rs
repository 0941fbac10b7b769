//! P10: nothing is shown before it is durable, and an opening recovers what was appended. P9: the backlog of the
//! journal is bounded.

use eventful::node::CommitLimits;
use eventful::{
    Config, Timestamp,
    engine::{
        Bound,
        facts::{DurableState, Fact},
    },
};

use super::{CommandSummary, Observation};
use crate::failure::{Broken, holds};
use crate::key_table::KeyTable;
use crate::spec::{ReferenceState, fact_bytes};

const ORACLE: &str = "journal";

/// The part of `max_unsynced_bytes` that expiry may fill, as the node has it.
const PATIENT_SHARE: usize = 16;

/// The state of the journal according to its results. Facts are counted in the order of their decision.
#[derive(Debug)]
pub(crate) struct JournaledFacts {
    /// The number of acknowledged facts.
    acknowledged: usize,
    /// The number of further facts that are being written, with an unknown result.
    given: usize,
    /// The number of facts that the node knows to be durable.
    pub(crate) reported: usize,
    /// The bytes of facts that the node does not know to be durable.
    pub(crate) unsynced_bytes: usize,
    relaxed_starts: bool,
    limits: CommitLimits,
    /// The free space that was last reported to the node.
    room_bytes: u64,
    pub(crate) is_reachable: bool,
    /// The first and the last fact, and one more, of steps that must become durable as a whole.
    together: Vec<(usize, usize)>,
}

impl JournaledFacts {
    pub(super) const fn new(limits: CommitLimits, relaxed_starts: bool) -> Self {
        Self {
            acknowledged: 0,
            given: 0,
            reported: 0,
            unsynced_bytes: 0,
            relaxed_starts,
            limits,
            room_bytes: u64::MAX,
            is_reachable: true,
            together: Vec::new(),
        }
    }

    /// Notes that these facts become durable together, or none of them.
    pub(super) fn keep_together(&mut self, first: usize, end: usize) {
        self.together.push((first, end));
    }

    /// Returns whether every handler call is durably charged before it happens.
    pub(super) const fn bounds_calls(&self) -> bool {
        !self.relaxed_starts
    }

    /// Checks the next group that is written. `facts` are all facts.
    pub(super) fn give(&mut self, facts: &[Fact], group: &[Fact]) -> Result<(), Broken> {
        self.given = group.len();
        let end = self.acknowledged + group.len();
        self.together.retain(|(_, last)| *last > self.acknowledged);
        let split = self.together.iter().find(|(first, last)| (first + 1..*last).contains(&end));
        holds(split.is_none(), || {
            broken(format_args!(
                "a group ends with fact {end}, but facts {split:?} are those of one run with follow-ups"
            ))
        })?;
        holds(facts[self.acknowledged..].starts_with(group), || {
            broken(format_args!("the next fact is {}, but the group being written is {group:?}", self.acknowledged))
        })
    }

    /// Returns the number of facts at the end of the group that is given that must be in one group.
    pub(crate) fn last_together(&self) -> usize {
        let end = self.acknowledged + self.given;
        self.together.iter().find(|(_, last)| *last == end).map_or(1, |(first, last)| last - first)
    }

    /// Notes that the group is durable.
    pub(crate) const fn acknowledge(&mut self) {
        self.acknowledged += self.given;
        self.given = 0;
    }

    /// Notes that nothing of the group was written.
    pub(crate) const fn refuse(&mut self) {
        self.given = 0;
    }

    /// Notes that the node knows of everything durable. `facts` are all facts.
    pub(crate) fn report(&mut self, facts: &[Fact]) {
        let reported = &facts[self.reported..self.acknowledged];
        self.unsynced_bytes -= reported.iter().map(fact_bytes).sum::<usize>();
        self.reported = self.acknowledged;
    }

    /// Notes the free space and the reachability that are reported to the node.
    pub(crate) const fn measure(&mut self, room_bytes: u64, is_reachable: bool) {
        (self.room_bytes, self.is_reachable) = (room_bytes, is_reachable);
    }

    /// Notes facts that were decided.
    pub(super) fn decide(&mut self, facts: &[Fact]) {
        self.unsynced_bytes += facts.iter().map(fact_bytes).sum::<usize>();
    }

    /// Returns the free space for new events.
    pub(crate) const fn room(&self) -> u64 {
        self.room_bytes.saturating_sub(self.limits.reserve_bytes.saturating_add(self.unsynced_bytes as u64))
    }

    /// Returns the time of the oldest fact that the node does not know to be durable. `facts` are all facts.
    pub(crate) fn unsynced_since(&self, facts: &[Fact]) -> Option<Timestamp> {
        facts.get(self.reported).map(|fact| fact.at)
    }

    /// Returns whether facts have not been durable for longer than calls wait. `facts` are all facts.
    pub(crate) fn is_stuck(&self, now: Timestamp, facts: &[Fact]) -> bool {
        self.unsynced_since(facts).is_some_and(|since| since + self.limits.answer_timeout <= now)
    }

    /// Returns the reason why the journal takes no new event of this size, if there is one.
    pub(crate) fn refusal(&self, now: Timestamp, size_bytes: usize, facts: &[Fact]) -> Option<Bound> {
        if !self.is_reachable {
            Some(Bound::JournalUnreachable)
        } else if size_bytes as u64 > self.room() {
            Some(Bound::Disk)
        } else {
            (self.is_stuck(now, facts) || self.unsynced_bytes >= self.limits.max_unsynced_bytes)
                .then_some(Bound::JournalSlow)
        }
    }

    /// Checks that sweeps forget exactly while the journal keeps up.
    pub(crate) fn judge_gate(&self, said: CommandSummary, holds_expiry: bool) -> Result<(), Broken> {
        let is_gated = !matches!(
            said,
            CommandSummary::EnqueueFailed(..) | CommandSummary::HoldExpiry | CommandSummary::ReleaseExpiry
        );
        let is_behind = self.unsynced_bytes > self.limits.max_unsynced_bytes / PATIENT_SHARE;
        holds(!is_gated || is_behind == holds_expiry, || {
            let bytes = self.unsynced_bytes;
            Broken::new(ORACLE, 9, format_args!("{bytes} bytes are not durable, but expiry is held: {holds_expiry}"))
        })
    }

    /// Checks that a result may be shown that follows from the first `decided` facts.
    pub(crate) fn judge_shown(&self, what: &str, decided: usize) -> Result<(), Broken> {
        holds(decided <= self.acknowledged, || {
            let acknowledged = self.acknowledged;
            broken(format_args!(
                "{what} follows from fact {decided}, but the journal has acknowledged only {acknowledged}"
            ))
        })
    }

    /// Checks that a handler may be called whose run was started by one of the first `decided` facts.
    pub(crate) fn judge_call(&self, decided: usize) -> Result<(), Broken> {
        match self.relaxed_starts {
            true => Ok(()),
            false => self.judge_shown("a call of a handler", decided),
        }
    }

    /// Checks that the journal has the acknowledged facts, and the group in doubt as a whole or not at all. Returns
    /// the state of these facts, their number, and whether the group in doubt is there, if there was one.
    pub(super) fn recover(
        &mut self,
        facts: &[Fact],
        (found, last): (&DurableState, Timestamp),
        config: &Config,
        key_table: &KeyTable,
    ) -> Result<(ReferenceState, usize, Option<bool>), Broken> {
        let given = std::mem::take(&mut self.given);
        // What is not there is decided again, or not.
        self.together.clear();
        let (acknowledged, rest) = facts.split_at(self.acknowledged);
        let mut expected = ReferenceState::new(config.clone());
        expected.apply_all(acknowledged, key_table)?;
        let mut group = (given > 0).then_some(false);
        // A pause and its end make the same state as neither.
        let differs = |expected: &ReferenceState| {
            let is_later =
                || (expected.last != last).then(|| format!("its last fact is of {last}, expected {}", expected.last));
            expected.difference(found, key_table).or_else(is_later)
        };
        if let Some(difference) = differs(&expected) {
            expected.apply_all(&rest[..given], key_table)?;
            holds(given > 0 && differs(&expected).is_none(), || {
                broken(format_args!("the recovered state differs from the acknowledged facts: {difference}"))
            })?;
            self.acknowledged += given;
            group = Some(true);
        }
        (self.reported, self.unsynced_bytes, self.is_reachable) = (self.acknowledged, 0, true);
        Ok((expected, self.acknowledged, group))
    }
}

/// Checks that a state is that of the facts.
pub(super) fn judge_state(expected: &ReferenceState, state: &DurableState, key_table: &KeyTable) -> Result<(), Broken> {
    match expected.difference(state, key_table) {
        None => Ok(()),
        Some(difference) => Err(broken(format_args!("the state differs from that of the facts: {difference}"))),
    }
}

/// Checks the state after an opening: a new epoch, and no run.
pub(super) fn judge_opening(expected: &ReferenceState, seen: &Observation<'_>) -> Result<(), Broken> {
    let (engine, facts) = (Some(seen.engine.epoch()), expected.epoch);
    holds(engine == facts, || broken(format_args!("the engine has epoch {engine:?}, its facts {facts:?}")))?;
    expected.judge_opened()
}

fn broken(what: impl core::fmt::Display) -> Broken {
    Broken::new(ORACLE, 10, what)
}
