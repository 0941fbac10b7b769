//! Supervision: tasks of the driver are started again when they die.

use super::Node;
use super::supervised::{Supervised, SupervisedTask};
use crate::engine::{Swept, Timestamp};

impl Node {
    fn supervised(&mut self, part: SupervisedTask) -> &mut Supervised {
        match part {
            SupervisedTask::Dispatcher => &mut self.dispatcher,
            SupervisedTask::Sweeper => &mut self.sweeper,
        }
    }

    /// Records that a task has died, or is to be replaced. Returns when it is to be started again, if it is: one that
    /// dies at once, over and over, must not use up the processor.
    pub fn part_died(&mut self, part: SupervisedTask) -> Option<Timestamp> {
        let is_wanted = self.is_wanted(part);
        let not_before = self.supervised(part).die();
        is_wanted.then_some(not_before)
    }

    /// Records that a task that had died is about to be started again. Returns whether it is still wanted. The tickets
    /// that a dead dispatcher had taken are unknown, so every ticket counts as lost.
    pub fn part_restarted(&mut self, now: Timestamp, part: SupervisedTask) -> bool {
        if !self.is_wanted(part) {
            return false;
        }
        // The pause belongs to the next death, so that a single one costs no time.
        let not_before = now + self.config().sweep_interval;
        self.supervised(part).restart(not_before);
        match part {
            SupervisedTask::Dispatcher => self.replace_channel(now),
            // In the past, so that the new one checks at once what is due: the old one may have died before its sweep.
            SupervisedTask::Sweeper => self.armed = Timestamp::EPOCH,
        }
        true
    }

    /// Returns whether a task is to be kept alive: nothing is dispatched once a shutdown was asked for, but deadlines
    /// of runs are kept until it has stopped the engine.
    fn is_wanted(&self, part: SupervisedTask) -> bool {
        match part {
            SupervisedTask::Dispatcher => self.shutdown.is_none(),
            SupervisedTask::Sweeper => !self.has_stopped(),
        }
    }

    /// Records that a task has nothing more to do.
    pub fn part_ended(&mut self, part: SupervisedTask) {
        self.supervised(part).end();
    }

    /// Replaces the dispatcher when the channel is broken: with a permit free it would have presented the marker long
    /// ago, unless that waits for the journal. A dispatcher that is down is started again anyway.
    pub(super) fn judge_marker(&mut self, now: Timestamp, swept: &Swept) {
        let stuck_after = self.config().stuck_after;
        let is_journal_stuck = self.commits.unsynced_since().is_some_and(|since| now.since(since) >= stuck_after);
        let would_present = self.workers.may_begin() && !is_journal_stuck && !self.dispatcher.is_down();
        self.pending.edit().replace_dispatcher |= swept.marker_overdue && would_present;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Config, Engine, Event, Output};
    use crate::node::Tick;
    use core::time::Duration;

    const SECOND: Duration = Duration::from_secs(1);

    /// Returns whether a dispatcher that presents nothing for long is to be replaced.
    fn is_replaced(dies: bool) -> bool {
        let (mut now, mut out) = (Timestamp::from_micros(1_000_000), Output::new());
        let mut config = Config::default();
        (config.stuck_after, config.sweep_interval) = (SECOND, SECOND * 10);
        let engine = Engine::new(config, now, &mut out).expect("a valid configuration");
        let mut node = Node::in_memory(now, engine, out);
        node.submit(now, Event::with_id("a", "").expect("an event")).expect("it is ready").value.expect("room");
        if dies {
            assert!(node.part_died(SupervisedTask::Dispatcher).is_some());
        }
        let mut is_replaced = false;
        for _ in 0..5 {
            while let Tick::Swept(..) = node.tick(now) {}
            is_replaced |= node.actions(now).replace_dispatcher;
            now = now + SECOND;
        }
        is_replaced
    }

    #[test]
    fn dispatcher_that_is_down_is_not_replaced_when_it_is_back() {
        assert_eq!([false, true].map(is_replaced), [true, false]);
    }
}
