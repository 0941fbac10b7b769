//! The steps of the simulation.

use std::hash::{Hash as _, Hasher as _};

use super::event_queue::Task;
use super::schedule::StepSchedule;
use super::state::World;
use super::stop::Stop;
use crate::failure::Broken;
use crate::tier::ScenarioPart as _;

/// The steps of the routines.
const ROUTINES: [Task; 4] = [Task::Dispatch, Task::Sweep, Task::Write, Task::SeeToEnd];

/// The most time that may pass while a step is ready: longer than a handler takes, so that it may end meanwhile.
const PATIENCE_MICROS: u64 = 60_000;

impl World<'_> {
    /// Takes one step. Returns whether there was one.
    ///
    /// # Errors
    ///
    /// [`Broken`] if a promise does not hold after it.
    pub(crate) fn step(&mut self, choices: &mut StepSchedule) -> Result<bool, Broken> {
        let Some((routines, awake)) = self.wake()? else { return Ok(false) };
        if self.scenario.setup.idles_first
            && let Some(idle) = routines[..awake].iter().find(|task| self.is_idle(**task))
        {
            self.take_step(*idle)?;
            return Ok(true);
        }
        let waiting = self.event_queue.ready.len();
        let count = waiting + awake;
        let later = self.later();
        let choice = choices.choose(count + usize::from(later.is_some()));
        if let Some(later) = later.filter(|_| choice == count) {
            // A shutdown is excused for this time.
            self.stood_still += later - self.now;
            (self.now, self.patience) = (later, self.patience - 1);
            return Ok(true);
        }
        let task = match choice.checked_sub(waiting) {
            None => self.event_queue.ready.remove(choice),
            Some(routine) => routines[routine],
        };
        self.take_step(task)?;
        Ok(true)
    }

    fn take_step(&mut self, task: Task) -> Result<(), Broken> {
        self.begin_step(task);
        let performed = self.perform(task);
        let mourned = if matches!(performed, Err(Stop::Panicked)) { self.mourn(task) } else { performed };
        if let Err(Stop::Broken(broken)) = mourned {
            return Err(broken);
        }
        self.judge_step()?;
        if self.hashes.is_some() {
            let hash = self.hashed();
            self.hashes.iter_mut().for_each(|hashes| hashes.push(hash));
        }
        Ok(())
    }

    fn begin_step(&mut self, task: Task) {
        self.steps += 1;
        self.hash.word(self.now);
        task.hash(&mut self.hash);
        let (step, at, skew) = (self.steps, self.now, self.skew);
        self.note(|trace| (trace.step, trace.at, trace.skew) = (step, at, skew));
    }

    /// Returns a hash over all steps and their output.
    pub(super) fn hashed(&self) -> u64 {
        let mut hash = self.hash;
        hash.word(self.seen().hash.finish());
        hash.finish()
    }

    /// Lets time pass until a step is ready. Returns the ready steps of routines, which come first, with their number;
    /// none if nothing will ever be ready.
    fn wake(&mut self) -> Result<Option<([Task; 4], usize)>, Broken> {
        loop {
            self.event_queue.wake(self.now);
            self.wake_scheduled();
            let times = self.routines();
            let (mut ready, mut count) = (ROUTINES, 0);
            for (task, time) in ROUTINES.into_iter().zip(times) {
                if time.is_some_and(|time| time <= self.now) {
                    ready[count] = task;
                    count += 1;
                }
            }
            if count > 0 || !self.event_queue.ready.is_empty() {
                return Ok(Some((ready, count)));
            }
            let Some(next) = self.scheduled().into_iter().chain(times).flatten().min() else { return Ok(None) };
            // Time passes only while all tasks sleep, so each must have a reason to.
            self.judge_pause(next)?;
            self.now = next;
        }
    }

    /// Returns the times of the next steps of the [`ROUTINES`].
    fn routines(&self) -> [Option<u64>; 4] {
        match self.is_up {
            true => [self.dispatch_time(), self.sweep_time(), self.write_time(), self.end_time()],
            false => [None; 4],
        }
    }

    /// Makes due operations and faults of the scenario ready.
    fn wake_scheduled(&mut self) {
        while let Some(operation) = self.scenario.operations.get(self.next_operation)
            && operation.at <= self.now
        {
            self.event_queue.now(Task::Operation(self.next_operation as u32));
            self.next_operation += 1;
        }
        while let Some(fault) = self.scenario.faults.get(self.next_fault)
            && fault.at().is_none_or(|at| at <= self.now)
        {
            // Faults of handlers have no time: they are read when the handler is called.
            if fault.at().is_some() {
                self.event_queue.now(Task::Fault(self.next_fault as u32));
            }
            self.next_fault += 1;
        }
    }

    /// Returns the times of the next steps that are no routine's.
    fn scheduled(&self) -> [Option<u64>; 3] {
        let operation = self.scenario.operations.get(self.next_operation).map(|operation| operation.at);
        let fault = self.scenario.faults.get(self.next_fault).and_then(|fault| fault.at());
        [self.event_queue.next_time(), operation, fault]
    }

    /// Returns the time at which another step gets ready soon, if time may pass before the ready ones are taken.
    fn later(&self) -> Option<u64> {
        if self.patience == 0 {
            return None;
        }
        let soon = self.now + 1..=self.now + PATIENCE_MICROS;
        let times = self.scheduled().into_iter().chain(self.routines()).flatten();
        times.filter(|time| soon.contains(time)).min()
    }

    fn perform(&mut self, task: Task) -> Result<(), Stop> {
        match task {
            Task::Operation(at) => self.operate(at),
            Task::Wake(waiter) => self.poll(waiter),
            Task::GiveUp(waiter) => self.abandon(waiter),
            Task::Leave(waiter) => self.leave(waiter),
            Task::Read(reader) => self.read(reader),
            Task::Turn(reader) => Ok(self.turn(reader)?),
            Task::Unsubscribe(reader) => self.unsubscribe(reader),
            Task::Fault(at) => self.begin_fault(at),
            Task::Dispatch => self.dispatch(),
            Task::TicketBack(ticket) => self.bring_back(ticket),
            Task::Sweep => self.sweep(),
            Task::Write => self.write(),
            Task::SeeToEnd => self.see_to_end(),
            Task::Notice => self.drive(|_, _| ()),
            Task::Begin(worker) => self.begin(worker),
            Task::Beat(worker) => self.beat(worker),
            Task::End(worker) => self.end(worker),
            Task::Yield(worker) => self.drop_handler(worker),
            Task::Settle(task) => self.take_turn(task),
            Task::SettleAgain(run) => self.settle_again(run),
            Task::ChannelFree => {
                self.free_channel();
                Ok(())
            }
            Task::Restart => self.restart(),
            Task::Revive => Ok(self.revive()?),
            Task::DiskFreed => {
                self.free_disk();
                Ok(())
            }
        }
    }
}
