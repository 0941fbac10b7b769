//! Events that wait for an operator: those without a policy, those behind one that has failed in a group that halts, and
//! all while starts are paused.

use eventful::Unmatched;
use eventful::node::Decided;

use super::state::World;
use super::stop::Stop;
use crate::failure::Broken;
use crate::scenario::EventNumber;
use crate::spec::{ReferenceRecord, policy_of};

/// The acts on events that wait for an operator.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct OperatorActs {
    /// True if there were any.
    pub(super) any: bool,
    /// True if some were redriven: they have another life, and time for it.
    pub(super) redriven: bool,
}

impl World<'_> {
    /// Discards, as operators do, events that wait for a missing policy. Of the failed ones that halt their group it
    /// redrives some, and discards the others.
    pub(super) fn decide_waiting(&mut self) -> Result<OperatorActs, Broken> {
        let mut acts = OperatorActs::default();
        if !self.is_serving() {
            return Ok(acts);
        }
        let unmatched = if self.config.unmatched == Unmatched::Wait { self.unmatched() } else { Vec::new() };
        let halts = self.config.groups.iter().any(|(_, policy)| policy.halts());
        let halting = if halts { self.halting() } else { Vec::new() };
        acts.any = !(unmatched.is_empty() && halting.is_empty());
        for event in halting {
            let redriven = self.redrives(event) && self.redrive_halting(event)?;
            acts.redriven |= redriven;
            if !redriven {
                self.discard_waiting(event)?;
            }
        }
        unmatched.into_iter().try_for_each(|event| self.discard_waiting(event))?;
        if acts.any {
            // What follows from it is still to be written.
            self.quiet_steps = 0;
        }
        Ok(acts)
    }

    /// Returns whether an event that halts its group is redriven: every other one, and none twice in a row, so that there is
    /// an end.
    fn redrives(&self, event: EventNumber) -> bool {
        let redriven = self.seen().oracles.expected.record(event).map_or(0, |record| record.redriven);
        (u32::from(event) + redriven).is_multiple_of(2)
    }

    /// Redrives an event that halts its group. Returns whether it was: only for its journal a node may refuse that.
    fn redrive_halting(&mut self, event: EventNumber) -> Result<bool, Broken> {
        let key = self.key_table.key(event).clone();
        match self.drive(|node, now| node.redrive(now, key)) {
            Err(Stop::Broken(broken)) => Err(broken),
            Ok(decided) => Ok(matches!(decided, Ok(Decided { value: Ok(()), .. }))),
            Err(Stop::Panicked) => Ok(false),
        }
    }

    fn discard_waiting(&mut self, event: EventNumber) -> Result<(), Broken> {
        let key = self.key_table.key(event).clone();
        match self.drive(|node, now| node.discard(now, key)) {
            Err(Stop::Broken(broken)) => Err(broken),
            Ok(_) | Err(Stop::Panicked) => Ok(()),
        }
    }

    /// Resumes starts, and those of groups, again if the process died before that was durable. Returns whether any were
    /// paused.
    pub(super) fn resume(&mut self) -> Result<bool, Broken> {
        if !self.is_serving() {
            return Ok(false);
        }
        let mut has_resumed = false;
        let paused: Vec<_> = self.node.engine().paused_groups().cloned().collect();
        for group in paused {
            match self.drive(|node, now| node.resume_group(now, group)) {
                Err(Stop::Broken(broken)) => return Err(broken),
                Ok(_) | Err(Stop::Panicked) => has_resumed = true,
            }
        }
        if !(self.is_serving() && self.node.engine().is_paused()) {
            return Ok(has_resumed);
        }
        match self.drive(|node, now| node.resume(now)) {
            Err(Stop::Broken(broken)) => Err(broken),
            Ok(_) | Err(Stop::Panicked) => Ok(true),
        }
    }

    /// Returns the failed events that halt a group with pending events.
    fn halting(&self) -> Vec<EventNumber> {
        let seen = self.seen();
        let expected = &seen.oracles.expected;
        let pending = expected.all().filter(|(_, record)| !record.status().is_terminal());
        let mut failed: Vec<_> = pending.filter_map(|(_, record)| expected.halted_by(record.event.group()?)).collect();
        failed.sort_unstable();
        failed.dedup();
        failed
    }

    /// Returns the events that wait for a missing policy.
    fn unmatched(&self) -> Vec<EventNumber> {
        let is_unmatched = |record: &ReferenceRecord| {
            record.stage.eligible_at().is_some() && policy_of(&self.config, record.event.event_type()).is_none()
        };
        let seen = self.seen();
        seen.oracles.expected.all().filter(|(_, record)| is_unmatched(record)).map(|(event, _)| event).collect()
    }
}
