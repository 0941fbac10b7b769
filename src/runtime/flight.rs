//! A run in flight, which is settled whatever becomes of its task.

use core::mem;
use std::sync::Arc;
use std::vec::Vec;
use tracing::Span;

use super::attempt::RunCell;
use super::shared::{Locked, Shared};
use super::span::record;
use crate::engine::{ErrorText, Event, Outcome, Timestamp};
use crate::node::RunBatch;

/// A run in flight: whatever becomes of its task, it is settled and its permit is free again.
pub(super) struct Flight {
    pub(super) cell: Arc<RunCell>,
    progress: Progress,
}

/// A run that has ended and is not settled, with its span, and the error that it ended with.
pub(super) struct EndedFlight {
    flight: Flight,
    span: Span,
    error: Option<ErrorText>,
}

/// How far a run has come. Dropped on the way, it is settled accordingly.
enum Progress {
    /// Its handler was not called, which is to be given this.
    Started(Event),
    /// Its handler works: dropped now, it has crashed.
    Called,
    /// Its handler has ended like this, or was stopped.
    Ended(Option<Outcome>),
    /// There is nothing left to do.
    Settled,
}

impl Flight {
    /// Must be called while the node is not locked: dropping it locks.
    pub(super) fn new((cell, event): (Arc<RunCell>, Event)) -> Self {
        Self { cell, progress: Progress::Started(event) }
    }

    /// Takes out the event, for which the handler is about to be called.
    pub(super) fn call(&mut self) -> Option<Event> {
        match mem::replace(&mut self.progress, Progress::Called) {
            Progress::Started(event) => Some(event),
            Progress::Called | Progress::Ended(_) | Progress::Settled => None,
        }
    }

    /// Its handler has ended with this outcome; without one when the run was stopped.
    pub(super) fn end(&mut self, outcome: Option<Outcome>) {
        self.progress = Progress::Ended(outcome);
    }

    /// What went wrong.
    const fn error(&self) -> Option<&ErrorText> {
        match &self.progress {
            Progress::Ended(Some(
                Outcome::Retry { error, .. } | Outcome::Permanent { error } | Outcome::Crashed { error },
            )) => Some(error),
            Progress::Ended(Some(Outcome::Done | Outcome::Snooze { .. } | Outcome::NotCalled) | None)
            | Progress::Started(_)
            | Progress::Called
            | Progress::Settled => None,
        }
    }

    /// Takes out how it has ended, to be settled.
    fn take_outcome(&mut self) -> Option<Outcome> {
        match &mut self.progress {
            Progress::Ended(outcome) => outcome.take(),
            Progress::Started(_) | Progress::Called | Progress::Settled => None,
        }
    }

    /// It is settled.
    fn be_settled(mut self) {
        self.progress = Progress::Settled;
    }
}

impl EndedFlight {
    pub(super) fn new(flight: Flight, span: Span) -> Self {
        let error = flight.error().cloned();
        Self { flight, span, error }
    }
}

/// Settles runs that have ended, by this call of the node with its lock held.
pub(super) fn settle<T>(
    shared: &Shared,
    batch: &mut RunBatch,
    ended: &mut Vec<EndedFlight>,
    call: impl FnOnce(&mut Locked, Timestamp, &mut RunBatch) -> T,
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

impl Drop for Flight {
    fn drop(&mut self) {
        let outcome = match mem::replace(&mut self.progress, Progress::Settled) {
            Progress::Started(_) => Some(Outcome::NotCalled),
            Progress::Called => {
                Some(Outcome::Crashed { error: ErrorText::new("the worker ended before the handler did") })
            }
            Progress::Ended(outcome) => outcome,
            Progress::Settled => return,
        };
        let RunCell { worker, run, shared, .. } = &*self.cell;
        shared.write(|node, now| node.settle(now, *worker, *run, outcome));
    }
}
