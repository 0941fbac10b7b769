//! Events without a policy, which wait.

use eventful::Unmatched;

use super::state::World;
use super::stop::Stop;
use crate::failure::Broken;
use crate::scenario::EventNumber;
use crate::spec::{ReferenceRecord, policy_of};

impl World<'_> {
    /// Discards, as operators do, events that wait for a missing policy. Returns whether there were any.
    pub(super) fn discard_unmatched(&mut self) -> Result<bool, Broken> {
        if self.config.unmatched != Unmatched::Wait || !self.is_serving() {
            return Ok(false);
        }
        let keys = self.unmatched();
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

    /// Returns the events that wait for a missing policy.
    fn unmatched(&self) -> Vec<EventNumber> {
        let is_unmatched = |record: &ReferenceRecord| {
            record.stage.eligible_at().is_some() && policy_of(&self.config, record.event.event_type()).is_none()
        };
        let seen = self.seen();
        seen.oracles.expected.all().filter(|(_, record)| is_unmatched(record)).map(|(event, _)| event).collect()
    }
}
