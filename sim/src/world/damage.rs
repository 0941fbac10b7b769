//! Recoveries from damaged copies of a journal, or with a clock that was set back.

use eventful::journal::{JournalStore as _, OpenError, Owner, Recovered, Sequence, recover};
use eventful::{
    Timestamp,
    engine::{Output, facts::Replay},
};

use super::journal::WorldJournal;
use super::state::World;
use crate::disk::{Damage, DamagedStore};
use crate::failure::{Broken, holds};
use crate::scenario::FaultKind;
use crate::seeded_rng::SeededRng;

/// The range from which a bit is drawn: more than a frame or a part of a run has, so that each can be chosen.
const BITS: u64 = 1 << 20;

/// The bytes of a record besides its event and its last error: its history, times and numbers. An upper bound.
const REST_BYTES: usize = 600;

impl WorldJournal {
    /// Returns the number of undamaged ways to recover without this snapshot.
    pub(super) fn ways_besides(&self, at: Sequence) -> usize {
        let snapshots = self.store.snapshots();
        let sound = snapshots.iter().filter(|other| **other != at && !self.rot.rotten.contains(other)).count();
        sound + usize::from(self.store.first() == Sequence::FIRST)
    }

    /// Returns whether a recovery is possible without the newest snapshot.
    pub(super) fn can_lose_the_newest(&self) -> bool {
        self.store.snapshots().last().is_some_and(|newest| self.ways_besides(*newest) > 0)
    }

    /// Checks that a recovery is possible without the snapshot that was just made.
    pub(super) fn judge_ways_back(&mut self, made: Sequence) -> Result<(), Broken> {
        // A snapshot may be made again in the place of a rotten one.
        self.rot.rotten.remove(&made);
        let excused = core::mem::take(&mut self.rot.has_struck_meanwhile);
        match excused || self.ways_besides(made) > 0 {
            true => Ok(()),
            false => Err(broken(format_args!(
                "the snapshot before frame {made} was made, but a recovery without it is impossible"
            ))),
        }
    }

    /// Checks that parts of snapshots are bounded by bytes, but for one record.
    pub(super) fn judge_parts(&self) -> Result<(), Broken> {
        let (Some(limit), largest) = (self.settings.part_bytes, self.store.largest_part()) else { return Ok(()) };
        let record = 2 * self.largest_fact + REST_BYTES;
        match largest <= limit + record {
            true => Ok(()),
            false => Err(Broken::new(
                "journal",
                9,
                format_args!(
                    "a part of a snapshot has {largest} bytes; it is full at {limit}, and a record has {record} at most"
                ),
            )),
        }
    }
}

impl World<'_> {
    /// Flips a bit of the newest snapshot, if a recovery is possible without it.
    pub(super) fn rot_snapshot(&mut self) {
        let Some(journal) = &mut self.journal else { return };
        let Some(newest) = journal.store.snapshots().last().copied() else { return };
        let may_rot = !journal.rot.rotten.contains(&newest) && journal.can_lose_the_newest();
        if !may_rot || !journal.store.rot_snapshot(newest, &mut journal.rot.stream) || !self.is_damaged(newest) {
            return;
        }
        let Some(journal) = &mut self.journal else { return };
        journal.rot.rotten.insert(newest);
        journal.rot.has_struck_meanwhile |= journal.rot.is_making;
        self.probe(FaultKind::SnapshotRots);
        self.note(|trace| trace.note_journal(|| format!("the snapshot before frame {newest} rots")));
    }

    /// Returns whether the store detects damage in a snapshot. A rotted byte may have no effect.
    fn is_damaged(&mut self, at: Sequence) -> bool {
        let opened = self.copy_of_journal(false).open(&Owner::new("an audit"));
        let mut parts = opened.into_iter().flat_map(|mut journal| (0..).map(move |part| journal.snapshot(at, part)));
        parts.find_map(|part| match part {
            Ok(Some(_)) => None,
            Ok(None) => Some(false),
            Err(_) => Some(true),
        }) == Some(true)
    }
}

impl World<'_> {
    /// Checks that a damaged snapshot loses nothing, as another way to recover is left, and that a damaged frame is
    /// refused.
    pub(super) fn audit_damaged(&mut self) -> Result<(), Broken> {
        let stream = &mut SeededRng::of(self.scenario.seed).stream("damage");
        let mut bit = || stream.below(BITS) as usize;
        let (snapshot, frame) = (Damage::Snapshot { bit: bit() }, Damage::Frame { bit: bit() });
        if self.journal.as_ref().is_some_and(|journal| journal.has_snapshot && journal.can_lose_the_newest()) {
            for damage in [snapshot, Damage::Exchanged, Damage::Vanished] {
                let (recovered, was_read) = self.recover_damaged(damage);
                let mut recovered = recovered.map_err(|error| {
                    broken(format_args!("a recovery fails when the newest snapshot is damaged: {error}"))
                })?;
                let is_reported = !was_read || !recovered.log.drain_damaged().is_empty();
                holds(is_reported, || {
                    broken(format_args!("damage to the newest snapshot is not reported: {damage:?}"))
                })?;
                self.seen().oracles.judge_found(&recovered.replay.state(), &self.key_table)?;
            }
        }
        match self.recover_damaged(Damage::Newer) {
            (Err(OpenError::TooNew(_)), true) | (Ok(_), false) => {}
            (Ok(_), true) => return Err(broken("the journal opens, although a newer program wrote a fact")),
            (Err(error), _) => {
                return Err(broken(format_args!("a fact of a newer program is reported as something else: {error}")));
            }
        }
        for damage in [frame, Damage::Stranger] {
            match self.recover_damaged(damage) {
                (Ok(_), true) => return Err(broken(format_args!("the journal opens in spite of damage: {damage:?}"))),
                (Err(OpenError::Corrupt(_)), true) | (Ok(_), false) => {}
                (Err(error), _) => {
                    return Err(broken(format_args!("{damage:?} is reported as something else: {error}")));
                }
            }
        }
        Ok(())
    }

    /// Recovers from a damaged copy. Returns the result, and whether anything damaged was read.
    fn recover_damaged(&mut self, damage: Damage) -> (Result<Recovered, OpenError>, bool) {
        let mut store = DamagedStore::new(self.copy_of_journal(true), damage);
        let recovered = recover(&mut store, &Owner::new("an audit"), &self.config, u64::MAX, &mut |_| {});
        (recovered, store.has_struck())
    }

    /// Checks that an engine that is opened with a clock that was set back continues from its last fact.
    pub(super) fn audit_clock(&self, found: Replay) -> Result<(), Broken> {
        let mut out = Output::with_facts();
        found.open(Timestamp::EPOCH, &mut out);
        let last = self.seen().oracles.facts().last().map(|fact| fact.at);
        match out.facts().first().map(|fact| fact.at) {
            opened if opened >= last => Ok(()),
            opened => Err(broken(format_args!("the engine opens at {opened:?}, before its last fact at {last:?}"))),
        }
    }
}

fn broken(what: impl core::fmt::Display) -> Broken {
    Broken::new("journal", 10, what)
}
