//! Commands of operators: redrive, discard, pause, and shutdown.

use eventful::{
    Key, Status,
    engine::{Answer, Bound, Effect, GroupName, Phase, Refusal, facts::Change},
};

use super::Model;
use super::admission::overloaded;
use crate::scenario::EventNumber;

/// The most groups that may be paused at once.
const MAX_PAUSED_GROUPS: usize = 10_000;

impl Model {
    pub(super) fn redrive(&mut self, key: &Key) -> Answer {
        let Some(event) = self.find(key) else { return Answer::NotFound };
        let status = self.known(event).status();
        if status != Status::Failed {
            return Answer::NotFailed(status);
        }
        if self.phase != Phase::Running {
            return Answer::Refused(Refusal::ShuttingDown);
        }
        if let Some(refusal) = self.refuse_again(event) {
            return Answer::Refused(refusal);
        }
        self.ended.retain(|other| *other != event);
        self.decide(Change::Redriven(key.clone()));
        self.enter_again(event);
        self.open_all();
        Answer::Noted
    }

    pub(super) fn discard(&mut self, key: &Key) -> Answer {
        if self.phase == Phase::Stopped {
            return Answer::Refused(Refusal::ShuttingDown);
        }
        let Some(event) = self.find(key) else { return Answer::NotFound };
        match self.known(event).status() {
            Status::Completed => return Answer::TooLate,
            Status::Discarded => return Answer::Noted,
            Status::Received | Status::FailedRetry | Status::Failed => self.leave_places(event),
            Status::Processing => self.discard_run(event),
        }
        self.decide(Change::Discarded(key.clone()));
        self.ended.push(event);
        self.turns.retain(|other| *other != event);
        self.open_all();
        Answer::Noted
    }

    pub(super) fn leave_places(&mut self, event: EventNumber) {
        self.delayed.retain(|(_, other)| *other != event);
        self.line.retain(|other| *other != event);
        self.gated.retain(|other| *other != event);
        self.grouped.retain(|other| *other != event);
        self.ended.retain(|other| *other != event);
        self.void_ticket(event);
    }

    fn discard_run(&mut self, event: EventNumber) {
        let run = self.close_run(event);
        self.effects.push(Effect::Abort(run));
    }

    /// Pauses or resumes. Nothing is presented while paused, so that time does not count against a marker.
    pub(super) fn pause(&mut self, paused: bool) -> Answer {
        if self.phase == Phase::Stopped {
            return Answer::Refused(Refusal::ShuttingDown);
        }
        if self.expected.paused != paused {
            self.decide(if paused { Change::Paused } else { Change::Resumed });
            self.rearm_marker();
        }
        Answer::Noted
    }

    /// Pauses or resumes a group. One that has not started returns to its gate.
    pub(super) fn pause_group(&mut self, group: &GroupName, paused: bool) -> Answer {
        if self.phase == Phase::Stopped {
            return Answer::Refused(Refusal::ShuttingDown);
        }
        if self.expected.paused_groups.contains(group) != paused {
            if paused && self.expected.paused_groups.len() == MAX_PAUSED_GROUPS {
                return Answer::Refused(overloaded(Bound::PausedGroups, self.config().overload_retry_after));
            }
            self.decide(Change::GroupPaused { group: group.clone(), paused });
            if paused {
                self.take_back(group.as_str());
            }
            self.open_all();
        }
        Answer::Noted
    }

    pub(super) fn shutdown(&mut self) -> Answer {
        if self.phase == Phase::Running {
            self.phase = Phase::Draining;
        }
        Answer::Noted
    }

    /// Interrupts all runs, in the order of their deadlines.
    pub(super) fn abort_inflight(&mut self) -> Answer {
        self.deadlines.sort_by_key(|(run, at)| (*at, *run));
        for (run, _) in self.deadlines.clone() {
            let event = self.expected.of_run(run).expect("only runs in flight have deadlines");
            self.interrupt(event);
        }
        self.phase = Phase::Stopped;
        Answer::Noted
    }
}
