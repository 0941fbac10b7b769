//! Follow-ups: the events with which a handler ends its own.

use std::sync::PoisonError;
use std::vec::Vec;

use crate::engine::{Config, Event, Key, Outcome, Shard, ShardCount};
use crate::sync::{Mutex, MutexGuard};

/// The follow-ups of a run, until its handler has ended.
pub(super) struct FollowUps(Mutex<Option<Vec<Event>>>);

/// The reason why an event cannot be a follow-up of a run. What the handler has added before stays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FollowUpError {
    /// The run has as many as it may.
    #[error("the run has {max} follow-ups, as many as max_follow_ups allows: raise it, or end with fewer")]
    TooMany {
        /// The most that a run may have.
        max: usize,
    },
    /// The follow-ups of the run would have more bytes than they may.
    #[error(
        "the follow-ups of the run would have {bytes} bytes together, max_event_bytes is {limit_bytes}: raise it, or send \
         references to the data"
    )]
    TooLarge {
        /// Their bytes with this one, as [`Event::size_bytes`] counts.
        bytes: usize,
        /// The most that they may have.
        limit_bytes: usize,
    },
    /// The key is one of another shard, whose journal cannot be written together with that of this one.
    #[error(
        "the follow-up {0} belongs to another shard than its event, so that both cannot be accepted together: start with one \
         shard, or submit it"
    )]
    OtherShard(Key),
    /// The handler has ended: its follow-ups were taken.
    #[error("the handler of this run has ended, and with it the time to add follow-ups: submit the event")]
    Ended,
}

/// The bounds on the follow-ups of one run.
pub(super) struct FollowUpBounds<'a> {
    pub(super) config: &'a Config,
    pub(super) shards: ShardCount,
    /// The shard of the event.
    pub(super) shard: Shard,
}

impl FollowUps {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Some(Vec::new())))
    }

    /// Adds all of these events, or none.
    pub(super) fn add(
        &self,
        bounds: &FollowUpBounds<'_>,
        events: impl IntoIterator<Item = Event>,
    ) -> Result<(), FollowUpError> {
        let (max, limit_bytes) = (bounds.config.max_follow_ups, bounds.config.max_event_bytes);
        let mut follow_ups = self.lock();
        let added = follow_ups.as_mut().ok_or(FollowUpError::Ended)?;
        let before = added.len();
        let mut bytes = added.iter().map(Event::size_bytes).fold(0, usize::saturating_add);
        let result = events.into_iter().try_for_each(|event| {
            bytes = bytes.saturating_add(event.size_bytes());
            if bounds.shards.shard_of(event.key()) != bounds.shard {
                return Err(FollowUpError::OtherShard(event.key().clone()));
            }
            if added.len() >= max {
                return Err(FollowUpError::TooMany { max });
            }
            if bytes > limit_bytes {
                return Err(FollowUpError::TooLarge { bytes, limit_bytes });
            }
            added.push(event);
            Ok(())
        });
        if result.is_err() {
            // All or none, so that a handler which continues after the error knows what it has added.
            added.truncate(before);
        }
        result
    }

    /// Returns the outcome of a run: a success has the follow-ups of its handler. None can be added any more.
    pub(super) fn end(&self, outcome: Outcome) -> Outcome {
        let then = self.lock().take().unwrap_or_default();
        if outcome == Outcome::Done && !then.is_empty() { Outcome::DoneWith { then } } else { outcome }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<Event>>> {
        // Nothing panics while it is locked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
