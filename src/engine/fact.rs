//! Decided changes that must survive.

use alloc::vec::Vec;
use core::fmt;

use super::command::ErrorText;
use super::event::{Event, GroupName};
use super::ids::{Epoch, RunId};
use super::key::Key;
use super::schedule::{ScheduleCursor, ScheduleName};
use super::time::Timestamp;

/// A decided change that must survive, with the time of its decision.
///
/// The engine changes records by applying facts, and rebuilds them by applying the same facts
/// again. A fact carries what was decided, not what it was decided from, so that it means the
/// same under another configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// The time of the decision.
    pub at: Timestamp,
    /// The decided change.
    pub change: Change,
}

impl Fact {
    /// About how many bytes it takes to write it down: those of its event, or of its key, and a
    /// little more.
    pub fn size_bytes(&self) -> usize {
        /// Times, names and numbers.
        const REST: usize = 64;
        REST + match &self.change {
            Change::Accepted(event) => event.size_bytes(),
            Change::Finished { key, error, .. } => {
                key.len_bytes() + error.as_ref().map_or(0, |error| error.as_str().len())
            }
            Change::Started { key, .. } | Change::Redriven(key) | Change::Discarded(key) => key.len_bytes(),
            Change::Forgotten(keys) => keys.iter().map(Key::len_bytes).sum(),
            Change::GroupPaused { group, .. } => group.as_str().len(),
            Change::Scheduled { schedule, .. } => schedule.as_str().len(),
            Change::Paused | Change::Resumed | Change::Epoch(_) => 0,
        }
    }
}

/// The change that a [`Fact`] makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A new event is remembered.
    Accepted(Event),
    /// A run started.
    Started {
        /// Of this event.
        key: Key,
        /// Under this name.
        run: RunId,
    },
    /// A run ended.
    Finished {
        /// Of this event.
        key: Key,
        /// Under this name.
        run: RunId,
        /// The way it ended.
        end: AttemptEnd,
        /// With this error.
        error: Option<ErrorText>,
        /// The next state of the event.
        next: AfterRun,
        /// The event's charge from now on.
        charge: Charge,
    },
    /// A failed event got another life.
    Redriven(Key),
    /// An operator ended an event.
    Discarded(Key),
    /// Terminal records were dropped at the end of their retention; each key is named once. A fact
    /// holds at most [`Change::MAX_FORGOTTEN`] of them.
    Forgotten(Vec<Key>),
    /// No run starts until `Resumed`.
    Paused,
    /// Runs may start again.
    Resumed,
    /// The engine was opened.
    Epoch(Epoch),
    /// No run of this group starts, or they may start again.
    GroupPaused {
        /// Its name.
        group: GroupName,
        /// True if it is paused from now on.
        paused: bool,
    },
    /// A schedule was added, has got further, or was removed.
    Scheduled {
        /// Its name.
        schedule: ScheduleName,
        /// The cursor from now on; absent once the schedule was removed.
        cursor: Option<ScheduleCursor>,
    },
}

impl Change {
    /// The most keys that one fact forgets: as many as a sweep handles by default, and few enough
    /// to be applied in well under a millisecond.
    pub const MAX_FORGOTTEN: usize = 1024;
}

/// The end of an attempt, as metrics and history show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AttemptEnd {
    /// With success.
    Done,
    /// With an error, and the event waits for another attempt.
    Retry,
    /// With an error that ended the event.
    Failed,
    /// The handler asked to be called later.
    Snoozed,
    /// The handler panicked, or its worker or the process died.
    Crashed,
    /// Its deadline passed.
    TimedOut,
    /// Shutdown ended it.
    Interrupted,
    /// An operator ended the event meanwhile.
    Discarded,
}

impl AttemptEnd {
    /// Every end, in the order of the metric's labels.
    pub const ALL: [Self; 8] = [
        Self::Done,
        Self::Retry,
        Self::Failed,
        Self::Snoozed,
        Self::Crashed,
        Self::TimedOut,
        Self::Interrupted,
        Self::Discarded,
    ];

    /// Its name in snake case, as JSON and metrics show it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Retry => "retry",
            Self::Failed => "failed",
            Self::Snoozed => "snoozed",
            Self::Crashed => "crashed",
            Self::TimedOut => "timed_out",
            Self::Interrupted => "interrupted",
            Self::Discarded => "discarded",
        }
    }
}

impl fmt::Display for AttemptEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The next state of an event when a run of it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AfterRun {
    /// The event is completed.
    Completed,
    /// The event has failed.
    Failed,
    /// The event waits for another attempt.
    Retry {
        /// The soonest that the attempt may start.
        eligible_at: Timestamp,
    },
}

/// The charge of an event: the counts that are compared with limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Charge {
    /// Starts that count against `max_attempts`.
    pub charged: u32,
    /// Starts given back because the handler asked to be called later.
    pub snoozes: u32,
    /// Starts given back because shutdown interrupted them.
    pub refunds: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString as _;

    #[test]
    fn the_names_of_ends_are_the_labels_of_the_metric() {
        let names = ["done", "retry", "failed", "snoozed", "crashed", "timed_out", "interrupted", "discarded"];
        assert_eq!(AttemptEnd::ALL.map(AttemptEnd::as_str), names);
        assert_eq!(AttemptEnd::ALL.map(|end| end.to_string()), names);
    }
}
