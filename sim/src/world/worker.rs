//! A worker: it holds a permit, calls the handler, and tells the outcome.

use eventful::RunId;

use crate::oracle::Told;
use crate::scenario::{Behaviour, EventNumber};

/// The number of a worker; none is used twice.
pub(super) type Serial = u32;

/// A worker and the run that it works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Worker {
    pub(super) serial: Serial,
    /// The permit that it holds.
    pub(super) permit: u16,
    pub(super) run: RunId,
    pub(super) event: EventNumber,
    pub(super) attempt: u32,
    pub(super) does: Does,
    /// When its handler ends, once it has begun.
    pub(super) ends_at: u64,
    pub(super) cancelled: bool,
    /// How many facts were decided when it started: with a journal they come before its call.
    pub(super) decided: usize,
    /// What it has to tell, once its handler has ended.
    pub(super) outcome: Option<Told>,
}

/// What its handler does in this attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Does {
    /// It succeeds after a short while.
    Succeed,
    /// It kills each worker.
    Poison,
    /// What the scenario says.
    As(Behaviour),
}

impl Worker {
    /// Whether its handler hears that it is cancelled.
    pub(super) fn heeds(&self) -> bool {
        !matches!(self.does, Does::As(Behaviour::Deaf { .. } | Behaviour::Stuck))
    }

    /// The behaviour that the scenario gives it.
    pub(super) fn behaviour(&self) -> Option<Behaviour> {
        match self.does {
            Does::As(behaviour) => Some(behaviour),
            Does::Succeed | Does::Poison => None,
        }
    }
}
