//! A record that may still run.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::slab::{GroupId, Slot};
use crate::engine::command::ErrorText;
use crate::engine::event::Event;
use crate::engine::fact::Charge;
use crate::engine::ids::{RunId, Seq};
use crate::engine::patterns::PolicyId;
use crate::engine::status::Status;
use crate::engine::time::Timestamp;
use crate::engine::view::{PastAttempt, Place};

/// A record that is not over, or that has failed and can be redriven: it keeps its event.
#[derive(Debug)]
pub(in crate::engine) struct LiveRecord {
    pub(in crate::engine) event: Event,
    /// The keyed hash of the event's key.
    pub(super) hash: u64,
    pub(in crate::engine) accepted_at: Timestamp,
    /// Absent when it comes from a snapshot of a program that kept none.
    pub(in crate::engine) seq: Option<Seq>,
    pub(in crate::engine) state: LiveState,
    pub(in crate::engine) attempt: u32,
    pub(in crate::engine) charge: Charge,
    /// A mark: the type policy under which it runs, as the configuration has it.
    pub(in crate::engine) policy: Option<PolicyId>,
    /// A mark: its group, while it is pending.
    pub(in crate::engine) group: Option<GroupId>,
    pub(super) links: Links,
    /// Absent while every attempt so far is still running or was the first.
    pub(super) trouble: Option<Box<PastFailures>>,
}

/// The state of a live record.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) enum LiveState {
    Waiting(WaitingState),
    Processing(ActiveRun),
    Failed {
        at: Timestamp,
        /// Under which it is among the failed ones; given by the store.
        number: u64,
    },
}

/// The state of a record that waits for a run.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct WaitingState {
    /// True if a run of it has ended since it was accepted or redriven.
    pub(in crate::engine) retry: bool,
    pub(in crate::engine) eligible_at: Timestamp,
    /// A mark. Absent only between the fact that made it wait and the mark that follows.
    pub(in crate::engine) place: Option<Place>,
    /// A mark: when it was delayed, among others with the same `eligible_at`.
    pub(in crate::engine) delayed_as: u64,
}

/// The state of a record with a run in flight.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct ActiveRun {
    pub(in crate::engine) id: RunId,
    pub(in crate::engine) started_at: Timestamp,
    /// A mark: heartbeats move it.
    pub(in crate::engine) deadline: Timestamp,
}

/// The neighbours of a record in the list that it is in.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Links {
    pub(super) previous: Option<Slot>,
    pub(super) next: Option<Slot>,
}

/// The failures of a record's past attempts.
#[derive(Debug, Default)]
pub(super) struct PastFailures {
    last_error: Option<ErrorText>,
    history: Vec<PastAttempt>,
}

impl LiveRecord {
    pub(super) fn new(event: Event, hash: u64, accepted_at: Timestamp, seq: Option<Seq>) -> Self {
        let state = LiveState::waiting(false, event.eligible_at(accepted_at));
        let (attempt, charge, policy, group, links, trouble) = Default::default();
        Self { event, hash, accepted_at, seq, state, attempt, charge, policy, group, links, trouble }
    }

    pub(in crate::engine) fn waiting_mut(&mut self) -> &mut WaitingState {
        match &mut self.state {
            LiveState::Waiting(waiting) => waiting,
            LiveState::Processing(_) | LiveState::Failed { .. } => unreachable!("only a waiting record has a place"),
        }
    }

    pub(in crate::engine) fn run_mut(&mut self) -> &mut ActiveRun {
        match &mut self.state {
            LiveState::Processing(run) => run,
            LiveState::Waiting(_) | LiveState::Failed { .. } => unreachable!("only a processing record has a run"),
        }
    }

    pub(in crate::engine) fn run(&self) -> &ActiveRun {
        match &self.state {
            LiveState::Processing(run) => run,
            LiveState::Waiting(_) | LiveState::Failed { .. } => unreachable!("only a processing record has a run"),
        }
    }

    /// Keeps the end of an attempt for those who ask later, and of those before at most so many that they are
    /// `most`.
    pub(in crate::engine) fn remember(&mut self, mut attempt: PastAttempt, error: Option<ErrorText>, most: usize) {
        // On the heap: most records never fail, and pay one pointer.
        let trouble = self.trouble.get_or_insert_default();
        // Past errors are cut shorter than the last one, as there may be several.
        attempt.error = error.as_ref().map(|error| error.shortened(PastAttempt::MAX_ERROR_BYTES));
        // A snooze without a reason keeps the error before it.
        trouble.last_error = error.or(trouble.last_error.take());
        if trouble.history.len() >= most {
            trouble.history.remove(0);
        }
        trouble.history.push(attempt);
    }

    /// Takes back what was remembered elsewhere.
    pub(in crate::engine) fn recall(&mut self, last_error: Option<ErrorText>, history: Vec<PastAttempt>) {
        // Most records have neither, and then take no memory for them.
        if last_error.is_some() || !history.is_empty() {
            self.trouble = Some(Box::new(PastFailures { last_error, history }));
        }
    }

    /// Returns the time since which it waits while it is pending: that of its acceptance, or before which it was not to
    /// start.
    pub(in crate::engine) fn pending_since(&self) -> Timestamp {
        self.event.eligible_at(self.accepted_at)
    }

    /// Bytes of its event and of its errors.
    pub(in crate::engine) fn kept_bytes(&self) -> usize {
        let past = self.history().iter().filter_map(|attempt| attempt.error.as_ref());
        let errors = self.last_error().into_iter().chain(past);
        self.event.size_bytes() + errors.map(|error| error.as_str().len()).sum::<usize>()
    }

    pub(in crate::engine) fn last_error(&self) -> Option<&ErrorText> {
        self.trouble.as_ref()?.last_error.as_ref()
    }

    pub(in crate::engine) fn history(&self) -> &[PastAttempt] {
        self.trouble.as_ref().map_or(&[], |trouble| &trouble.history)
    }
}

impl LiveState {
    pub(in crate::engine) const fn waiting(retry: bool, eligible_at: Timestamp) -> Self {
        Self::Waiting(WaitingState { retry, eligible_at, place: None, delayed_as: 0 })
    }

    pub(in crate::engine) const fn failed(at: Timestamp) -> Self {
        Self::Failed { at, number: 0 }
    }

    pub(in crate::engine) const fn status(&self) -> Status {
        match self {
            Self::Waiting(WaitingState { retry: false, .. }) => Status::Received,
            Self::Waiting(WaitingState { retry: true, .. }) => Status::FailedRetry,
            Self::Processing(_) => Status::Processing,
            Self::Failed { .. } => Status::Failed,
        }
    }
}
