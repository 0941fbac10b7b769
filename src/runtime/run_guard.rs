//! A run in guard, which is settled whatever becomes of its task.

use core::mem;
use std::sync::Arc;
use std::vec::Vec;
use tracing::Span;

use super::attempt::RunState;
use super::shared::{LockedNode, Shared};
use super::span::record;
use crate::engine::{ErrorText, Event, Outcome, Timestamp};
use crate::node::RunBatch;

/// A run in guard: whatever becomes of its task, it is settled and its permit is free again.
pub(super) struct RunGuard {
    pub(super) state: Arc<RunState>,
    progress: RunProgress,
}

/// A run that has ended and is not settled, with its span, and its error.
pub(super) struct UnsettledRun {
    guard: RunGuard,
    span: Span,
    error: Option<ErrorText>,
}

/// The progress of a run. A run that is dropped on the way is settled accordingly.
enum RunProgress {
    /// The handler was not called yet; this event is for it.
    Started(Event),
    /// The handler works: dropped now, the run has crashed.
    Called,
    /// The handler has ended with this outcome; without one, it was stopped.
    Ended(Option<Outcome>),
    /// The run is settled, nothing is left to do.
    Settled,
}

impl RunGuard {
    /// Creates the guard. Must be called while the node is not locked: dropping it locks.
    pub(super) fn new((state, event): (Arc<RunState>, Event)) -> Self {
        Self { state, progress: RunProgress::Started(event) }
    }

    /// Takes out the event, for which the handler is about to be called.
    pub(super) fn call(&mut self) -> Option<Event> {
        match mem::replace(&mut self.progress, RunProgress::Called) {
            RunProgress::Started(event) => Some(event),
            RunProgress::Called | RunProgress::Ended(_) | RunProgress::Settled => None,
        }
    }

    /// Records that the handler has ended with this outcome; without one when the run was stopped.
    pub(super) fn end(&mut self, outcome: Option<Outcome>) {
        self.progress = RunProgress::Ended(outcome);
    }

    /// Returns the error of the run, if it has ended with one.
    const fn error(&self) -> Option<&ErrorText> {
        match &self.progress {
            RunProgress::Ended(Some(
                Outcome::Retry { error, .. } | Outcome::Permanent { error } | Outcome::Crashed { error },
            )) => Some(error),
            RunProgress::Ended(
                Some(Outcome::Done | Outcome::DoneWith { .. } | Outcome::Snooze { .. } | Outcome::NotCalled) | None,
            )
            | RunProgress::Started(_)
            | RunProgress::Called
            | RunProgress::Settled => None,
        }
    }

    /// Takes out the outcome, to be settled.
    fn take_outcome(&mut self) -> Option<Outcome> {
        match &mut self.progress {
            RunProgress::Ended(outcome) => outcome.take(),
            RunProgress::Started(_) | RunProgress::Called | RunProgress::Settled => None,
        }
    }

    /// Ends the guard of a run that was settled.
    fn be_settled(mut self) {
        self.progress = RunProgress::Settled;
    }
}

impl UnsettledRun {
    pub(super) fn new(guard: RunGuard, span: Span) -> Self {
        let error = guard.error().cloned();
        Self { guard, span, error }
    }
}

/// Settles runs that have ended, by this call of the node with its lock held.
pub(super) fn settle<T>(
    shared: &Shared,
    batch: &mut RunBatch,
    ended: &mut Vec<UnsettledRun>,
    call: impl FnOnce(&mut LockedNode, Timestamp, &mut RunBatch) -> T,
) -> T {
    for UnsettledRun { guard, .. } in &mut *ended {
        batch.end(guard.state.worker, guard.state.run, guard.take_outcome());
    }
    // One hold of the lock settles all of them.
    let value = shared.write_locked(|locked, now| call(locked, now, batch));
    for (UnsettledRun { guard, span, error }, status) in ended.drain(..).zip(batch.statuses()) {
        // The guard must not settle its run a second time when it is dropped.
        guard.be_settled();
        record(&span, status, error.as_ref());
    }
    value
}

impl Drop for RunGuard {
    fn drop(&mut self) {
        let outcome = match mem::replace(&mut self.progress, RunProgress::Settled) {
            // No handler was called, so the start is not charged.
            RunProgress::Started(_) => Some(Outcome::NotCalled),
            RunProgress::Called => {
                Some(Outcome::Crashed { error: ErrorText::new("the worker ended before the handler did") })
            }
            RunProgress::Ended(outcome) => outcome,
            RunProgress::Settled => return,
        };
        let RunState { worker, run, shared, .. } = &*self.state;
        shared.write(|node, now| node.settle(now, *worker, *run, outcome));
    }
}
