//! Schedules: their cursors, and the fate of their instants.

use eventful::engine::{Answer, Overlap, Phase, Refusal, ScheduleCursor, ScheduleName, ScheduleTick, facts::Change};

use super::Model;

impl Model {
    pub(super) fn set_schedules(&mut self, names: &[ScheduleName]) -> Answer {
        if self.phase != Phase::Running {
            return Answer::Refused(Refusal::ShuttingDown);
        }
        let known: Vec<_> = self.expected.schedules.keys().cloned().collect();
        for schedule in known.into_iter().filter(|name| !names.contains(name)) {
            self.decide(Change::Scheduled { schedule, cursor: None });
        }
        for schedule in names {
            if !self.expected.schedules.contains_key(schedule) {
                let cursor = ScheduleCursor { decided: self.now, accepted: None };
                self.decide(Change::Scheduled { schedule: schedule.clone(), cursor: Some(cursor) });
            }
        }
        Answer::Noted
    }

    pub(super) fn tick(&mut self, tick: &ScheduleTick) -> Answer {
        if self.phase != Phase::Running {
            return Answer::Refused(Refusal::ShuttingDown);
        }
        let ScheduleTick { schedule, nominal, event, overlap } = tick;
        let Some(cursor) = self.expected.schedules.get(schedule).copied() else { return Answer::NotFound };
        let is_next = *nominal > cursor.decided && *nominal <= self.now;
        if !is_next {
            return Answer::Stale;
        }
        let is_pending = cursor
            .accepted
            .is_some_and(|last| self.record(&schedule.key(last)).is_some_and(|record| !record.status().is_terminal()));
        let taken = event.as_ref().filter(|_| *overlap == Overlap::Allow || !is_pending);
        let Some(event) = taken else {
            self.move_schedule(schedule, ScheduleCursor { decided: *nominal, ..cursor });
            return Answer::Noted;
        };
        let answer = self.submit(&event.clone().with_key(schedule.key(*nominal)));
        if !matches!(answer, Answer::Refused(_)) {
            self.move_schedule(schedule, ScheduleCursor { decided: *nominal, accepted: Some(*nominal) });
        }
        answer
    }

    fn move_schedule(&mut self, schedule: &ScheduleName, cursor: ScheduleCursor) {
        self.decide(Change::Scheduled { schedule: schedule.clone(), cursor: Some(cursor) });
    }
}
