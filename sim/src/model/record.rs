//! What the model remembers of one event.

use eventful::{Charge, ErrorText, Event, PastAttempt, Run, Status, Timestamp};

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
    pub last_error: LastError,
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

/// The last error of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LastError {
    /// No attempt had one.
    None,
    /// This text was told.
    Told(ErrorText),
    /// A text of the engine's own; which one is not the model's business.
    Own,
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
            last_error: LastError::None,
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

    /// What it is charged against the bound by bytes: a tombstone has no event any more.
    pub fn kept_bytes(&self) -> usize {
        if self.is_tombstone() { 0 } else { self.event.size_bytes() }
    }
}
