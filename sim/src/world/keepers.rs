//! The dispatcher and the sweeper, which are started again when they die.

use std::collections::VecDeque;

use eventful::engine::{Phase, Place, Ticket};
use eventful::node::{RunBatch, Start, SupervisedTask, Tick};

use super::event_queue::Task;
use super::parts::Sweeper;
use super::routine::Routine;
use super::state::World;
use super::stop::Stop;
use super::watch::LED_AT_MOST;
use crate::failure::{Broken, holds};
use crate::scenario::FaultKind;

impl World<'_> {
    pub(super) fn dispatch_time(&self) -> Option<u64> {
        let due = self.dispatcher.routine.due(|at| self.world_time(at))?;
        Some(if self.dispatcher.routine.is_alive() { due.max(self.dispatcher.stalled_until) } else { due })
    }

    pub(super) fn dispatch(&mut self) -> Result<(), Stop> {
        if self.dispatcher.routine.is_dead() {
            if !self.drive(|node, now| node.part_restarted(now, SupervisedTask::Dispatcher))? {
                return self.end_dispatcher();
            }
            self.dispatcher.restarts += 1;
            // A stall was that of the dispatcher that died.
            (self.dispatcher.routine, self.dispatcher.stalled_until) = (Routine::Awake, 0);
            self.note(|trace| trace.note_world("a new channel and dispatcher take the places of the old ones"));
            return Ok(());
        }
        if self.takes_ticket_away() {
            return Ok(());
        }
        self.dispatcher.routine.doze();
        let mut batch = RunBatch::default();
        match self.drive(|node, now| node.start(now, &mut batch))? {
            Start::Runs => {
                holds(!self.tasks.is_led(), || {
                    Broken::new("waits", 3, "the dispatcher started runs while a task leads")
                })?;
                self.dispatcher.routine.wake();
                self.begin_task(batch)?;
            }
            Start::Wait => {}
            Start::Led(until) => {
                self.dispatcher.routine.sleep(Some(until));
                let since = self.tasks.since();
                holds(until <= since + LED_AT_MOST, || {
                    Broken::new(
                        "waits",
                        3,
                        format_args!(
                            "the leading task took its last turn at {since}, but the dispatcher sleeps until {until}"
                        ),
                    )
                })?;
            }
            Start::Stalled => {
                self.dispatcher.routine.wake();
                self.take_over()?;
            }
            Start::ChannelGone => self.kill_dispatcher(0),
            Start::End => return self.end_dispatcher(),
        }
        Ok(())
    }

    fn end_dispatcher(&mut self) -> Result<(), Stop> {
        self.dispatcher.routine = Routine::Ended;
        self.drive(|node, _| node.part_ended(SupervisedTask::Dispatcher))
    }

    /// Returns whether a step of a routine would do nothing.
    pub(super) fn is_idle(&self, task: Task) -> bool {
        if task == Task::SeeToEnd {
            // Each call takes the shutdown as far as it goes, so a second one does nothing.
            return self.ender.routine == Routine::Awake;
        }
        let engine = self.node.engine();
        if !self.is_serving() || engine.phase() == Phase::Stopped {
            return false;
        }
        if task == Task::Dispatch && self.dispatcher.routine == Routine::Awake {
            let has_ticket = self.node.tickets().is_none_or(|tickets| !tickets.is_empty());
            let cannot_start = !has_ticket || self.node.permits_free() == 0 || engine.is_paused();
            return cannot_start && self.ender.ending.is_none();
        }
        let is_due = || engine.next_deadline().is_some_and(|deadline| deadline.at <= self.clock());
        let answers_wait = !self.seen().oracles.is_synced();
        task == Task::Sweep && self.sweeper.routine == Routine::Awake && !answers_wait && !is_due()
    }

    /// Kills the dispatcher, which is not started again before this long.
    pub(super) fn kill_dispatcher(&mut self, lasts: u64) {
        self.dispatcher.routine = Routine::dead(self.node.part_died(SupervisedTask::Dispatcher), self.now, lasts);
    }

    /// Removes the next ticket from the channel for a while, or doubles it, as faults say.
    fn takes_ticket_away(&mut self) -> bool {
        let Some(ticket) = self.node.tickets().and_then(|tickets| tickets.front()).copied() else { return false };
        if std::mem::take(&mut self.dispatcher.presents_twice) {
            self.probe(FaultKind::TicketTwice);
            let Some(tickets) = self.node.tickets_mut() else { return false };
            // Behind the others, or right behind the first.
            let at = if ticket.number().is_multiple_of(2) { tickets.len() } else { 1 };
            tickets.insert(at, ticket);
        }
        match self.dispatcher.presents_late {
            Some((by, marker)) if !marker || self.is_marker(ticket) => {
                self.dispatcher.presents_late = None;
                self.probe(FaultKind::TicketLate);
                let _ = self.node.tickets_mut().as_mut().and_then(VecDeque::pop_front);
                // No other ticket is presented before.
                self.dispatcher.stalled_until = self.dispatcher.stalled_until.max(self.now + by);
                self.event_queue.at(self.now + by, Task::TicketBack(ticket));
                true
            }
            Some(_) | None => false,
        }
    }

    /// Returns a ticket that was removed to the channel, whatever has happened since.
    pub(super) fn bring_back(&mut self, ticket: Ticket) -> Result<(), Stop> {
        self.node.tickets_mut().iter_mut().for_each(|tickets| tickets.push_front(ticket));
        self.drive(|_, _| ())
    }

    /// Removes a marker that was just sent.
    pub(super) fn lose_marker(&mut self) {
        let last = self.node.tickets().and_then(|tickets| tickets.back()).copied();
        if let Some(marker) = last.filter(|last| self.is_marker(*last)) {
            let _ = self.node.tickets_mut().as_mut().and_then(VecDeque::pop_back);
            self.loses_marker = false;
            self.probe(FaultKind::MarkerLost);
            self.note(|trace| trace.note_lost(marker));
        }
    }

    /// Returns whether no record has this ticket. Reads all that wait, but only for a fault that waits for a marker.
    fn is_marker(&self, ticket: Ticket) -> bool {
        let seen = self.seen();
        if !seen.oracles.may_have_empty_ticket() {
            return false;
        }
        let queued = |event: u16| {
            let view = self.node.engine().get(self.latest, self.key_table.key(event));
            view.is_some_and(|view| view.place == Some(Place::Queued(ticket)))
        };
        let mut waiting = seen.oracles.expected.all().filter(|(_, known)| known.stage.eligible_at().is_some());
        !waiting.any(|(event, _)| queued(event))
    }

    /// Returns the time of the sweeper's next step, in the time of the simulation.
    pub(super) fn sweep_time(&self) -> Option<u64> {
        let Sweeper { routine, late_until, late_by, .. } = self.sweeper;
        let due = routine.due(|at| self.world_time(at))?;
        let is_late = matches!(routine, Routine::Asleep(_)) && due < late_until;
        Some(if is_late { due + late_by } else { due })
    }

    pub(super) fn sweep(&mut self) -> Result<(), Stop> {
        let Sweeper { routine, late_until, late_by, .. } = self.sweeper;
        if routine.is_dead() {
            if !self.drive(|node, now| node.part_restarted(now, SupervisedTask::Sweeper))? {
                return self.end_sweeper();
            }
            (self.sweeper.restarts, self.sweeper.routine) = (self.sweeper.restarts + 1, Routine::Awake);
            // Results that waited while it was dead are excused.
            self.hindered = self.hindered.max(self.now);
            return Ok(());
        }
        if let Routine::Asleep(Some(at)) = routine
            && self.world_time(at) < late_until
            && late_by > 0
        {
            self.probe(FaultKind::SweepsDelayed);
        }
        self.sweeper.routine.doze();
        match self.drive(|node, now| node.tick(now))? {
            Tick::Scheduled { .. } | Tick::Again | Tick::Swept(..) => self.sweeper.routine.wake(),
            Tick::Until(at) => self.sweeper.routine.sleep(at),
            Tick::End => return self.end_sweeper(),
        }
        Ok(())
    }

    fn end_sweeper(&mut self) -> Result<(), Stop> {
        self.sweeper.routine = Routine::Ended;
        self.drive(|node, _| node.part_ended(SupervisedTask::Sweeper))
    }

    /// Kills the sweeper, which is not started again before this long.
    pub(super) fn kill_sweeper(&mut self, lasts: u64) {
        let until = self.now + lasts;
        self.hindered = self.hindered.max(until);
        match &mut self.sweeper.routine {
            Routine::Dead(_, earlier) => *earlier = until.max(*earlier),
            Routine::Ended => {}
            Routine::Awake | Routine::Asleep(_) => {
                self.sweeper.routine = Routine::dead(self.node.part_died(SupervisedTask::Sweeper), self.now, lasts);
            }
        }
    }
}
