//! Batches of runs: a task gets them, and returns them, in one hold of the lock.

use alloc::vec::Vec;
use core::mem;

use super::groups::Lsn;
use super::pace::{Lead, is_quick};
use super::workers::WorkerId;
use crate::engine::{Outcome, Run, RunId, Status, Timestamp};

/// A run that is to be worked on.
#[derive(Debug)]
#[must_use = "its worker holds a permit until the run is settled"]
pub struct Launch {
    /// The worker of this run, with its permit.
    pub worker: WorkerId,
    /// The run.
    pub run: Run,
    /// The LSN that must be durable before the handler is called, if starts are to be durable.
    pub lsn: Option<Lsn>,
}

/// The runs that one task gets, and those that it returns, in one hold of the lock.
#[derive(Debug, Default)]
pub struct RunBatch {
    ended: Vec<EndedRun>,
    launches: Vec<Launch>,
    /// The number of runs that it got last, and the time.
    given: usize,
    since: Timestamp,
    /// True if a handler did not end at once.
    has_waited: bool,
    lead: Option<Lead>,
}

/// A run that its task has ended.
#[derive(Debug)]
pub(super) struct EndedRun {
    pub(super) worker: WorkerId,
    pub(super) run: RunId,
    /// The outcome; absent when the run was stopped.
    pub(super) outcome: Option<Outcome>,
    /// The status that the outcome has led to, if it counts.
    pub(super) status: Option<Status>,
}

impl RunBatch {
    /// Adds a run whose handler has ended, with this outcome; without one when the run was stopped.
    pub fn end(&mut self, worker: WorkerId, run: RunId, outcome: Option<Outcome>) {
        self.ended.push(EndedRun { worker, run, outcome, status: None });
    }

    /// Records that a handler did not end at once.
    pub const fn wait(&mut self) {
        self.has_waited = true;
    }

    /// Returns the name under which it leads, as far as it knows.
    pub const fn lead(&self) -> Option<Lead> {
        self.lead
    }

    /// Takes out the statuses to which the ended runs have led, in the order in which they were added.
    pub fn statuses(&mut self) -> impl Iterator<Item = Option<Status>> + '_ {
        self.ended.drain(..).map(|ended| ended.status)
    }

    /// Takes out the runs that it got.
    pub fn launches(&mut self) -> impl ExactSizeIterator<Item = Launch> + '_ {
        self.launches.drain(..)
    }

    /// Adds what decides about the next runs of its task to a hash.
    #[cfg(feature = "sim")]
    #[doc(hidden)]
    pub fn fingerprint(&self, hasher: &mut impl core::hash::Hasher) {
        core::hash::Hash::hash(&(self.given, self.since, self.has_waited, self.lead), hasher);
    }

    /// Returns whether its runs ended at once.
    pub(super) fn was_quick(&mut self, now: Timestamp) -> bool {
        // Taken, because the task uses its batch again for its next runs.
        !mem::take(&mut self.has_waited) && is_quick(self.given, now.since(self.since))
    }

    /// Returns the runs that have ended, in the order in which they were added.
    pub(super) fn ended(&mut self) -> impl Iterator<Item = &mut EndedRun> {
        self.ended.iter_mut()
    }

    /// Adds one more run.
    pub(super) fn give(&mut self, launch: Launch) {
        self.launches.push(launch);
    }

    /// Returns the number of runs that it got.
    pub(super) const fn len(&self) -> usize {
        self.launches.len()
    }

    /// Ends the filling of the batch: the task has all that it gets now.
    pub(super) const fn complete(&mut self, now: Timestamp, lead: Option<Lead>) {
        (self.given, self.since, self.lead) = (self.launches.len(), now, lead);
    }

    /// Ends the task's lead. Returns the name under which it led.
    pub(super) const fn step_down(&mut self) -> Option<Lead> {
        self.lead.take()
    }
}
