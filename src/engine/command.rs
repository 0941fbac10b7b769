//! Commands: everything that can happen outside, as inputs of the engine.

use alloc::boxed::Box;
use alloc::string::ToString as _;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::event::{Event, GroupName};
use super::ids::{RunId, Ticket};
use super::key::Key;
use super::schedule::{ScheduleName, ScheduleTick};

/// An input of the engine: something that happened outside.
///
/// Exhaustive on purpose: every driver of the engine must know them all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// A client submits an event.
    Submit(Event),
    /// A client sent something that makes no event. Nothing changes but a counter.
    Reject(Rejection),
    /// The dispatcher took this ticket from the channel and has a permit for a run.
    Start(Ticket),
    /// A run has ended.
    Settle {
        /// The run that ended.
        run: RunId,
        /// Its outcome.
        outcome: Outcome,
    },
    /// A run is alive and wants its deadline moved.
    Heartbeat(RunId),
    /// A ticket did not get into the channel. After the first one of a batch fails, the driver
    /// sends none of the rest, and reports them last first, so that their order is kept.
    EnqueueFailed {
        /// The ticket that did not get in.
        ticket: Ticket,
        /// The cause.
        cause: EnqueueFailure,
    },
    /// The channel and all tickets in it are gone; a new, empty one takes its place.
    ChannelLost,
    /// Do what time has made due, at most `sweep_batch` items.
    Sweep,
    /// An operator gives a failed event another life.
    Redrive(Key),
    /// An operator ends an event.
    Discard(Key),
    /// An operator stops the start of new runs.
    Pause,
    /// An operator lets runs start again.
    Resume,
    /// An operator stops the start of new runs of one group, or lets them start again.
    PauseGroup {
        /// Its name.
        group: GroupName,
        /// True if it is to be paused.
        paused: bool,
    },
    /// The schedules that there are: new ones begin now, and what is known of others is forgotten.
    SetSchedules(Vec<ScheduleName>),
    /// An instant of a schedule has come.
    Tick(Box<ScheduleTick>),
    /// Sweeps forget nothing until [`Command::ReleaseExpiry`]: the journal has enough to write.
    /// What has expired is absent all the same.
    HoldExpiry,
    /// Sweeps forget what has expired again.
    ReleaseExpiry,
    /// Accept nothing new and start nothing; runs in flight continue.
    Shutdown,
    /// Record every run in flight as interrupted, and stop permanently.
    AbortInflight,
}

/// The reason why a submission makes no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rejection {
    /// Its key or its form is not allowed.
    Invalid,
    /// The event was cut off for its size before it was whole.
    TooLarge,
    /// The journal has no room for it.
    Disk,
    /// The journal is too slow to take it now.
    JournalSlow,
    /// The journal cannot be reached.
    JournalUnreachable,
    /// Others that arrive at the same time leave no room for its bytes.
    Bytes,
}

/// The reason why a ticket did not get into the channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EnqueueFailure {
    /// The channel has no room.
    Full,
    /// The channel has no receiver.
    Closed,
}

/// The end of a run, as its worker reports it.
///
/// Timeouts and interruptions are not reported by workers: the engine decides them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// With success.
    Done,
    /// With success, and with events that follow from it: all of them are accepted together with the completion, or none.
    ///
    /// One of which the key is known with the same payload is a duplicate, and nothing more. If one of them conflicts with
    /// what is known, or if there are more of them or more bytes than may ever be, the event has failed; if there is no room
    /// for them, it waits as after a [`Snooze`](Self::Snooze) and runs again.
    DoneWith {
        /// The follow-ups, at most [`Config::max_follow_ups`](super::Config::max_follow_ups).
        then: Vec<Event>,
    },
    /// With an error that another attempt may not have.
    Retry {
        /// The error of this attempt.
        error: ErrorText,
        /// The soonest that the next attempt makes sense, from now on.
        after: Option<Duration>,
    },
    /// With an error that every attempt will have.
    Permanent {
        /// The error, which no other attempt would mend.
        error: ErrorText,
    },
    /// Without a fault of the event: it is too early, or there is no room to work in.
    Snooze {
        /// The wait until the next attempt.
        delay: Duration,
        /// The reason, when it is worth a record.
        reason: Option<ErrorText>,
    },
    /// The handler panicked, or its worker died.
    Crashed {
        /// The little that is known of it.
        error: ErrorText,
    },
    /// Without a call of the handler: its worker died before. The start is given back, as that of a run that shutdown
    /// interrupts.
    NotCalled,
}

/// The text of an error, at most 1 KiB: what is longer is cut.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ErrorText(Box<str>);

impl ErrorText {
    /// The longest text that is kept, in bytes.
    pub const MAX_BYTES: usize = 1024;

    /// Makes an error text, cut at a character's end where it is too long.
    pub fn new(text: impl fmt::Display) -> Self {
        let text = text.to_string();
        let end = text.floor_char_boundary(Self::MAX_BYTES);
        Self(text[..end].into())
    }

    /// Returns this text, cut at a character's end where it has more bytes than these.
    pub(super) fn shortened(&self, max_bytes: usize) -> Self {
        Self(self.0[..self.0.floor_char_boundary(max_bytes)].into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first line, which says what went wrong. Further ones may hold what a target or a command said.
    pub fn cause(&self) -> &str {
        self.0.lines().next().unwrap_or_default()
    }
}

impl fmt::Debug for ErrorText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for ErrorText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn error_is_shown_as_it_was_given() {
        let error = ErrorText::new("a \"b\"");
        assert_eq!(
            (error.as_str(), format!("{error}"), format!("{error:?}")),
            ("a \"b\"", "a \"b\"".into(), r#""a \"b\"""#.into())
        );
    }

    #[test]
    fn a_long_error_is_cut_at_the_end_of_a_character() {
        let longest = "x".repeat(ErrorText::MAX_BYTES);
        assert_eq!(ErrorText::new(&longest).as_str(), longest);
        assert_eq!(ErrorText::new(longest.clone() + "x").as_str(), longest);
        assert_eq!(ErrorText::new("x".to_string() + &"ä".repeat(600)).as_str().len(), ErrorText::MAX_BYTES - 1);
    }
}
