//! Groups: events that share order and limits, and the gate that each group has.
//!
//! ```text
//! delayed ──due──▶ group gate ──▶ type gate ──▶ line ──▶ queued ──▶ run
//! ```
//!
//! Of one group at most one record is past its gate and has not started. When it starts, the next one passes, and joins
//! the tail of what comes behind the gate: so groups take turns, however many events one of them has.
//!
//! In a group in order (`Fifo`) the record that passes takes the *turn*, and keeps it until the event ends, over retries,
//! snoozes and restarts. The others wait at the gate in the order in which they became due, and of acceptance.
//!
//! In a group that halts (`OnFailure::Halt`) a failed record stops the others, until it is redriven, discarded or
//! forgotten. A redriven one takes the turn. While another has it, it waits in front of the others, and behind those that
//! were redriven before.
//!
//! When the engine is opened, the turn goes to the record that started last of those that have not ended: only the one that
//! has the turn starts. If none has started, it goes to the one that was redriven first.
//!
//! A paused group lets none through, and takes the one that has passed and not started back to its gate, where it waits in
//! front of the others. It keeps the turn.
//!
//! | a record is | in its group it counts as | turn, if the group is in order |
//! |---|---|---|
//! | delayed | pending | kept, if it has it |
//! | gated at its group | pending, waiting | none |
//! | gated at its type, in the line, queued | pending, unstarted | its own |
//! | processing | pending, running | its own |
//! | failed, in a group that halts | failed | returned; none takes it |
//! | otherwise terminal | nothing: a group without pending and failed records is dropped | returned |

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;

use hashbrown::HashTable;
use siphasher::sip::SipHasher13;

use super::group::{Group, GroupCount, is_past, is_unstarted, is_waiting};
use super::group_policies::{GroupOrder, GroupPolicies, GroupPolicy};
use super::ids::Seq;
use super::patterns::PolicyId;
use super::store::{GroupId, List, LiveRecord, LiveState, Slab, Slot};

/// The groups that have pending records, found by name.
#[derive(Debug)]
pub(super) struct EventGroups {
    groups: Slab<Group>,
    index: HashTable<GroupId>,
    hash_key: u64,
    /// Records in the lists of all gates.
    waiting: usize,
}

/// The sums over the records of a group.
#[derive(Debug, Default)]
struct GroupRecount {
    count: GroupCount,
    has_turn: bool,
    turn_waits: bool,
    unstarted: Option<Slot>,
    failed: BTreeSet<(Option<Seq>, Slot)>,
    /// Records that wait in front of the others.
    redriven: usize,
    /// One is past the gate, and has no turn.
    out_of_turn: bool,
}

impl EventGroups {
    pub(super) fn new(seed: u64) -> Self {
        Self { groups: Slab::new(), index: HashTable::new(), hash_key: seed, waiting: 0 }
    }

    /// Returns the number of records that wait at gates.
    pub(super) const fn waiting(&self) -> usize {
        self.waiting
    }

    /// Counts a record in the group of this name, which is made when it has none yet.
    pub(super) fn join(&mut self, name: &str, policies: &GroupPolicies, paused: impl FnOnce() -> bool) -> GroupId {
        let found = self.find(name).unwrap_or_else(|| self.make(name, &policies.of(name), paused()));
        self.groups[found.0].pending += 1;
        found
    }

    /// Takes out a record that becomes terminal.
    pub(super) fn part(&mut self, group: GroupId, slot: Slot) {
        self.return_turn(group, slot);
        self.groups[group.0].pending -= 1;
        self.drop_empty(group);
    }

    /// Halts a group for a record that fails.
    pub(super) fn halt(&mut self, group: GroupId, failed: (Option<Seq>, Slot)) {
        self.return_turn(group, failed.1);
        self.groups[group.0].pending -= 1;
        self.groups[group.0].failed.insert(failed);
    }

    /// Counts a failed record that halted its group as pending again.
    pub(super) fn revive(&mut self, group: GroupId, failed: (Option<Seq>, Slot)) {
        self.groups[group.0].failed.remove(&failed);
        self.groups[group.0].pending += 1;
    }

    /// Takes out a failed record that halted its group.
    pub(super) fn release(&mut self, group: GroupId, failed: (Option<Seq>, Slot)) {
        self.groups[group.0].failed.remove(&failed);
        self.drop_empty(group);
    }

    /// Drops a group that has no records left.
    fn drop_empty(&mut self, group: GroupId) {
        if self.groups[group.0].pending > 0 || !self.groups[group.0].failed.is_empty() {
            return;
        }
        // Dropped at once: senders choose the names, so groups that were kept would take memory without bound.
        let hash = self.hash(&self.groups[group.0].name);
        if let Ok(entry) = self.index.find_entry(hash, |other| *other == group) {
            entry.remove();
        }
        self.groups.remove(group.0);
    }

    /// Returns whether the group of this name has as many pending records as it may.
    pub(super) fn is_full(&self, name: &str) -> bool {
        let found = self.find(name).map(|group| &self.groups[group.0]);
        found.is_some_and(|group| group.pending >= group.max_pending)
    }

    /// Returns the number of pending records in the group of this name.
    pub(super) fn pending(&self, name: &str) -> usize {
        self.find(name).map_or(0, |group| self.groups[group.0].pending)
    }

    pub(super) fn find(&self, name: &str) -> Option<GroupId> {
        self.index.find(self.hash(name), |group| *self.groups[group.0].name == *name).copied()
    }

    /// Returns whether the group has pending records.
    pub(super) fn is_there(&self, group: GroupId) -> bool {
        self.groups.get(group.0).is_some()
    }

    pub(super) fn name(&self, group: GroupId) -> &str {
        &self.groups[group.0].name
    }

    pub(super) fn is_fifo(&self, group: GroupId) -> bool {
        self.groups[group.0].order == GroupOrder::Fifo
    }

    pub(super) fn is_paused(&self, group: GroupId) -> bool {
        self.groups[group.0].paused
    }

    /// Pauses or resumes a group. Returns the record that is past its gate and has not started.
    pub(super) fn set_paused(&mut self, group: GroupId, paused: bool) -> Option<Slot> {
        self.groups[group.0].paused = paused;
        self.groups[group.0].unstarted
    }

    pub(super) fn halts(&self, group: GroupId) -> bool {
        self.groups[group.0].halts
    }

    /// Returns the first of the failed records that halt a group.
    pub(super) fn first_failed(&self, group: GroupId) -> Option<Slot> {
        self.groups[group.0].failed.first().map(|(_, slot)| *slot)
    }

    pub(super) fn limit(&self, group: GroupId) -> usize {
        self.groups[group.0].limit
    }

    pub(super) fn count(&self, group: GroupId) -> GroupCount {
        self.groups[group.0].count()
    }

    /// Returns the record that has the turn.
    pub(super) fn turn(&self, group: GroupId) -> Option<Slot> {
        self.groups[group.0].turn
    }

    /// Gives a record of a group in order the turn, when none has it.
    pub(super) fn take_turn(&mut self, group: GroupId, slot: Slot) {
        let group = &mut self.groups[group.0];
        if group.order == GroupOrder::Fifo {
            group.turn.get_or_insert(slot);
        }
    }

    fn return_turn(&mut self, group: GroupId, slot: Slot) {
        let group = &mut self.groups[group.0];
        group.turn = group.turn.filter(|holder| *holder != slot);
    }

    /// Adds a record behind those that wait at its gate; a redriven one behind those like it.
    pub(super) fn push(&mut self, group: GroupId, live: &mut Slab<LiveRecord>, slot: Slot) {
        self.groups[group.0].list_of(&live[slot]).push_back(live, slot);
        self.waiting += 1;
    }

    /// Puts a record back in front of those that wait at its gate.
    pub(super) fn push_front(&mut self, group: GroupId, live: &mut Slab<LiveRecord>, slot: Slot) {
        self.groups[group.0].list_of(&live[slot]).push_front(live, slot);
        self.groups[group.0].turn_waits |= self.groups[group.0].turn == Some(slot);
        self.waiting += 1;
    }

    /// Takes a record out of the list of its gate.
    pub(super) fn remove(&mut self, group: GroupId, live: &mut Slab<LiveRecord>, slot: Slot) {
        self.groups[group.0].list_of(&live[slot]).remove(live, slot);
        self.groups[group.0].turn_waits &= self.groups[group.0].turn != Some(slot);
        self.waiting -= 1;
    }

    /// Lets the first record through that waits at a gate, if there is one and the gate is open.
    pub(super) fn let_through(&mut self, group: GroupId, live: &mut Slab<LiveRecord>) -> Option<Slot> {
        let of_group = &self.groups[group.0];
        // After a pause the holder of the turn may wait behind redriven ones, and none of these may pass before it has
        // ended.
        let first = of_group.turn.filter(|_| of_group.turn_waits).or(of_group.first());
        let slot = first.filter(|_| of_group.is_open())?;
        self.remove(group, live, slot);
        self.pass(group, slot);
        self.take_turn(group, slot);
        Some(slot)
    }

    /// Records which record is past the gate.
    pub(super) fn pass(&mut self, group: GroupId, slot: Slot) {
        self.groups[group.0].unstarted = Some(slot);
    }

    /// Records that the one past the gate leaves before its start.
    pub(super) fn leave(&mut self, group: GroupId) {
        self.groups[group.0].unstarted = None;
    }

    /// Records that the one past the gate starts.
    pub(super) fn start(&mut self, group: GroupId) {
        self.groups[group.0].unstarted = None;
        self.groups[group.0].running += 1;
    }

    /// Counts a run that is in flight when the engine is opened.
    pub(super) fn count_run(&mut self, group: GroupId) {
        self.groups[group.0].running += 1;
    }

    /// Counts the end of a run.
    pub(super) fn end_run(&mut self, group: GroupId) {
        self.groups[group.0].running -= 1;
    }

    /// Returns the lists of what waits at all gates.
    pub(super) fn lists(&self) -> impl Iterator<Item = &List> {
        self.groups.iter().flat_map(|(_, group)| [&group.redriven, &group.waiting])
    }

    /// Verifies counts and turns by a recount of all records.
    pub(super) fn check(&self, live: &Slab<LiveRecord>, alone: PolicyId) -> Result<(), String> {
        let mut recount: BTreeMap<GroupId, GroupRecount> = BTreeMap::new();
        for (slot, record) in live.iter() {
            if let Some(group) = record.group {
                let of_group = recount.entry(group).or_default();
                if matches!(record.state, LiveState::Failed { .. }) {
                    of_group.failed.insert((record.seq, slot));
                    continue;
                }
                // It waits alone, until there is a policy for it.
                if record.policy == Some(alone) {
                    of_group.count.pending += 1;
                    continue;
                }
                of_group.count.add(&record.state);
                of_group.has_turn |= self.turn(group) == Some(slot);
                of_group.unstarted = of_group.unstarted.or(Some(slot).filter(|_| is_unstarted(&record.state)));
                of_group.turn_waits |= self.turn(group) == Some(slot) && is_waiting(&record.state);
                let is_in_front = is_waiting(&record.state) && self.groups[group.0].is_in_front(record);
                of_group.redriven += usize::from(is_in_front);
                of_group.out_of_turn |= is_past(&record.state) && self.turn(group) != Some(slot);
            }
        }
        let mut waiting = 0;
        for (slot, group) in self.groups.iter() {
            let GroupRecount { count, has_turn, turn_waits, unstarted, failed, redriven, out_of_turn } =
                recount.remove(&GroupId(slot)).unwrap_or_default();
            let in_order = has_turn == group.turn.is_some() && (group.order == GroupOrder::Free || !out_of_turn);
            let adds_up = group.count() == count && group.redriven.len() == redriven;
            if !adds_up || !in_order || count.unstarted > 1 {
                return Err(format!("group {} does not add up: {group:?}, recounted {count:?}", group.name));
            }
            if (unstarted, turn_waits) != (group.unstarted, group.turn_waits) || group.paused && unstarted.is_some() {
                return Err(format!("group {} is {group:?}, with {unstarted:?} past its gate", group.name));
            }
            if failed != group.failed || count.pending == 0 && failed.is_empty() {
                return Err(format!("group {} is {group:?}, recounted as failed: {failed:?}", group.name));
            }
            if group.is_open() && group.waiting() > 0 {
                return Err(format!("the gate of group {} is open, and {} wait", group.name, group.waiting()));
            }
            if self.find(&group.name) != Some(GroupId(slot)) {
                return Err(format!("the name of group {} does not lead to it", group.name));
            }
            waiting += group.waiting();
        }
        match (waiting, self.index.len()) == (self.waiting, self.groups.len()) {
            true => Ok(()),
            false => Err(format!("{waiting} records wait at the gates of groups, not {}", self.waiting)),
        }
    }

    fn make(&mut self, name: &str, policy: &GroupPolicy, paused: bool) -> GroupId {
        let [limit, max_pending] = [policy.concurrency, policy.max_pending].map(|most| most.unwrap_or(usize::MAX));
        let hash = self.hash(name);
        let (pending, unstarted, running, turn, turn_waits, failed, waiting, redriven) = Default::default();
        let (name, order, halts) = (name.into(), policy.order, policy.halts());
        let made = Group {
            name,
            limit,
            max_pending,
            order,
            pending,
            unstarted,
            running,
            paused,
            turn,
            turn_waits,
            halts,
            failed,
            waiting,
            redriven,
        };
        let group = GroupId(self.groups.insert(made));
        let Self { groups, index, hash_key, .. } = self;
        index.insert_unique(hash, group, |other| hashed(*hash_key, &groups[other.0].name));
        group
    }

    fn hash(&self, name: &str) -> u64 {
        hashed(self.hash_key, name)
    }
}

/// Names come from outside, so no sender may choose where they fall.
fn hashed(key: u64, name: &str) -> u64 {
    // The second half of the key is a constant ("groups"): the seed alone is secret.
    SipHasher13::new_with_keys(key, 0x6772_6f75_7073).hash(name.as_bytes())
}
