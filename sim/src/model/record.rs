//! What the model remembers of one event.

use eventful::{Charge, ErrorText, Event, PastAttempt, RecordView, Run, Status, Timestamp};

/// What the model remembers of one event.
#[derive(Debug, Clone)]
pub struct Record {
    /// The event as it was accepted.
    pub event: Event,
    /// Where it stands.
    pub state: State,
    /// How often a run was started.
    pub attempt: u32,
    /// What is compared with the limits.
    pub charge: Charge,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// The error of the last attempt that had one.
    pub last_error: Option<ErrorText>,
    /// All attempts that have ended.
    pub history: Vec<PastAttempt>,
}

/// Where a record stands, with the times that go with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It waits for a run.
    Waiting {
        /// `Received` or `FailedRetry`.
        status: Status,
        /// The soonest that a run may start.
        eligible_at: Timestamp,
    },
    /// A run is in flight.
    Processing {
        /// The run as it was started; its deadline is moved by heartbeats.
        run: Run,
        /// When it started.
        started_at: Timestamp,
    },
    /// It is over.
    Ended {
        /// `Completed`, `Failed` or `Discarded`.
        status: Status,
        /// Since when.
        at: Timestamp,
        /// How many had ended before it.
        order: u64,
    },
}

impl Record {
    /// A record of `event`, accepted and eligible at `now`.
    pub fn new(event: Event, now: Timestamp) -> Self {
        Self {
            event,
            state: State::Waiting { status: Status::Received, eligible_at: now },
            attempt: 0,
            charge: Charge::default(),
            accepted_at: now,
            last_error: None,
            history: Vec::new(),
        }
    }

    /// Its status.
    pub fn status(&self) -> Status {
        match &self.state {
            State::Waiting { status, .. } | State::Ended { status, .. } => *status,
            State::Processing { .. } => Status::Processing,
        }
    }

    /// The soonest that a run may start, while it waits.
    pub fn eligible_at(&self) -> Option<Timestamp> {
        match &self.state {
            State::Waiting { eligible_at, .. } => Some(*eligible_at),
            State::Processing { .. } | State::Ended { .. } => None,
        }
    }

    /// Its run and when that started, while one is in flight.
    pub fn run(&self) -> Option<(&Run, Timestamp)> {
        match &self.state {
            State::Processing { run, started_at } => Some((run, *started_at)),
            State::Waiting { .. } | State::Ended { .. } => None,
        }
    }

    /// When it became terminal.
    pub fn terminal_at(&self) -> Option<Timestamp> {
        match &self.state {
            State::Ended { at, .. } => Some(*at),
            State::Waiting { .. } | State::Processing { .. } => None,
        }
    }

    /// Whether only its tombstone is left.
    pub fn is_tombstone(&self) -> bool {
        matches!(self.status(), Status::Completed | Status::Discarded)
    }

    /// Bytes of its event: a tombstone has none any more.
    pub fn kept_bytes(&self) -> usize {
        if self.is_tombstone() { 0 } else { self.event.size_bytes() }
    }

    /// The past attempts that are remembered, the oldest first.
    pub fn remembered(&self) -> &[PastAttempt] {
        &self.history[self.history.len().saturating_sub(RecordView::MAX_HISTORY)..]
    }

    /// Bytes of the last error, and of those of past attempts.
    pub fn error_bytes(&self) -> usize {
        let past = self.remembered().iter().filter_map(|attempt| attempt.error.as_ref());
        past.chain(&self.last_error).map(|error| error.as_str().len()).sum()
    }
}
