//! The way of records to their gates, and past them.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::answer::{Answer, Bound, Refusal};
use super::effect::Output;
use super::event::{Event, GroupName};
use super::fact::Change;
use super::gates::GateCount;
use super::group::{GroupCount, is_redriven};
use super::ids::RunId;
use super::metrics::TypeStats;
use super::patterns::PolicyId;
use super::store::{GroupId, LiveRecord, LiveState, Slot, WaitingState};
use super::time::Timestamp;
use super::view::{Gate, Place};
use super::{Engine, Phase};

/// The most groups that are paused at once. Each stays until it is resumed, so there must be an end; a pause of all is
/// better for more.
const MAX_PAUSED_GROUPS: usize = 10_000;

/// The claim of a record to the turn of its group, when the engine is opened. The least one has it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum TurnClaim {
    /// Of a record that has started and not ended. The last one to start has it, as only the one that has the turn starts.
    Started(Reverse<Option<RunId>>),
    /// Of a record that was redriven at this time, and has not started since.
    Redriven(Timestamp),
}

impl Engine {
    /// Puts a record that is new, or was redriven, where it waits until it is eligible.
    ///
    /// In a group in order it goes behind those that are due and that no sweep has handled yet: it is handled with them.
    pub(super) fn arrive(&mut self, slot: Slot, eligible_at: Timestamp) {
        let is_late = self.delayed.first().is_some_and(|(due, _)| due <= self.now);
        let group = self.state.store.live[slot].group.filter(|_| is_late && eligible_at <= self.now);
        match group.is_some_and(|group| self.groups.is_fifo(group)) {
            true => self.delay(slot, eligible_at),
            false => self.wait(slot, eligible_at),
        }
    }

    /// Takes an eligible record to the gate of its group, or past it when it has the turn there.
    #[inline(never)]
    pub(super) fn reach_group(&mut self, slot: Slot, group: GroupId) {
        // Nothing is to wait for what waits until there is a policy for it.
        if self.waits_for_a_policy(slot) {
            return self.pass_group(slot);
        }
        // It was retried, snoozed or redriven: the others wait for it, so it waits for none of them.
        if self.groups.turn(group) == Some(slot) {
            if self.groups.is_paused(group) {
                return self.return_to_gate(slot, group);
            }
            self.groups.pass(group, slot);
            return self.pass_group(slot);
        }
        // By way of the list even when the gate is open, so that order and counts are kept in one place.
        self.groups.push(group, &mut self.state.store.live, slot);
        self.put(slot, Place::Gated(Gate::Group));
        self.open_group(group);
    }

    /// Puts a record in front of those that wait at the gate of its group.
    fn return_to_gate(&mut self, slot: Slot, group: GroupId) {
        self.groups.push_front(group, &mut self.state.store.live, slot);
        self.put(slot, Place::Gated(Gate::Group));
    }

    /// Pauses or resumes a group, whether it has records or not.
    pub(super) fn set_group_paused(&mut self, group: GroupName, paused: bool, out: &mut Output) -> Answer {
        if self.phase == Phase::Stopped {
            return Answer::Refused(Refusal::ShuttingDown);
        }
        // Only a change is a fact: the journal must not grow by repeated calls.
        if self.state.paused_groups.contains(&group) == paused {
            return Answer::Noted;
        }
        if paused && self.state.paused_groups.len() >= MAX_PAUSED_GROUPS {
            let retry_after = self.config.overload_retry_after;
            return Answer::Refused(Refusal::Overloaded { bound: Bound::PausedGroups, retry_after });
        }
        out.fact(self.now, || Change::GroupPaused { group: group.clone(), paused });
        // A group without records is not there: it is paused when its next record makes it.
        if let Some(found) = self.groups.find(group.as_str()) {
            let unstarted = self.groups.set_paused(found, paused).filter(|_| paused);
            unstarted.into_iter().for_each(|slot| self.take_back(slot, found));
            self.open_group(found);
        }
        self.state.pause_group(group, paused);
        Answer::Noted
    }

    /// Takes a record that has not started back to the gate of its group.
    fn take_back(&mut self, slot: Slot, group: GroupId) {
        // This voids a ticket that is in the channel, so that it starts nothing when it is presented.
        self.leave_place(slot);
        self.return_to_gate(slot, group);
        // Its pass of the type gate is free again, and no run will end that would open that gate.
        let gate = self.state.store.live[slot].policy;
        gate.into_iter().for_each(|gate| self.open_gate(gate));
    }

    /// Returns whether no policy is for a record, so that it waits at a gate which opens for nothing.
    fn waits_for_a_policy(&self, slot: Slot) -> bool {
        self.state.store.live[slot].policy == Some(self.config.types.behind_the_last())
    }

    /// Lets through what waits at the gate of a group, as far as it may.
    fn open_group(&mut self, group: GroupId) {
        while let Some(slot) = self.groups.let_through(group, &mut self.state.store.live) {
            self.pass_group(slot);
        }
    }

    /// Takes a record that is past the gate of its group, or has no group, to the gate of its type or to the line.
    pub(super) fn pass_group(&mut self, slot: Slot) {
        match self.state.store.live[slot].policy {
            None => self.line_up(slot),
            Some(gate) => self.reach_gate(slot, gate),
        }
    }

    #[inline(never)]
    fn reach_gate(&mut self, slot: Slot, gate: PolicyId) {
        self.gates.push(gate, &mut self.state.store.live, slot);
        self.put(slot, Place::Gated(Gate::Type));
        self.open_gate(gate);
    }

    /// Takes a record out of the list of its gate.
    pub(super) fn leave_gate(&mut self, slot: Slot, gate: Gate) {
        let LiveRecord { policy, group, .. } = self.state.store.live[slot];
        match (gate, policy, group) {
            (Gate::Group, _, Some(group)) => self.groups.remove(group, &mut self.state.store.live, slot),
            (Gate::Type, Some(gate), _) => self.gates.remove(gate, &mut self.state.store.live, slot),
            (Gate::Group | Gate::Type, ..) => {}
        }
    }

    /// Takes back the passes that a waiting record had in this place, which it leaves.
    pub(super) fn return_unstarted(&mut self, slot: Slot, place: Option<Place>) {
        let LiveRecord { policy, group, .. } = self.state.store.live[slot];
        let (is_past_group, is_past_type) = match place {
            None | Some(Place::Delayed | Place::Gated(Gate::Group)) => (false, false),
            Some(Place::Gated(Gate::Type)) => (true, false),
            Some(Place::Line | Place::Queued(_)) => (true, true),
        };
        // Such a record was sent past the gate of its group without being counted there (`reach_group`).
        let is_past_group = is_past_group && !self.waits_for_a_policy(slot);
        group.filter(|_| is_past_group).into_iter().for_each(|group| self.groups.leave(group));
        policy.filter(|_| is_past_type).into_iter().for_each(|gate| self.gates.leave(gate));
    }

    /// Counts the start of a record at its gates, and lets the next one of its group pass.
    pub(super) fn leave_unstarted(&mut self, slot: Slot) {
        let (group, gate) = self.gates_of(slot);
        gate.into_iter().for_each(|gate| self.gates.start(gate));
        if let Some(group) = group {
            self.groups.start(group);
            self.open_group(group);
        }
    }

    /// Returns the gates that a record has passed once it runs.
    pub(super) fn gates_of(&self, slot: Slot) -> (Option<GroupId>, Option<PolicyId>) {
        let LiveRecord { policy, group, .. } = self.state.store.live[slot];
        (group, policy)
    }

    /// Takes back the passes of a run that has ended.
    pub(super) fn return_running(&mut self, (group, gate): (Option<GroupId>, Option<PolicyId>)) {
        // The last record of a group has taken the group along.
        group.filter(|group| self.groups.is_there(*group)).into_iter().for_each(|group| self.groups.end_run(group));
        gate.into_iter().for_each(|gate| self.gates.end_run(gate));
    }

    /// Opens the gates that a record has left.
    pub(super) fn open_gates(&mut self, (group, gate): (Option<GroupId>, Option<PolicyId>)) {
        group.filter(|group| self.groups.is_there(*group)).into_iter().for_each(|group| self.open_group(group));
        gate.into_iter().for_each(|gate| self.open_gate(gate));
    }

    /// Counts a pending record in its group from now on.
    pub(super) fn join_group(&mut self, slot: Slot) {
        let record = &mut self.state.store.live[slot];
        if let Some(name) = record.event.group() {
            // Asked only for a group that is made now: one that is there knows it.
            let is_paused = || self.state.paused_groups.contains(name);
            record.group = Some(self.groups.join(name, &self.config.groups, is_paused));
        }
    }

    /// Makes a failed record wait again. Where it halted its group it runs before the others, and behind those that were
    /// redriven before it.
    pub(super) fn join_again(&mut self, slot: Slot) {
        let record = &self.state.store.live[slot];
        // A failed record is still in its group only where it stops that; elsewhere it left when it failed.
        let Some(group) = record.group else {
            self.join_group(slot);
            return self.arrive(slot, self.now);
        };
        self.groups.revive(group, (record.seq, slot));
        // With the turn, a record that may never start would stop its group.
        if !self.waits_for_a_policy(slot) {
            self.groups.take_turn(group, slot);
        }
        self.reach_group(slot, group);
        // When it was the last failure and waits for a policy, it does not take the turn: then others may pass.
        self.open_group(group);
    }

    /// Halts the group of a record that is about to fail, or takes the record out of it.
    pub(super) fn fail_in_group(&mut self, slot: Slot) {
        let record = &self.state.store.live[slot];
        match record.group.filter(|group| self.groups.halts(*group)) {
            Some(group) => self.groups.halt(group, (record.seq, slot)),
            None => self.part_from_group(slot),
        }
    }

    /// Takes a record out of its group that is about to be forgotten, or to be terminal and not failed.
    pub(super) fn part_from_group(&mut self, slot: Slot) {
        let record = &mut self.state.store.live[slot];
        let Some(group) = record.group.take() else { return };
        match record.state {
            LiveState::Failed { .. } => self.groups.release(group, (record.seq, slot)),
            LiveState::Waiting(_) | LiveState::Processing(_) => self.groups.part(group, slot),
        }
    }

    /// Lets through what waits at a gate, as far as there are passes.
    pub(super) fn open_gate(&mut self, gate: PolicyId) {
        while let Some(slot) = self.gates.let_through(gate, &mut self.state.store.live) {
            self.line_up(slot);
        }
    }

    /// Puts every pending record into its group, and each failed one that stops its group. Then gives the turns.
    pub(super) fn join_groups(&mut self) {
        let live = &self.state.store.live;
        let grouped = live.iter().filter(|(_, record)| record.event.group().is_some());
        let mut slots: Vec<_> = grouped.map(|(slot, record)| (record.seq, slot)).collect();
        // By acceptance: the places of records in memory differ after a snapshot, and nothing may depend on them.
        slots.sort_unstable();
        let mut claims = Vec::new();
        for (seq, slot) in slots {
            if let Some(group) = self.join_opened(slot) {
                claims.extend(self.claim(slot, group).map(|claim| (claim, seq, slot, group)));
            }
        }
        // After all have joined: the turn is not that of the first one accepted.
        claims.sort_unstable();
        claims.into_iter().for_each(|(_, _, slot, group)| self.groups.take_turn(group, slot));
    }

    /// Puts a record into its group. Returns that, unless the record has failed.
    fn join_opened(&mut self, slot: Slot) -> Option<GroupId> {
        let record = &self.state.store.live[slot];
        let has_failed = matches!(record.state, LiveState::Failed { .. });
        if has_failed && !record.event.group().is_some_and(|name| self.config.groups.of(name).halts()) {
            return None;
        }
        self.join_group(slot);
        let record = &self.state.store.live[slot];
        let group = record.group?;
        if has_failed {
            self.groups.halt(group, (record.seq, slot));
            return None;
        }
        if let LiveState::Processing(_) = record.state {
            self.groups.count_run(group);
        }
        Some(group)
    }

    /// Returns the claim of a record to the turn of its group, if it may have had that.
    fn claim(&self, slot: Slot, group: GroupId) -> Option<TurnClaim> {
        let record = &self.state.store.live[slot];
        let last_run = || record.history().last().map(|past| past.run);
        let claim = match record.state {
            LiveState::Processing(run) => TurnClaim::Started(Reverse(Some(run.id))),
            LiveState::Waiting(WaitingState { retry: true, .. }) => TurnClaim::Started(Reverse(last_run())),
            LiveState::Waiting(WaitingState { eligible_at, .. }) if self.groups.halts(group) && is_redriven(record) => {
                TurnClaim::Redriven(eligible_at)
            }
            LiveState::Waiting(_) | LiveState::Failed { .. } => return None,
        };
        (!self.waits_for_a_policy(slot)).then_some(claim)
    }

    /// Returns the policy of an event.
    pub(super) fn policy_of(&self, event: &Event) -> Option<PolicyId> {
        match self.config.types.is_empty() {
            true => None,
            false => self.config.policy_of(event.event_type()),
        }
    }

    /// Returns the numbers of each type policy, in the order in which they were added.
    pub fn type_stats(&self) -> Vec<TypeStats> {
        let policies = self.config.types.ids().zip(self.config.types.iter());
        policies
            .map(|(id, (pattern, policy))| {
                let GateCount { waiting, unstarted, running } = self.gates.count(id);
                let [gated, unstarted, running] = [waiting, unstarted, running].map(|count| count as u64);
                TypeStats { pattern, concurrency: policy.concurrency, gated, unstarted, running }
            })
            .collect()
    }

    /// Returns the number of events that wait because no type policy fits them.
    pub fn unmatched(&self) -> u64 {
        self.gates.unmatched() as u64
    }

    /// Says why a record waits at the gate of its group.
    pub(super) fn explain_grouped(&self, now: Timestamp, group: GroupId) -> String {
        let (name, count) = (self.groups.name(group), self.groups.count(group));
        let GroupCount { waiting, unstarted, running, .. } = count;
        if self.groups.is_paused(group) {
            return format!("It waits because its group {name} is paused; resume it.");
        }
        if let Some(record) = self.groups.turn(group).map(|slot| &self.state.store.live[slot]) {
            let doing = match record.state {
                LiveState::Waiting(WaitingState { eligible_at, .. }) if eligible_at > now => {
                    format!("is retried in {:?}", eligible_at.since(now))
                }
                LiveState::Waiting(_) => "is next".into(),
                // A failed record has returned the turn, so this one runs.
                LiveState::Processing(_) | LiveState::Failed { .. } => "runs".into(),
            };
            return format!(
                "It is one of {waiting} that wait in group {name} behind {}, which {doing}.",
                record.event.key()
            );
        }
        if let Some(failed) = self.groups.first_failed(group) {
            let key = self.state.store.live[failed].event.key();
            return format!(
                "It is one of {waiting} that wait in group {name}, which is halted because {key} has failed: redrive or \
                 discard that."
            );
        }
        let limit = self.groups.limit(group);
        match limit {
            usize::MAX => format!(
                "It is one of {waiting} that wait in group {name}, of which {unstarted} is next and {running} run."
            ),
            _ => format!(
                "It is one of {waiting} that wait in group {name}, of which {unstarted} is next and {running} run, of at most {limit}."
            ),
        }
    }

    /// Says why a record waits at its gate.
    pub(super) fn explain_gated(&self, gate: PolicyId, event_type: Option<&str>) -> String {
        let GateCount { waiting, unstarted, running } = self.gates.count(gate);
        let limit = self.config.types.policy(gate).and_then(|policy| policy.concurrency).unwrap_or(usize::MAX);
        match (self.config.types.pattern(gate), event_type) {
            (Some(pattern), _) => format!(
                "It is one of {waiting} that wait for type {pattern}, of which {running} run and {unstarted} are next, of at \
                 most {limit}."
            ),
            (None, Some(event_type)) => format!(
                "It waits because no policy fits its type {event_type}: start the engine with one that does, or discard it."
            ),
            (None, None) => {
                "It waits because it has no type, and no policy is for such events: discard it, or let unmatched events run."
                    .into()
            }
        }
    }
}
