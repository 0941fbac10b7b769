//! Schedules: how far each of them is, and what becomes of its next instant.
//!
//! The engine knows no calendar. The node computes the instants of a schedule, and gives each to the engine once it has
//! come: the event of it is accepted and the cursor moves in one step, whose facts are written together. So no crash lets
//! an instant be taken twice, nor be lost.

use alloc::vec::Vec;

use super::answer::{Answer, Refusal};
use super::effect::Output;
use super::fact::Change;
use super::schedule::{Overlap, ScheduleCursor, ScheduleName, ScheduleTick};
use super::store::{LiveState, Location};
use super::time::Timestamp;
use super::{Engine, Phase};

impl Engine {
    /// Returns how far a schedule is.
    pub fn schedule(&self, name: &ScheduleName) -> Option<ScheduleCursor> {
        self.state.schedules.get(name).copied()
    }

    /// Returns every schedule with its cursor, in the order of their names.
    pub fn schedules(&self) -> impl Iterator<Item = (&ScheduleName, ScheduleCursor)> {
        self.state.schedules.iter().map(|(name, cursor)| (name, *cursor))
    }

    /// Keeps these schedules: new ones begin now, and what is known of others is forgotten.
    pub(super) fn set_schedules(&mut self, names: &[ScheduleName], out: &mut Output) -> Answer {
        if self.phase != Phase::Running {
            return Answer::Refused(Refusal::ShuttingDown);
        }
        let gone: Vec<_> = self.state.schedules.keys().filter(|name| !names.contains(name)).cloned().collect();
        gone.into_iter().for_each(|name| self.move_cursor(name, None, out));
        let begin = ScheduleCursor { decided: self.now, accepted: None };
        for name in names {
            // Only a change is a fact: the journal must not grow by repeated openings.
            if !self.state.schedules.contains_key(name) {
                self.move_cursor(name.clone(), Some(begin), out);
            }
        }
        Answer::Noted
    }

    /// Decides an instant of a schedule. The cursor moves when its event is known from now on, or when it is passed over;
    /// it stays where there is no room for the event.
    pub(super) fn decide_tick(&mut self, tick: ScheduleTick, out: &mut Output) -> Answer {
        let ScheduleTick { schedule, nominal, event, overlap } = tick;
        if self.phase != Phase::Running {
            return Answer::Refused(Refusal::ShuttingDown);
        }
        let Some(cursor) = self.schedule(&schedule) else { return Answer::NotFound };
        if nominal <= cursor.decided || nominal > self.now {
            return Answer::Stale;
        }
        let overlaps = overlap == Overlap::Skip && self.is_tick_pending(&schedule, cursor.accepted);
        let Some(event) = event.filter(|_| !overlaps) else {
            self.move_cursor(schedule, Some(ScheduleCursor { decided: nominal, ..cursor }), out);
            return Answer::Noted;
        };
        let answer = self.submit(event.with_key(schedule.key(nominal)), out);
        // Known or in conflict: the instant was taken before, perhaps by another scheduler.
        if !matches!(answer, Answer::Refused(_)) {
            let cursor = ScheduleCursor { decided: nominal, accepted: Some(nominal) };
            self.move_cursor(schedule, Some(cursor), out);
        }
        answer
    }

    fn is_tick_pending(&self, schedule: &ScheduleName, nominal: Option<Timestamp>) -> bool {
        let Some(key) = nominal.map(|nominal| schedule.key(nominal)) else { return false };
        match self.state.store.find(self.state.store.hash(&key), &key) {
            Some(Location::Live(slot)) => match self.state.store.live[slot].state {
                LiveState::Waiting(_) | LiveState::Processing(_) => true,
                LiveState::Failed { .. } => false,
            },
            Some(Location::Tombstone(_)) | None => false,
        }
    }

    fn move_cursor(&mut self, schedule: ScheduleName, cursor: Option<ScheduleCursor>, out: &mut Output) {
        out.fact(self.now, || Change::Scheduled { schedule: schedule.clone(), cursor });
        self.state.set_cursor(schedule, cursor);
    }
}
