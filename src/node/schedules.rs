//! Schedules: when an instant of one has come, and what becomes of those that were missed.
//!
//! The calendar is a part of the driver, and a pure function: the node asks it for instants. The engine knows how far each
//! schedule is, so what a restart continues with is in the journal.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::Node;
use super::schedule::{Schedule, Schedules};
use super::ticking::Tick;
use super::unavailable::Unavailable;
use crate::engine::{Answer, Command, Event, Phase, Refusal, ScheduleTick, Timestamp};

impl Node {
    /// Keeps these schedules from now on, in the place of those before: new ones begin now, known ones continue where they
    /// are, and what is known of others is forgotten. They have been [validated](Schedule::validate_all).
    ///
    /// # Errors
    ///
    /// [`Unavailable`]
    pub fn set_schedules(&mut self, now: Timestamp, schedules: Vec<Schedule>) -> Result<(), Unavailable> {
        self.ready()?;
        self.schedules = Some(Schedules::new(schedules));
        self.begin_schedules(now);
        Ok(())
    }

    /// Adds the schedules to an engine that was opened just now.
    pub(super) fn begin_schedules(&mut self, now: Timestamp) {
        let Some(schedules) = &self.schedules else { return };
        let names = schedules.entries.iter().map(|(schedule, _)| schedule.name.clone()).collect();
        self.execute(now, Command::SetSchedules(names));
        let Self { schedules: Some(schedules), engine, .. } = self else { return };
        for at in 0..schedules.entries.len() {
            let (schedule, _) = &schedules.entries[at];
            let decided = engine.schedule(&schedule.name).map(|cursor| cursor.decided);
            // In the past if the instant was missed: then it is decided at once.
            let next = decided.and_then(|decided| schedule.calendar.after(decided));
            schedules.set_next(at, next);
        }
    }

    /// Returns the time at which the next instant of a schedule is to be decided.
    pub(super) fn next_instant(&self) -> Option<Timestamp> {
        self.schedules.as_ref()?.earliest().filter(|_| self.engine.phase() == Phase::Running)
    }

    /// Decides the next instant of a schedule, if one has come.
    pub(super) fn run_schedule(&mut self, now: Timestamp) -> Option<Tick> {
        if self.next_instant()? > now {
            return None;
        }
        let entries = &self.schedules.as_ref()?.entries;
        let at = (0..entries.len()).filter(|at| entries[*at].1.is_some()).min_by_key(|at| entries[*at].1)?;
        let schedule = entries[at].0.clone();
        let decided = self.engine.schedule(&schedule.name).map(|cursor| cursor.decided);
        let Some((nominal, is_taken)) = decided.and_then(|decided| schedule.due(decided, now)) else {
            // Decided already; the next one comes later, or never.
            let next = decided.and_then(|decided| schedule.calendar.after(decided.max(now)));
            self.schedules.as_mut()?.set_next(at, next);
            return Some(Tick::Again);
        };
        let answer = self.decide_instant(now, &schedule, nominal, is_taken);
        let next = match matches!(answer, Answer::Refused(_)) {
            // The same instant again, or a later one that has come meanwhile.
            true => Some(now + self.config().overload_retry_after),
            false => schedule.calendar.after(nominal),
        };
        self.schedules.as_mut()?.set_next(at, next);
        Some(Tick::Scheduled { schedule: schedule.name, nominal, answer })
    }

    fn decide_instant(&mut self, now: Timestamp, schedule: &Schedule, nominal: Timestamp, is_taken: bool) -> Answer {
        let Schedule { name, event, overlap, .. } = schedule;
        let event = is_taken.then(|| event.clone().with_key(name.key(nominal)));
        // Shown with the event, and given with it: its acceptance may be later.
        let is_plain = |event: &Event| event.not_before().is_none();
        let event = event.map(|event| if is_plain(&event) { event.with_not_before(nominal) } else { event });
        // As for any new event: the engine knows no journal.
        if let Some(bound) =
            event.as_ref().and_then(|event| self.journal_refuses_any(now, core::slice::from_ref(event)))
        {
            let retry_after = self.config().overload_retry_after;
            return Answer::Refused(Refusal::Overloaded { bound, retry_after });
        }
        let tick = ScheduleTick { schedule: name.clone(), nominal, event, overlap: *overlap };
        self.execute(now, Command::Tick(Box::new(tick)))
    }
}
