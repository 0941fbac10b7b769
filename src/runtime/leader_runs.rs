//! Runs of the task that leads, where other tasks can take them.

use core::mem;
use std::collections::VecDeque;
use std::sync::PoisonError;
use std::vec::Vec;

use super::run_guard::{RunGuard, UnsettledRun};
use crate::node::Lead;
use crate::sync::{Mutex, MutexGuard};

/// The runs of the task that leads, without the one that it works on. When a handler holds that task up, other tasks
/// take them: the one that takes a run out calls its handler, or settles it.
#[derive(Default)]
pub(super) struct LeaderRuns(Mutex<PendingRuns>);

/// The runs of a task, without the one that it works on.
#[derive(Default)]
pub(super) struct PendingRuns {
    /// The task that put the last runs in.
    lead: Option<Lead>,
    /// Runs whose handlers are not called yet, in their order.
    pub(super) started: VecDeque<RunGuard>,
    /// Runs that have ended and are not settled, in their order.
    pub(super) ended: Vec<UnsettledRun>,
}

impl LeaderRuns {
    /// Adds runs that were started for this task.
    pub(super) fn put(&self, lead: Lead, started: impl Iterator<Item = RunGuard>) {
        let mut pending = self.lock();
        pending.lead = Some(lead);
        pending.started.extend(started);
    }

    /// Takes out the next run for this task, and keeps the runs that it has ended meanwhile. After the last run they
    /// are returned, with earlier ones; nothing is returned once another task leads.
    pub(super) fn advance(&self, lead: Lead, ended: &mut Vec<UnsettledRun>) -> Option<RunGuard> {
        let mut pending = self.lock();
        // Another task leads by now, and the runs were given to others.
        if pending.lead != Some(lead) {
            return None;
        }
        let next = pending.started.pop_front();
        // Kept here while the next handler runs: if that blocks, another task can settle these.
        pending.ended.append(ended);
        if next.is_none() {
            mem::swap(&mut pending.ended, ended);
        }
        next
    }

    /// Takes out all that this task has put in, unless another one leads by now.
    pub(super) fn leave(&self, lead: Lead) -> PendingRuns {
        let mut pending = self.lock();
        if pending.lead == Some(lead) { mem::take(&mut *pending) } else { PendingRuns::default() }
    }

    /// Takes all out, because the task that leads is held up.
    pub(super) fn take_over(&self) -> PendingRuns {
        mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, PendingRuns> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
