//! A run in flight, which is settled whatever becomes of its task.

use core::mem;
use std::sync::Arc;
use std::vec::Vec;
use tracing::Span;

use super::attempt::RunState;
use super::shared::{LockedNode, Shared};
use super::span::record;
use crate::engine::{ErrorText, Event, Outcome, Timestamp};
use crate::node::RunBatch;

/// A run in flight: whatever becomes of its task, it is settled and its permit is free again.
pub(super) struct RunGuard {
    pub(super) cell: Arc<RunState>,
    progress: RunProgress,
}

/// A run that has ended and is not settled, with its span, and the error that it ended with.
pub(super) struct EndedFlight {
    flight: RunGuard,
    span: Span,
    error: Option<ErrorText>,
}

/// How far a run has come. Dropped on the way, it is settled accordingly.
enum RunProgress {
    /// Its handler was not called, which is to be given this.
    Started(Event),
    /// Its handler works: dropped now, it has crashed.
    Called,
    /// Its handler has ended like this, or was stopped.
    Ended(Option<Outcome>),
    /// There is nothing left to do.
    Settled,
}

impl RunGuard {
    /// Must be called while the node is not locked: dropping it locks.
    pub(super) fn new((cell, event): (Arc<RunState>, Event)) -> Self {
        Self { cell, progress: RunProgress::Started(event) }
    }

    /// Takes out the event, for which the handler is about to be called.
    pub(super) fn call(&mut self) -> Option<Event> {
        match mem::replace(&mut self.progress, RunProgress::Called) {
            RunProgress::Started(event) => Some(event),
            RunProgress::Called | RunProgress::Ended(_) | RunProgress::Settled => None,
        }
    }

    /// Its handler has ended with this outcome; without one when the run was stopped.
    pub(super) fn end(&mut self, outcome: Option<Outcome>) {
        self.progress = RunProgress::Ended(outcome);
    }

    /// What went wrong.
    const fn error(&self) -> Option<&ErrorText> {
        match &self.progress {
            RunProgress::Ended(Some(
                Outcome::Retry { error, .. } | Outcome::Permanent { error } | Outcome::Crashed { error },
            )) => Some(error),
            RunProgress::Ended(Some(Outcome::Done | Outcome::Snooze { .. } | Outcome::NotCalled) | None)
            | RunProgress::Started(_)
            | RunProgress::Called
            | RunProgress::Settled => None,
        }
    }

    /// Takes out how it has ended, to be settled.
    fn take_outcome(&mut self) -> Option<Outcome> {
        match &mut self.progress {
            RunProgress::Ended(outcome) => outcome.take(),
            RunProgress::Started(_) | RunProgress::Called | RunProgress::Settled => None,
        }
    }

    /// It is settled.
    fn be_settled(mut self) {
        self.progress = RunProgress::Settled;
    }
}

impl EndedFlight {
    pub(super) fn new(flight: RunGuard, span: Span) -> Self {
        let error = flight.error().cloned();
        Self { flight, span, error }
    }
}

/// Settles runs that have ended, by this call of the node with its lock held.
pub(super) fn settle<T>(
    shared: &Shared,
    batch: &mut RunBatch,
    ended: &mut Vec<EndedFlight>,
    call: impl FnOnce(&mut LockedNode, Timestamp, &mut RunBatch) -> T,
) -> T {
    for EndedFlight { flight, .. } in &mut *ended {
        batch.end(flight.cell.worker, flight.cell.run, flight.take_outcome());
    }
    let value = shared.write_locked(|locked, now| call(locked, now, batch));
    for (EndedFlight { flight, span, error }, status) in ended.drain(..).zip(batch.statuses()) {
        flight.be_settled();
        record(&span, status, error.as_ref());
    }
    value
}

impl Drop for RunGuard {
    fn drop(&mut self) {
        let outcome = match mem::replace(&mut self.progress, RunProgress::Settled) {
            RunProgress::Started(_) => Some(Outcome::NotCalled),
            RunProgress::Called => {
                Some(Outcome::Crashed { error: ErrorText::new("the worker ended before the handler did") })
            }
            RunProgress::Ended(outcome) => outcome,
            RunProgress::Settled => return,
        };
        let RunState { worker, run, shared, .. } = &*self.cell;
        shared.write(|node, now| node.settle(now, *worker, *run, outcome));
    }
}
