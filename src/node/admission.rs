//! Admission of events.

use core::time::Duration;

use super::Node;
use super::actions::Waiter;
use super::groups::Lsn;
use super::unavailable::Unavailable;
use crate::engine::{Answer, Bound, Command, Conflict, Duplicate, Event, Phase, Refusal, Rejection, Timestamp};

/// The result of a submission that was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submitted {
    /// The event is new, and will be processed.
    Accepted,
    /// The event was accepted before, with the same payload. Nothing was changed.
    Duplicate(Duplicate),
}

/// The reason why a submitted event was not accepted. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// Another payload was accepted under this key.
    #[error("another payload was accepted under this key: give each event a key of its own")]
    Conflict(Conflict),
    /// A bound is reached.
    #[error("the bound {bound} is reached: try again in {retry_after:?}")]
    Overloaded {
        /// The bound that is reached.
        bound: Bound,
        /// The time to wait before trying again.
        retry_after: Duration,
    },
    /// The event is larger than the limit.
    #[error("the event is too large: max_event_bytes is {limit_bytes}; raise it, or send a reference to the data")]
    TooLarge {
        /// The most bytes that an event may have.
        limit_bytes: usize,
    },
    /// The engine is shutting down, or has stopped.
    #[error("the engine is shutting down: send it to its successor")]
    ShuttingDown,
    /// See [`Unavailable`].
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// A value that was decided. It may leave when its LSN is durable, or at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decided<T> {
    /// The value.
    pub value: T,
    /// The LSN that must be durable before; `None` when no LSN must be.
    pub lsn: Option<Lsn>,
}

/// The result of entering an event.
#[derive(Debug)]
pub enum Admission {
    /// The event was accepted or refused.
    Decided(Decided<Result<Submitted, SubmitError>>),
    /// There is no room for it, or other events wait before it: it waits, and its waiter is woken when it may [enter
    /// again](Node::enter_again).
    Waits(Event),
}

impl Node {
    /// Submits an event, and never waits for room. A new one that the journal has no room for is refused
    /// before the engine sees it, so that outcomes still have some.
    ///
    /// # Errors
    ///
    /// [`Unavailable`]
    pub fn submit(
        &mut self,
        now: Timestamp,
        event: Event,
    ) -> Result<Decided<Result<Submitted, SubmitError>>, Unavailable> {
        self.ready()?;
        Ok(self.decide_submit(now, event))
    }

    /// Submits an event unless it should wait for room; then it waits behind all others, as the waiter that `name`
    /// makes.
    ///
    /// # Errors
    ///
    /// [`Unavailable`]
    pub fn enter(
        &mut self,
        now: Timestamp,
        event: Event,
        name: impl FnOnce() -> Waiter,
    ) -> Result<Admission, Unavailable> {
        self.ready()?;
        if self.must_wait(now, &event, None) {
            self.queue.join(name(), event.size_bytes());
            return Ok(Admission::Waits(event));
        }
        Ok(Admission::Decided(self.decide_submit(now, event)))
    }

    /// Submits an event that waits as this waiter, when it is its turn and there is room now.
    ///
    /// # Errors
    ///
    /// [`Unavailable`]
    pub fn enter_again(&mut self, now: Timestamp, event: Event, waiter: Waiter) -> Result<Admission, Unavailable> {
        self.ready()?;
        if self.must_wait(now, &event, Some(waiter)) {
            self.queue.stay(waiter);
            return Ok(Admission::Waits(event));
        }
        Ok(Admission::Decided(self.decide_submit(now, event)))
    }

    /// Ends a waiter's wait for room.
    pub fn leave(&mut self, waiter: Waiter) {
        self.queue.leave(waiter);
    }

    /// Counts a submission that makes no event. A node that is not available counts nothing.
    pub fn reject(&mut self, now: Timestamp, rejection: Rejection) {
        if self.unavailable().is_none() {
            self.execute(now, Command::Reject(rejection));
        }
    }

    fn decide_submit(&mut self, now: Timestamp, event: Event) -> Decided<Result<Submitted, SubmitError>> {
        if let Some((bound, rejection)) = self.journal_refuses(now, &event) {
            // The engine does not see the event, so the refusal is counted by a command of its own.
            self.execute(now, Command::Reject(rejection));
            let retry_after = self.config().overload_retry_after;
            return Decided { value: Err(SubmitError::Overloaded { bound, retry_after }), lsn: None };
        }
        let is_durable = self.is_durably_known(now, &event);
        let value = submitted(&self.execute(now, Command::Submit(event)));
        // A result that shows nothing of a record need not wait.
        let waits = matches!(value, Ok(_) | Err(SubmitError::Conflict(_))) && !is_durable;
        Decided { value, lsn: self.commits.tail().filter(|_| waits) }
    }

    fn journal_refuses(&self, now: Timestamp, event: &Event) -> Option<(Bound, Rejection)> {
        let refusal = self.commits.refusal(now, event.size_bytes())?;
        // A known event takes no room, and its sender is owed the known result. Looked up last, because it costs most.
        let is_new = || self.engine.get(now, event.key()).is_none();
        (self.engine.phase() == Phase::Running && is_new()).then_some(refusal)
    }

    /// Returns the bound of the journal that leaves no room for these events, of which some are new.
    pub(super) fn journal_refuses_any(&self, now: Timestamp, events: &[Event]) -> Option<Bound> {
        let size = events.iter().map(Event::size_bytes).fold(0, usize::saturating_add);
        let (bound, _) = self.commits.refusal(now, size)?;
        let any_new = || events.iter().any(|event| self.engine.get(now, event.key()).is_none());
        any_new().then_some(bound)
    }

    /// Returns whether the journal is late, and the record of this key durable all the same. Then a result about it
    /// need not wait. While the journal is in time, waiting costs less than this check.
    fn is_durably_known(&self, now: Timestamp, event: &Event) -> bool {
        let is_durable =
            || self.engine.get(now, event.key()).is_some_and(|known| self.commits.holds(known.changed_at()));
        self.commits.is_late(now) && is_durable()
    }

    /// Returns whether room would help this event, of a new caller or of one that waits. No refusal is tried, because
    /// it would be counted.
    fn must_wait(&self, now: Timestamp, event: &Event, waiter: Option<Waiter>) -> bool {
        // The cheap checks of room come first; a lookup by key is made only when the event would have to wait.
        !(self.has_room(now, event.size_bytes()) && self.queue.lets_in(waiter))
            && self.engine.phase() == Phase::Running
            && event.size_bytes() <= self.config().max_event_bytes
            // Waiting for its own group it would hold up those behind it.
            && !self.engine.is_group_full(event)
            && self.engine.get(now, event.key()).is_none()
    }

    /// Returns whether no bound prevents one more event of this size.
    fn has_room(&self, now: Timestamp, size_bytes: usize) -> bool {
        self.engine.has_room(size_bytes) && self.commits.refusal(now, size_bytes).is_none()
    }

    /// Wakes the first submitter that waits, if it can enter or never will.
    pub(super) fn call_first_in_queue(&mut self, now: Timestamp) {
        let Self { engine, commits, queue, .. } = self;
        // In shutdown the first one is woken without room, to get its refusal.
        let ends = engine.phase() != Phase::Running;
        let has_room = |size| ends || engine.has_room(size) && commits.refusal(now, size).is_none();
        if let Some(first) = queue.call(has_room) {
            self.pending.edit().wake.push(first);
        }
    }
}

/// Converts the engine's answer to a submission.
#[expect(clippy::wildcard_enum_match_arm, reason = "what does not fit the command is a bug, whatever it is")]
fn submitted(answer: &Answer) -> Result<Submitted, SubmitError> {
    match *answer {
        Answer::Accepted => Ok(Submitted::Accepted),
        Answer::Duplicate(duplicate) => Ok(Submitted::Duplicate(duplicate)),
        Answer::Conflict(conflict) => Err(SubmitError::Conflict(conflict)),
        Answer::Refused(Refusal::Overloaded { bound, retry_after }) => {
            Err(SubmitError::Overloaded { bound, retry_after })
        }
        Answer::Refused(Refusal::TooLarge { limit_bytes }) => Err(SubmitError::TooLarge { limit_bytes }),
        Answer::Refused(Refusal::ShuttingDown) => Err(SubmitError::ShuttingDown),
        // The engine returns no other answer to a submission: one that did could not be trusted.
        _ => Err(Unavailable::Broken.into()),
    }
}
