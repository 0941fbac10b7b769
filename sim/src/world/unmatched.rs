//! Events that wait for an operator: those without a policy, those behind one that has failed in a group that halts, and
//! all while starts are paused.

use eventful::Unmatched;

use super::state::World;
use super::stop::Stop;
use crate::failure::Broken;
use crate::scenario::EventNumber;
use crate::spec::{ReferenceRecord, policy_of};

impl World<'_> {
    /// Discards, as operators do, events that wait for a missing policy, and failed ones that halt their group. Returns
    /// whether there were any.
    pub(super) fn discard_unmatched(&mut self) -> Result<bool, Broken> {
        if !self.is_serving() {
            return Ok(false);
        }
        let mut keys = if self.config.unmatched == Unmatched::Wait { self.unmatched() } else { Vec::new() };
        if self.config.groups.iter().any(|(_, policy)| policy.halts()) {
            keys.append(&mut self.halting());
        }
        for event in &keys {
            let key = self.key_table.key(*event).clone();
            match self.drive(|node, now| node.discard(now, key)) {
                Err(Stop::Broken(broken)) => return Err(broken),
                Ok(_) | Err(Stop::Panicked) => {}
            }
        }
        if !keys.is_empty() {
            // What follows from it is still to be written.
            self.quiet_steps = 0;
        }
        Ok(!keys.is_empty())
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
