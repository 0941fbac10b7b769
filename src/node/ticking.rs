//! Time: deadlines of the engine, and results that have waited too long.

use core::mem;

use super::Node;
use crate::engine::{Answer, Command, Deadline, Phase, ScheduleName, Swept, Timestamp};

/// The result of a tick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tick {
    /// An instant of a schedule had come, and this became of it. Tick again at once.
    Scheduled {
        /// The schedule.
        schedule: ScheduleName,
        /// The instant.
        nominal: Timestamp,
        /// The result of the engine, or of the journal.
        answer: Answer,
    },
    /// A wake-up in vain. Tick again at once.
    Again,
    /// A sweep was due, with this result. Tick again at once: one sweep may leave some work.
    Swept(Deadline, Swept),
    /// No deadline has passed. Tick again at this time, or when woken.
    Until(Option<Timestamp>),
    /// The end: nothing will be due any more.
    End,
}

impl Node {
    /// Sweeps when that is due, and releases results that have waited too long.
    pub fn tick(&mut self, now: Timestamp) -> Tick {
        // First, and whatever the engine's condition: its callers wait all the same.
        self.release_answers(now, false);
        match self.unavailable() {
            Some(why) if !why.is_temporary() => {
                // No result can become durable any more.
                self.release_answers(now, true);
                return Tick::End;
            }
            // An engine that is being replaced has no deadlines; its opening wakes the sweeper.
            Some(_) => return Tick::Until(None),
            None if self.engine.phase() == Phase::Stopped => return Tick::End,
            None => {}
        }
        if let Some(tick) = self.run_schedule(now) {
            return tick;
        }
        let Some(deadline) = self.arm(now) else { return Tick::Until(self.armed_at()) };
        let Answer::Swept(swept) = self.execute(now, Command::Sweep) else { return Tick::Until(self.armed_at()) };
        self.judge_marker(now, &swept);
        Tick::Swept(deadline, swept)
    }

    /// Returns the deadline for which a sweep is due. If none is, the sweeper sleeps until [`Node::armed_at`].
    ///
    /// The sweeper keeps that time even when the event that wanted it has ended: waking in vain now and then costs
    /// less than a wake-up for each event that comes and goes.
    fn arm(&mut self, now: Timestamp) -> Option<Deadline> {
        if self.armed > now {
            return None;
        }
        let due = self.engine.next_deadline().filter(|deadline| deadline.at <= now);
        // Armed only when nothing is due: the deadline that is due is in the past, and would wake at once, again and
        // again.
        if due.is_none() {
            self.armed = self.next_wakeup(now);
        }
        due
    }

    /// Returns the next deadline of the engine, of results that wait for the journal, or of a schedule.
    fn next_wakeup(&self, now: Timestamp) -> Timestamp {
        let deadline = self.engine.next_deadline().map(|deadline| deadline.at);
        let others = self.commits.next_overdue(now).into_iter().chain(self.next_instant());
        deadline.into_iter().chain(others).min().unwrap_or(Timestamp::MAX)
    }

    fn armed_at(&self) -> Option<Timestamp> {
        (self.armed < Timestamp::MAX).then_some(self.armed)
    }

    /// Returns whether there is an earlier deadline than the one for which the sweeper waits.
    pub(super) fn has_earlier_deadline(&mut self, now: Timestamp) -> bool {
        // With a journal a result that waits may be overdue before the engine's next deadline.
        let is_worth_it = mem::take(&mut self.has_moved_deadlines) || self.commits.keeps_facts();
        if !is_worth_it && !self.engine.may_have_deadline_before(self.armed) {
            return false;
        }
        let next = self.next_wakeup(now);
        let is_earlier = next < self.armed;
        if is_earlier {
            self.armed = next;
        }
        is_earlier
    }

    /// Releases the results that have waited too long, or all.
    pub(super) fn release_answers(&mut self, now: Timestamp, all: bool) {
        if let Some((after, up_to)) = self.commits.stop_waiting(now, all) {
            self.pending.edit().settle(after, up_to);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Config, Engine, Event, Outcome, Output};
    use crate::node::{RunBatch, Start};
    use core::num::NonZeroUsize;
    use core::time::Duration;

    #[test]
    fn sweeper_is_not_woken_by_an_event_after_another_went() {
        let now = Timestamp::from_micros(1_000_000);
        let mut out = Output::new();
        let engine = Engine::new(Config::default(), now, &mut out).expect("the default is valid");
        let mut node = Node::in_memory(now, engine, out);
        let event = |id| Event::with_id(id, "").expect("an event");

        node.submit(now, event("first")).expect("it is ready").value.expect("room");
        assert!(node.actions(now).timer);
        let mut batch = RunBatch::default();
        assert_eq!(node.start(now, &mut batch), Start::Runs);
        let launch = batch.launches().next().expect("a run");
        node.settle(now, launch.worker, launch.run.id, Some(Outcome::Done));
        assert!(matches!(node.tick(now), Tick::Until(_)));

        node.submit(now, event("second")).expect("it is ready").value.expect("room");
        assert!(!node.actions(now).timer);
    }

    #[test]
    fn sweeper_is_woken_when_a_marker_can_be_overdue_again() {
        let (start, mut out) = (Timestamp::from_micros(1_000_000), Output::new());
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut config = Config::default();
        (config.concurrency, config.stuck_after) = (NonZeroUsize::MIN, Duration::from_secs(5));
        config.run_timeout = Duration::from_secs(30);
        let engine = Engine::new(config, start, &mut out).expect("it is valid");
        let mut node = Node::in_memory(start, engine, out);
        let submit = |node: &mut Node, id| {
            let event = Event::with_id(id, "").expect("an event");
            node.submit(start, event).expect("it is ready").value.expect("room");
        };
        submit(&mut node, "runs");
        assert_eq!(node.start(start, &mut RunBatch::default()), Start::Runs);
        submit(&mut node, "waits");
        let swept = |node: &mut Node, seconds| loop {
            let _ = node.actions(at(seconds));
            if let Tick::Until(until) = node.tick(at(seconds)) {
                return until;
            }
        };
        assert_eq!(swept(&mut node, 0), Some(at(5)));
        assert_eq!(swept(&mut node, 5), Some(at(10)), "a marker was sent");

        node.pause(at(6)).expect("it is ready").value.expect("it runs");
        assert_eq!(swept(&mut node, 10), Some(at(30)), "the run has the only deadline");
        node.resume(at(12)).expect("it is ready").value.expect("it is paused");

        assert!(node.actions(at(12)).timer);
    }
}
