//! The expected log: the groups of facts that were acknowledged, compared with those of a journal.

use std::sync::Arc;

use eventful::engine::facts::{Change, DurableState, Fact};
use eventful::journal::{
    Journal as _, JournalStore, MaintainError, OpenError, Owner, Recovered, Sequence, WriteError, frame, recover, wire,
};

use super::history::BusyEngine;
use super::shared::SharedJournal;
use crate::failure::{Broken, holds};
use crate::key_table::KeyTable;
use crate::spec::ReferenceState;

const ORACLE: &str = "durability";

/// The groups that a journal must have, in order.
#[derive(Debug, Clone)]
pub struct ExpectedLog {
    keys: Arc<KeyTable>,
    /// The state without any group.
    empty: Arc<ReferenceState>,
    kept: Vec<ExpectedGroup>,
    /// The group of which it is unknown whether it was written.
    open: Option<ExpectedGroup>,
}

/// A group of facts, with the state after it.
#[derive(Debug, Clone)]
struct ExpectedGroup {
    facts: Arc<Vec<Fact>>,
    expected: Arc<ReferenceState>,
    /// The number of changes of the disk when the group was appended.
    given_at: u64,
    /// The number of changes of the disk when the group was acknowledged.
    kept_at: u64,
}

/// The number of groups, and whether another one is in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ExpectedLength {
    kept: usize,
    is_open: bool,
}

/// The groups that a journal has lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LostGroups {
    /// The number of lost groups, all of them at the end.
    pub groups: usize,
}

impl Default for ExpectedLog {
    fn default() -> Self {
        let (keys, empty) = (Arc::new(BusyEngine::key_table()), Arc::new(ReferenceState::new(BusyEngine::config())));
        Self { keys, empty, kept: Vec::new(), open: None }
    }
}

impl ExpectedLog {
    /// Returns the log as it was acknowledged when a disk had seen this many changes.
    pub fn as_of(&self, changes: u64) -> Self {
        let kept: Vec<ExpectedGroup> = self.kept.iter().take_while(|group| group.kept_at <= changes).cloned().collect();
        let next = self.kept.get(kept.len()).or(self.open.as_ref());
        let open = next.filter(|group| group.given_at <= changes).cloned();
        Self { kept, open, ..self.clone() }
    }

    /// Returns the length: two logs of one history with equal lengths are equal.
    pub(super) fn length(&self) -> ExpectedLength {
        ExpectedLength { kept: self.kept.len(), is_open: self.open.is_some() }
    }

    /// Returns the number of acknowledged groups.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Returns whether no group was acknowledged.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Notes that a group is appended to the journal.
    ///
    /// # Errors
    ///
    /// [`Broken`] if these facts cannot follow the ones before.
    pub fn give(&mut self, facts: &[Fact], changes: u64) -> Result<(), Broken> {
        let mut expected = ReferenceState::clone(self.expected(self.kept.len()));
        expected.apply_all(facts, &*self.keys)?;
        if facts.iter().any(|fact| matches!(fact.change, Change::Epoch(_))) {
            expected.judge_opened()?;
        }
        let (facts, expected) = (Arc::new(facts.to_vec()), Arc::new(expected));
        self.open = Some(ExpectedGroup { facts, expected, given_at: changes, kept_at: changes });
        Ok(())
    }

    /// Returns the state after the first groups.
    fn expected(&self, groups: usize) -> &ReferenceState {
        groups.checked_sub(1).map_or(&self.empty, |last| &self.kept[last].expected)
    }

    /// Returns the first difference between a state and that after the first groups.
    fn difference(&self, groups: usize, state: &DurableState) -> Option<String> {
        self.expected(groups).difference(state, &*self.keys)
    }

    /// Notes that the last group was acknowledged.
    pub fn keep(&mut self, changes: u64) {
        if let Some(group) = self.open.take() {
            self.kept.push(ExpectedGroup { kept_at: changes, ..group });
        }
    }

    /// Notes that the last group was refused.
    pub fn refuse(&mut self) {
        self.open = None;
    }

    /// Removes lost groups.
    fn lose(&mut self, kept: usize) {
        self.kept.truncate(kept);
        self.open = None;
    }
}

/// A journal that was opened and replayed.
#[derive(Debug)]
pub struct ReplayedJournal {
    journal: SharedJournal,
    recovered: Recovered,
}

/// Opens a journal and replays it.
///
/// # Errors
///
/// [`OpenError`]
pub fn open(store: &mut dyn JournalStore, snapshot_after: u64) -> Result<ReplayedJournal, OpenError> {
    let owner = Owner::new("a simulated process");
    let journal = SharedJournal::new(store.open(&owner)?);
    let recovered = recover(&mut journal.clone(), &owner, &BusyEngine::config(), snapshot_after, &mut |_| {})?;
    Ok(ReplayedJournal { journal, recovered })
}

impl ReplayedJournal {
    /// Returns the number of the next frame.
    pub fn next(&self) -> Sequence {
        self.recovered.log.next()
    }

    /// Compares the opened journal with the expected log, and decides whether a group in doubt is part of it.
    ///
    /// # Errors
    ///
    /// [`Broken`] if the journal has anything but a prefix of the groups that were appended.
    pub fn audit(&mut self, ledger: &mut ExpectedLog) -> Result<LostGroups, Broken> {
        let found = self.next().previous().number() as usize;
        // The group in doubt was written after all.
        if found == ledger.kept.len() + 1 && ledger.open.is_some() {
            ledger.keep(0);
        }
        ledger.refuse();
        if found > ledger.kept.len() {
            return broken(format_args!("the journal has {found} groups, but {} were appended", ledger.kept.len()));
        }
        self.audit_frames(ledger)?;
        if let Some(difference) = ledger.difference(found, &self.recovered.replay.state()) {
            return broken(format_args!(
                "the replay of {found} groups differs from the state of their facts: {difference}"
            ));
        }
        let lost = ledger.kept.len() - found;
        if lost > 0 {
            ledger.lose(found);
        }
        Ok(LostGroups { groups: lost })
    }

    /// Checks that every frame has the facts that were appended.
    fn audit_frames(&mut self, ledger: &ExpectedLog) -> Result<(), Broken> {
        let mut journal = self.journal.clone();
        let extent = journal.extent();
        let mut next = extent.first;
        let mut verdict = Ok(());
        while next < extent.end && verdict.is_ok() {
            let read = journal.read(next, usize::MAX, &mut |sequence, bytes| {
                let given = &ledger.kept[sequence.previous().number() as usize].facts;
                if verdict.is_ok() && facts_of(sequence, bytes).as_ref() != Some(&**given) {
                    verdict = broken(format_args!("frame {sequence} differs from what was appended"));
                }
            });
            match read {
                Ok(after) if after > next => next = after,
                Ok(_) => return broken(format_args!("frame {next} is missing")),
                // The frames were read at the opening, so only a fault of the disk makes this read fail.
                Err(_) => return verdict,
            }
        }
        verdict
    }

    /// Checks that every snapshot equals the state of the facts before it.
    ///
    /// # Errors
    ///
    /// [`Broken`]
    pub fn audit_snapshots(&mut self, ledger: &ExpectedLog) -> Result<(), Broken> {
        let snapshots = self.journal.snapshots().unwrap_or_default();
        for at in snapshots {
            let groups = at.previous().number() as usize;
            let (mut view, owner) = (self.journal.until(at), Owner::new("an audit"));
            match recover(&mut view, &owner, &BusyEngine::config(), u64::MAX, &mut |_| {}) {
                Ok(found) => {
                    let difference = ledger.difference(groups, &found.replay.state());
                    holds(difference.is_none(), || {
                        unkept(format_args!(
                            "the snapshot before frame {at} differs from the state of its facts: {difference:?}"
                        ))
                    })?;
                }
                Err(error) => return broken(format_args!("the snapshot before frame {at} is not readable: {error}")),
            }
        }
        Ok(())
    }

    /// Opens the engine. Returns it with the facts of its opening, which must be appended first.
    ///
    /// # Errors
    ///
    /// [`Broken`] if the epoch does not rise.
    pub fn begin(self, ledger: &ExpectedLog) -> Result<(JournaledEngine, Vec<Fact>), Broken> {
        let (history, facts) = BusyEngine::open(self.recovered.replay);
        let (epoch, last) = (Some(history.engine().epoch()), ledger.expected(ledger.len()).epoch);
        holds(epoch > last, || unkept(format_args!("{epoch:?} follows {last:?}, but epochs must rise")))?;
        Ok((JournaledEngine { log: self.recovered.log, history, journal: self.journal }, facts))
    }
}

/// An engine with its journal.
#[derive(Debug)]
pub struct JournaledEngine {
    /// The journal.
    pub log: eventful::journal::JournalLog,
    /// The engine.
    pub history: BusyEngine,
    journal: SharedJournal,
}

impl JournaledEngine {
    /// Appends a group of facts to the journal, and notes the result in the expected log. Returns the journal's
    /// result.
    ///
    /// # Errors
    ///
    /// [`Broken`] if the facts cannot follow the ones before.
    pub fn append(
        &mut self,
        facts: &[Fact],
        ledger: &mut ExpectedLog,
        changes: &dyn Fn() -> u64,
    ) -> Result<Result<(), WriteError>, Broken> {
        ledger.give(facts, changes())?;
        let result = self.log.append(facts);
        match &result {
            Ok(()) => ledger.keep(changes()),
            // The group stays open: the next opening shows whether it was written.
            Err(WriteError::Unknown { .. }) => {}
            Err(_) => ledger.refuse(),
        }
        Ok(result)
    }

    /// Does one step of maintenance, or makes a whole snapshot.
    ///
    /// # Errors
    ///
    /// The journal's [`MaintainError`].
    pub fn tend(&mut self, snapshot: bool) -> Result<(), MaintainError> {
        match snapshot {
            true => self.log.snapshot().map(drop),
            false => self.log.maintain(&|| self.history.engine().gauges()).map(drop),
        }
    }

    /// Checks what a journal keeps after it has made a snapshot: that one and the one before it, and no frame from
    /// before both.
    ///
    /// # Errors
    ///
    /// [`Broken`] if it keeps more.
    pub fn judge_kept(&mut self) -> Result<(), Broken> {
        // Only a fault of the disk makes this read fail.
        let Ok(snapshots) = self.journal.snapshots() else { return Ok(()) };
        let (first, oldest) = (self.journal.extent().first, snapshots.first().copied());
        holds(snapshots.len() <= 2 && oldest.is_none_or(|oldest| first >= oldest || snapshots.len() < 2), || {
            Broken::new("bounds", 9, format_args!("with the snapshots {snapshots:?} frames are kept from {first} on"))
        })
    }
}

/// Returns the facts in a frame.
fn facts_of(sequence: Sequence, bytes: &[u8]) -> Option<Vec<Fact>> {
    let frame = frame::decode(bytes).ok().filter(|frame| frame.header.sequence == sequence)?;
    let (mut facts, mut body) = (Vec::new(), frame.body);
    while !body.is_empty() {
        let (fact, rest) = wire::decode(body).ok()?;
        facts.push(fact);
        body = rest;
    }
    Some(facts)
}

fn broken<T>(what: impl core::fmt::Display) -> Result<T, Broken> {
    Err(unkept(what))
}

fn unkept(what: impl core::fmt::Display) -> Broken {
    Broken::new(ORACLE, 10, what)
}
