//! P10: nothing is shown before it is durable, and what comes back is what was appended. P9: what waits
//! for the journal is bounded.

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

/// The part of `max_unsynced_bytes` that expiry may fill.
const PATIENT_SHARE: usize = 16;

/// The journal's knowledge of the facts, as its results say. Facts are counted in the order of their decision.
#[derive(Debug)]
pub(crate) struct JournaledFacts {
    /// So many were acknowledged.
    acknowledged: usize,
    /// So many more were given to it, and nothing is known of them.
    given: usize,
    /// The node knows of so many that they are durable.
    pub(crate) reported: usize,
    /// Bytes of those that it does not know of.
    pub(crate) unsynced_bytes: usize,
    relaxed_starts: bool,
    limits: CommitLimits,
    /// The room of the journal that the node was last given.
    room_bytes: u64,
    pub(crate) is_reachable: bool,
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
        }
    }

    /// Returns whether no handler is called that is not charged permanently.
    pub(super) const fn bounds_calls(&self) -> bool {
        !self.relaxed_starts
    }

    /// The next group is given to the journal. These are all facts.
    pub(super) fn give(&mut self, facts: &[Fact], group: &[Fact]) -> Result<(), Broken> {
        self.given = group.len();
        holds(facts[self.acknowledged..].starts_with(group), || {
            broken(format_args!("fact {} was decided next, and written is {group:?}", self.acknowledged))
        })
    }

    /// The journal says that the group is durable.
    pub(crate) const fn acknowledge(&mut self) {
        self.acknowledged += self.given;
        self.given = 0;
    }

    /// The journal says that nothing of the group was written.
    pub(crate) const fn refuse(&mut self) {
        self.given = 0;
    }

    /// The node knows that all is durable that is. These are all facts.
    pub(crate) fn report(&mut self, facts: &[Fact]) {
        let reported = &facts[self.reported..self.acknowledged];
        self.unsynced_bytes -= reported.iter().map(fact_bytes).sum::<usize>();
        self.reported = self.acknowledged;
    }

    /// The node is given the room of its journal, and whether that is there.
    pub(crate) const fn measure(&mut self, room_bytes: u64, is_reachable: bool) {
        (self.room_bytes, self.is_reachable) = (room_bytes, is_reachable);
    }

    /// Facts were decided.
    pub(super) fn decide(&mut self, facts: &[Fact]) {
        self.unsynced_bytes += facts.iter().map(fact_bytes).sum::<usize>();
    }

    /// Returns what is left of the room for new events.
    pub(crate) const fn room(&self) -> u64 {
        self.room_bytes.saturating_sub(self.limits.reserve_bytes.saturating_add(self.unsynced_bytes as u64))
    }

    /// Returns when the oldest of these facts was decided that the node does not know to be durable.
    pub(crate) fn unsynced_since(&self, facts: &[Fact]) -> Option<Timestamp> {
        facts.get(self.reported).map(|fact| fact.at)
    }

    /// Returns whether one of these facts that is not durable has waited for longer than a result may.
    pub(crate) fn is_stuck(&self, now: Timestamp, facts: &[Fact]) -> bool {
        self.unsynced_since(facts).is_some_and(|since| since + self.limits.answer_timeout <= now)
    }

    /// Returns the bound for which the journal takes no new event of this size, if it takes none.
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

    /// Judges that sweeps forget exactly while the journal keeps up.
    pub(crate) fn judge_gate(&self, said: CommandSummary, holds_expiry: bool) -> Result<(), Broken> {
        let is_gated = !matches!(
            said,
            CommandSummary::EnqueueFailed(..) | CommandSummary::HoldExpiry | CommandSummary::ReleaseExpiry
        );
        let is_behind = self.unsynced_bytes > self.limits.max_unsynced_bytes / PATIENT_SHARE;
        holds(!is_gated || is_behind == holds_expiry, || {
            let bytes = self.unsynced_bytes;
            Broken::new(ORACLE, 9, format_args!("{bytes} bytes are not durable, and expiry is held: {holds_expiry}"))
        })
    }

    /// Judges that what was decided as one of the first `decided` facts may be shown.
    pub(crate) fn judge_shown(&self, what: &str, decided: usize) -> Result<(), Broken> {
        holds(decided <= self.acknowledged, || {
            let acknowledged = self.acknowledged;
            broken(format_args!("{what} follows from fact {decided}, the journal has acknowledged {acknowledged}"))
        })
    }

    /// Judges that a handler may be called whose run was started by one of the first `decided` facts.
    pub(crate) fn judge_call(&self, decided: usize) -> Result<(), Broken> {
        match self.relaxed_starts {
            true => Ok(()),
            false => self.judge_shown("a call of a handler", decided),
        }
    }

    /// Checks that the journal holds the facts that were acknowledged, and the group of which nothing was known,
    /// whole, or not at all. Returns the state that these facts make, how many they are, and whether that group is
    /// there, if there was one.
    pub(super) fn recover(
        &mut self,
        facts: &[Fact],
        (found, last): (&DurableState, Timestamp),
        config: &Config,
        key_table: &KeyTable,
    ) -> Result<(ReferenceState, usize, Option<bool>), Broken> {
        let given = std::mem::take(&mut self.given);
        let (acknowledged, rest) = facts.split_at(self.acknowledged);
        let mut expected = ReferenceState::new(config.clone());
        expected.apply_all(acknowledged, key_table)?;
        let mut group = (given > 0).then_some(false);
        // A pause and its end make the same state as neither.
        let differs = |expected: &ReferenceState| {
            let is_later =
                || (expected.last != last).then(|| format!("its last fact is of {last}, not of {}", expected.last));
            expected.difference(found, key_table).or_else(is_later)
        };
        if let Some(difference) = differs(&expected) {
            expected.apply_all(&rest[..given], key_table)?;
            holds(given > 0 && differs(&expected).is_none(), || {
                broken(format_args!("the journal does not give back what was acknowledged: {difference}"))
            })?;
            self.acknowledged += given;
            group = Some(true);
        }
        (self.reported, self.unsynced_bytes, self.is_reachable) = (self.acknowledged, 0, true);
        Ok((expected, self.acknowledged, group))
    }
}

/// Judges that this state is what the facts make.
pub(super) fn judge_state(expected: &ReferenceState, state: &DurableState, key_table: &KeyTable) -> Result<(), Broken> {
    match expected.difference(state, key_table) {
        None => Ok(()),
        Some(difference) => Err(broken(format_args!("what is there is not what was decided: {difference}"))),
    }
}

/// Judges what is there after an opening: a new epoch, and no run.
pub(super) fn judge_opening(expected: &ReferenceState, seen: &Observation<'_>) -> Result<(), Broken> {
    let (engine, facts) = (Some(seen.engine.epoch()), expected.epoch);
    holds(engine == facts, || broken(format_args!("the engine is of epoch {engine:?}, its facts of {facts:?}")))?;
    expected.judge_opened()
}

fn broken(what: impl core::fmt::Display) -> Broken {
    Broken::new(ORACLE, 10, what)
}
