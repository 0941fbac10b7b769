//! What a task that leads has beside the run that it works on, where others can take it.

use core::mem;
use std::collections::VecDeque;
use std::sync::PoisonError;
use std::vec::Vec;

use super::run_guard::{EndedFlight, RunGuard};
use crate::node::Lead;
use crate::sync::{Mutex, MutexGuard};

/// The runs of the task that leads, without the one that it works on. When a handler holds that task up, others take
/// them: who takes a run out calls its handler, or settles it.
#[derive(Default)]
pub(super) struct LeaderRuns(Mutex<Beside>);

/// What a task has beside the run that it works on.
#[derive(Default)]
pub(super) struct Beside {
    /// The task that put the last ones in.
    lead: Option<Lead>,
    /// Runs whose handlers are not called yet, in their order.
    pub(super) started: VecDeque<RunGuard>,
    /// Runs that have ended and are not settled, in their order.
    pub(super) ended: Vec<EndedFlight>,
}

impl LeaderRuns {
    /// Adds runs that were started for the task of this name.
    pub(super) fn put(&self, lead: Lead, started: impl Iterator<Item = RunGuard>) {
        let mut beside = self.lock();
        beside.lead = Some(lead);
        beside.started.extend(started);
    }

    /// Takes the next run out for the task of this name, and keeps those meanwhile that it has ended. After the last one
    /// they are given back, with those before; nothing is given once another task leads.
    pub(super) fn advance(&self, lead: Lead, ended: &mut Vec<EndedFlight>) -> Option<RunGuard> {
        let mut beside = self.lock();
        if beside.lead != Some(lead) {
            return None;
        }
        let next = beside.started.pop_front();
        beside.ended.append(ended);
        if next.is_none() {
            mem::swap(&mut beside.ended, ended);
        }
        next
    }

    /// Takes all out that the task of this name has put in, unless another one leads by now.
    pub(super) fn leave(&self, lead: Lead) -> Beside {
        let mut beside = self.lock();
        if beside.lead == Some(lead) { mem::take(&mut *beside) } else { Beside::default() }
    }

    /// Takes all out, as the task that leads is held up.
    pub(super) fn take_over(&self) -> Beside {
        mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Beside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
