//! A worker: it holds a permit, calls the handler, and settles the run.

use eventful::node::WorkerId as Holder;
use eventful::{Timestamp, engine::RunId};

use crate::oracle::OutcomeSummary;
use crate::scenario::{Behaviour, EventNumber};
use crate::trace::Lane;

/// The number of a worker; none is used twice.
pub(super) type Serial = u32;

/// The number of a task that works on runs; none is used twice.
pub(super) type TaskNumber = u32;

/// A worker with its run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct WorldWorker {
    pub(super) serial: Serial,
    /// The task that handles it; none while it waits behind another run.
    pub(super) task: Option<TaskNumber>,
    /// Its name, with its permit.
    pub(super) holder: Holder,
    pub(super) run: RunId,
    pub(super) event: EventNumber,
    pub(super) attempt: u32,
    pub(super) does: Does,
    /// The time at which its handler ends, once it has begun.
    pub(super) ends_at: u64,
    /// True once its handler was called.
    pub(super) begun: bool,
    /// The time at which it was cancelled, by the node's clock.
    pub(super) cancelled: Option<Timestamp>,
    /// The number of facts decided when it started: with a journal they must be durable before its call.
    pub(super) decided: usize,
    /// True once its handler has ended or was dropped, or will not be called.
    pub(super) has_ended: bool,
    /// The outcome of its run, once its handler has ended.
    pub(super) outcome: Option<OutcomeSummary>,
}

/// The behaviour of its handler in this attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Does {
    /// Succeeds after a short while.
    Succeed,
    /// Kills each worker.
    Poison,
    /// Behaves as the scenario has it.
    As(Behaviour),
}

impl WorldWorker {
    /// Returns whether it stops when it is cancelled.
    pub(super) const fn heeds(&self) -> bool {
        !self.begun
            || !matches!(self.does, Does::As(Behaviour::Blocks { .. } | Behaviour::Deaf { .. } | Behaviour::Stuck))
    }

    /// Returns its lane in the trace.
    pub(super) fn lane(&self) -> Lane {
        Lane::Worker(u16::try_from(self.holder.number()).unwrap_or(u16::MAX))
    }

    /// Returns the behaviour that the scenario has for it.
    pub(super) const fn behaviour(&self) -> Option<Behaviour> {
        match self.does {
            Does::As(behaviour) => Some(behaviour),
            Does::Succeed | Does::Poison => None,
        }
    }
}
