//! Starts tasks of the driver again when they die.

use super::Node;
use super::upkeep::{Part, Upkeep};
use crate::engine::{Swept, Timestamp};

impl Node {
    fn upkeep(&mut self, part: Part) -> &mut Upkeep {
        match part {
            Part::Dispatcher => &mut self.dispatcher,
            Part::Sweeper => &mut self.sweeper,
        }
    }

    /// A task has died, or is to be replaced. Returns when it is to be started again, if it is: one that
    /// dies at once, over and over, must not take the processor with it.
    pub fn part_died(&mut self, part: Part) -> Option<Timestamp> {
        let is_wanted = self.is_wanted(part);
        let not_before = self.upkeep(part).die();
        is_wanted.then_some(not_before)
    }

    /// A task that had died is about to be started again. Returns whether it is still wanted. What a dead
    /// dispatcher had taken is unknown, so every ticket counts as lost.
    pub fn part_restarted(&mut self, now: Timestamp, part: Part) -> bool {
        if !self.is_wanted(part) {
            return false;
        }
        let not_before = now + self.config().sweep_interval;
        self.upkeep(part).restart(not_before);
        match part {
            Part::Dispatcher => self.replace_channel(now),
            Part::Sweeper => self.armed = Timestamp::EPOCH,
        }
        true
    }

    /// Nothing is dispatched once a shutdown was asked for, but deadlines of runs are kept until it has
    /// stopped the engine.
    fn is_wanted(&self, part: Part) -> bool {
        match part {
            Part::Dispatcher => self.shutdown.is_none(),
            Part::Sweeper => !self.has_stopped(),
        }
    }

    /// A task has nothing more to do.
    pub fn part_ended(&mut self, part: Part) {
        self.upkeep(part).end();
    }

    /// Has the dispatcher replaced when the channel is broken: with a permit free it would have presented
    /// the marker long ago, unless that waits for the journal.
    pub(super) fn judge_marker(&mut self, now: Timestamp, swept: &Swept) {
        let stuck_after = self.config().stuck_after;
        let is_journal_stuck = self.commits.unsynced_since().is_some_and(|since| now.since(since) >= stuck_after);
        self.pending.edit().replace_dispatcher |=
            swept.marker_overdue && self.workers.permits_free() > 0 && !is_journal_stuck;
    }
}
