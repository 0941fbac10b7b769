//! The results of commands.

use core::fmt;
use core::time::Duration;

use super::command::Rejection;
use super::digest::Digest;
use super::event::Event;
use super::ids::RunId;
use super::patterns::PolicyId;
use super::status::Status;
use super::time::Timestamp;

/// The result of a command, for its caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Submit, Tick: the event is new, and is remembered from now on.
    Accepted,
    /// Submit, Tick: the same event was accepted before. It is not touched.
    Duplicate(Duplicate),
    /// Submit, Tick: another payload was accepted under this key. It is not touched.
    Conflict(Conflict),
    /// Submit, Tick, Redrive: not now, or not at all; nothing was inserted or changed.
    /// Discard, Pause, Resume, SetSchedules: the engine has stopped, or is about to.
    Refused(Refusal),
    /// Start: the ticket was good; run the handler.
    Running(Run),
    /// Start: not now (paused, or shutting down). The record is first in the line again.
    Held,
    /// Start: the ticket was a marker. Keep the permit and take the next ticket.
    Marked,
    /// Start: the ticket has no record. Settle, Heartbeat: the run is not current.
    /// EnqueueFailed: no such ticket is in the channel. Tick: the instant has not come, or was decided before. Nothing was
    /// changed.
    Stale,
    /// Settle: the outcome counts; the record has this status now.
    Settled(Status),
    /// Heartbeat: the run must end, or beat again, before this time.
    Alive(Timestamp),
    /// Sweep: what it found.
    Swept(Swept),
    /// Redrive, Discard: no such record. Tick: no such schedule.
    NotFound,
    /// Redrive: only a failed event can be redriven; this one has another status.
    NotFailed(Status),
    /// Discard: it was completed before.
    TooLate,
    /// The command was carried out, or there was nothing to do. Tick: the instant is passed over.
    Noted,
}

/// The state of an event that is submitted again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duplicate {
    /// Its status now.
    pub status: Status,
    /// The number of runs that were started.
    pub attempt: u32,
    /// The time of its acceptance.
    pub accepted_at: Timestamp,
}

/// Two payloads under one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conflict {
    /// The digest of the accepted payload.
    pub stored: Digest,
    /// The digest of the refused one.
    pub received: Digest,
    /// The time at which the first event of this key was accepted.
    pub first_received_at: Timestamp,
}

/// The reason why the engine does not take an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// A bound is reached.
    Overloaded {
        /// The bound that is reached.
        bound: Bound,
        /// The time to wait before trying again; never zero.
        retry_after: Duration,
    },
    /// The event is larger than any may be; trying again will not help.
    TooLarge {
        /// The most that an event may have, as [`Event::size_bytes`] counts.
        limit_bytes: usize,
    },
    /// The engine is shutting down, or has stopped.
    ShuttingDown,
}

/// A bound on what the engine holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bound {
    /// `max_pending`: events that are not terminal.
    Pending,
    /// The bound of its group: see [`GroupPolicy::max_pending`](super::GroupPolicy::max_pending).
    Group,
    /// `max_records`: records of any status.
    Records,
    /// `max_bytes`: bytes of events that are not terminal.
    Bytes,
    /// `max_failed_bytes`: bytes of events that have failed.
    Failed,
    /// The groups that are paused at once.
    PausedGroups,
    /// The room on the journal's disk is below the reserve. The engine knows nothing of the
    /// journal; for this bound and the next two the node refuses.
    Disk,
    /// The journal is slow: `max_unsynced_bytes` of facts, or one fact for `answer_timeout`, wait
    /// to become durable.
    JournalSlow,
    /// The directory or the disk of the journal cannot be found or asked.
    JournalUnreachable,
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "on events that have not ended, max_pending,",
            Self::Group => "on events of its group that have not ended, max_pending of the group's policy,",
            Self::Records => "on records, max_records,",
            Self::Bytes => "on bytes of events that have not ended, max_bytes,",
            Self::Failed => {
                "on bytes of failed events, max_failed_bytes, which are freed by redriving or discarding some,"
            }
            Self::PausedGroups => "on groups that are paused at once, of which some are to be resumed,",
            Self::Disk => "on room in the journal, whose disk is nearly full,",
            Self::JournalSlow => "on facts that wait to become durable, as the journal is slow or stuck,",
            Self::JournalUnreachable => "on room in the journal, whose directory or disk cannot be reached,",
        })
    }
}

/// A run that has started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The event to handle.
    pub event: Event,
    /// Its name, to be given back with its outcome.
    pub id: RunId,
    /// The number of runs of this event that were started, this one included.
    pub attempt: u32,
    /// The number of them that count against `max_attempts`, this one included.
    pub charged: u32,
    /// The most starts that may be charged: a failure of the last of them fails the event.
    pub max_attempts: u32,
    /// The type policy under which it runs.
    pub policy: Option<PolicyId>,
    /// The time at which it must have ended, unless a heartbeat moves this.
    pub deadline: Timestamp,
    /// The time past which no heartbeat can move the deadline.
    pub lifetime_end: Timestamp,
}

/// The findings of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Retries that became due and joined the line.
    pub retries_due: u32,
    /// Runs past their deadline.
    pub expired_runs: u32,
    /// Terminal records past their retention, now forgotten.
    pub forgotten: u32,
    /// True if a marker has been in the channel for `stuck_after`. When the dispatcher holds a permit meanwhile, and
    /// so would have presented it, the channel is broken.
    pub marker_overdue: bool,
}

impl From<Rejection> for super::metrics::RejectReason {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::Invalid => Self::Invalid,
            Rejection::TooLarge => Self::TooLarge,
            Rejection::Disk => Self::Disk,
            Rejection::JournalSlow => Self::JournalSlow,
            Rejection::JournalUnreachable => Self::JournalUnreachable,
            Rejection::Bytes => Self::Bytes,
        }
    }
}
