//! Tasks that handle runs, one after the other.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};

use eventful::Timestamp;
use eventful::node::{Lead, RunBatch};

use super::worker::{Serial, TaskNumber};

/// A task that handles runs.
#[derive(Debug)]
pub(super) struct WorkTask {
    pub(super) number: TaskNumber,
    pub(super) batch: RunBatch,
    /// Workers whose handlers have ended and that are not settled yet, in their order.
    pub(super) ended: Vec<Serial>,
    /// True if the task is about to settle them.
    pub(super) settles: bool,
}

/// All tasks, and the runs that wait for their calls.
#[derive(Debug, Default)]
pub(super) struct WorldTasks {
    all: Vec<WorkTask>,
    next: TaskNumber,
    /// The task that began to lead last, for which the runs in line were started.
    lead: Option<Lead>,
    /// The time at which it last took a turn, by the node's clock.
    since: Timestamp,
    /// Runs that were started together with one that is being handled, in their order.
    line: VecDeque<Serial>,
}

impl WorldTasks {
    /// Adds a task with its batch.
    pub(super) fn add(&mut self, batch: RunBatch) -> TaskNumber {
        let number = self.next;
        self.next += 1;
        self.all.push(WorkTask { number, batch, ended: Vec::new(), settles: false });
        number
    }

    pub(super) fn get(&mut self, number: TaskNumber) -> Option<&mut WorkTask> {
        self.all.iter_mut().find(|task| task.number == number)
    }

    /// Removes a task: while it calls the node, or because it has ended.
    pub(super) fn take(&mut self, number: TaskNumber) -> Option<WorkTask> {
        let at = self.all.iter().position(|task| task.number == number)?;
        Some(self.all.swap_remove(at))
    }

    /// Puts back a task that was removed.
    pub(super) fn put(&mut self, task: WorkTask) {
        self.all.push(task);
    }

    /// Adds waiting runs that were started for the task of this name.
    pub(super) fn line_up(&mut self, now: Timestamp, lead: Lead, runs: impl Iterator<Item = Serial>) {
        (self.lead, self.since) = (Some(lead), now);
        self.line.extend(runs);
    }

    /// Returns the next run for the task of this name.
    pub(super) fn next_in_line(&mut self, lead: Option<Lead>) -> Option<Serial> {
        if lead.is_some() && self.lead == lead { self.line.pop_front() } else { None }
    }

    /// Returns all runs that wait for the task of this name.
    pub(super) fn leave_line(&mut self, lead: Option<Lead>) -> VecDeque<Serial> {
        if lead.is_some() && self.lead == lead { std::mem::take(&mut self.line) } else { VecDeque::new() }
    }

    /// Returns all runs that wait, and those that the task they wait for has ended, unless it is about to settle them.
    pub(super) fn take_over(&mut self) -> (VecDeque<Serial>, Vec<Serial>) {
        let lead = self.lead.take();
        let line = std::mem::take(&mut self.line);
        let leader = self.all.iter_mut().find(|task| lead.is_some() && task.batch.lead() == lead && !task.settles);
        (line, leader.map_or_else(Vec::new, |leader| std::mem::take(&mut leader.ended)))
    }

    /// Returns the time at which the leading task last took a turn.
    pub(super) const fn since(&self) -> Timestamp {
        self.since
    }

    /// Returns whether this is the name of the task that began to lead last, and was not replaced since.
    pub(super) fn is_leader(&self, lead: Lead) -> bool {
        self.lead == Some(lead)
    }

    /// Returns whether a task leads.
    pub(super) fn is_led(&self) -> bool {
        self.lead.is_some() && self.all.iter().any(|task| task.batch.lead() == self.lead)
    }

    /// Returns whether runs wait for a task that has ended.
    pub(super) fn is_forgotten(&self) -> bool {
        !self.line.is_empty() && !self.is_led()
    }

    /// Drops everything, as the process died.
    pub(super) fn clear(&mut self) {
        self.all.clear();
        self.line.clear();
    }

    /// Adds to a hash what decides their further course.
    pub(super) fn fingerprint(&self, hasher: &mut impl Hasher) {
        for WorkTask { number, batch, ended, settles } in &self.all {
            batch.fingerprint(hasher);
            (number, ended, settles).hash(hasher);
        }
        (self.lead, self.since, &self.line).hash(hasher);
    }
}
