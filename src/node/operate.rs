//! Calls of operators and callers: redrive, discard, pause, wait, subscribe.

use alloc::boxed::Box;
use core::time::Duration;

use super::Node;
use super::actions::Waiter;
use super::admission::Decided;
use super::readers::Reading;
use super::unavailable::Unavailable;
use super::watches::WatchedEvent;
use crate::engine::{Answer, Bound, Command, GroupName, Key, Phase, Refusal, Status, Timestamp};

/// The reason why a failed event was not redriven. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RedriveError {
    /// There is no such event; perhaps it has expired.
    #[error("there is no such event: submit it again")]
    NotFound,
    /// The event has not failed.
    #[error("the event is {0}, and only a failed one can be redriven: leave it alone")]
    NotFailed(Status),
    /// A bound is reached.
    #[error("the bound {bound} is reached: try again in {retry_after:?}")]
    Overloaded {
        /// The bound that is reached.
        bound: Bound,
        /// The time to wait before trying again.
        retry_after: Duration,
    },
    /// The engine is shutting down, or has stopped.
    #[error("the engine is shutting down: try again when it is back")]
    ShuttingDown,
    /// See [`Unavailable`].
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// The reason why an event was not discarded. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DiscardError {
    /// There is no such event; perhaps it has expired.
    #[error("there is no such event: nothing needs to be done")]
    NotFound,
    /// The event was completed before.
    #[error("the event was completed before: undo its effects where they are")]
    Completed,
    /// The engine has stopped.
    #[error("the engine has stopped: try again when it is back")]
    ShuttingDown,
    /// See [`Unavailable`].
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// The reason why the engine was neither paused nor resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PauseError {
    /// A bound is reached.
    #[error("the bound {0} is reached")]
    Overloaded(Bound),
    /// The engine has stopped.
    #[error("the engine has stopped: try again when it is back")]
    ShuttingDown,
    /// See [`Unavailable`].
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Node {
    /// Returns a failed event to work, with all its attempts.
    ///
    /// # Errors
    ///
    /// [`Unavailable`]
    pub fn redrive(&mut self, now: Timestamp, key: Key) -> Result<Decided<Result<(), RedriveError>>, Unavailable> {
        self.ready()?;
        if let Some(bound) = self.refuses_redrive(now, &key) {
            let retry_after = self.config().overload_retry_after;
            return Ok(Decided { value: Err(RedriveError::Overloaded { bound, retry_after }), lsn: None });
        }
        let value = redriven(&self.execute(now, Command::Redrive(key)));
        Ok(self.decided(value))
    }

    /// Returns the bound for which the journal takes no outcomes of further attempts at this event, if it has failed.
    fn refuses_redrive(&self, now: Timestamp, key: &Key) -> Option<Bound> {
        // A redrive takes no room for its event, but its outcomes need some.
        let (bound, _) = self.commits.refusal(now, 0)?;
        let status = self.engine.get(now, key)?.status;
        // In all other cases the engine refuses by itself, with a reason that says more.
        (self.engine.phase() == Phase::Running && status == Status::Failed).then_some(bound)
    }

    /// Ends an event that is not completed. Its run, if there is one, is stopped.
    ///
    /// # Errors
    ///
    /// [`Unavailable`]
    #[expect(clippy::wildcard_enum_match_arm, reason = "what does not fit the command is a bug, whatever it is")]
    pub fn discard(&mut self, now: Timestamp, key: Key) -> Result<Decided<Result<(), DiscardError>>, Unavailable> {
        self.ready()?;
        let value = match self.execute(now, Command::Discard(key)) {
            Answer::Noted => Ok(()),
            Answer::NotFound => Err(DiscardError::NotFound),
            Answer::TooLate => Err(DiscardError::Completed),
            Answer::Refused(_) => Err(DiscardError::ShuttingDown),
            _ => Err(Unavailable::Broken.into()),
        };
        Ok(self.decided(value))
    }

    /// Starts no more runs until [`Node::resume`].
    ///
    /// # Errors
    ///
    /// [`Unavailable`]
    pub fn pause(&mut self, now: Timestamp) -> Result<Decided<Result<(), PauseError>>, Unavailable> {
        self.set_paused(now, Command::Pause)
    }

    /// Starts runs again.
    ///
    /// # Errors
    ///
    /// [`Unavailable`]
    pub fn resume(&mut self, now: Timestamp) -> Result<Decided<Result<(), PauseError>>, Unavailable> {
        self.set_paused(now, Command::Resume)
    }

    /// Starts no more runs of this group until [`Node::resume_group`]. A group that has no events is paused all the same.
    ///
    /// # Errors
    ///
    /// [`Unavailable`]
    pub fn pause_group(
        &mut self,
        now: Timestamp,
        group: GroupName,
    ) -> Result<Decided<Result<(), PauseError>>, Unavailable> {
        self.set_paused(now, Command::PauseGroup { group, paused: true })
    }

    /// Starts runs of this group again.
    ///
    /// # Errors
    ///
    /// [`Unavailable`]
    pub fn resume_group(
        &mut self,
        now: Timestamp,
        group: GroupName,
    ) -> Result<Decided<Result<(), PauseError>>, Unavailable> {
        self.set_paused(now, Command::PauseGroup { group, paused: false })
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "what does not fit the command is a bug, whatever it is")]
    fn set_paused(&mut self, now: Timestamp, command: Command) -> Result<Decided<Result<(), PauseError>>, Unavailable> {
        self.ready()?;
        let value = match self.execute(now, command) {
            Answer::Noted => Ok(()),
            Answer::Refused(Refusal::Overloaded { bound, .. }) => Err(PauseError::Overloaded(bound)),
            Answer::Refused(_) => Err(PauseError::ShuttingDown),
            _ => Err(Unavailable::Broken.into()),
        };
        Ok(self.decided(value))
    }

    fn decided<T>(&self, value: T) -> Decided<T> {
        Decided { value, lsn: self.commits.tail() }
    }

    /// Returns the LSN of everything that was decided so far.
    ///
    /// # Errors
    ///
    /// [`Unavailable`]
    pub fn everything(&self) -> Result<Decided<()>, Unavailable> {
        self.ready()?;
        Ok(self.decided(()))
    }

    /// Watches for the end of an event: the waiter is woken when it has ended, or when all are woken.
    ///
    /// # Errors
    ///
    /// [`Unavailable`]; of an event that has ended durably only [`Unavailable::Broken`].
    pub fn watch(&mut self, now: Timestamp, key: &Key, waiter: Waiter) -> Result<WatchedEvent, Unavailable> {
        if self.is_broken {
            return Err(Unavailable::Broken);
        }
        let record = self.engine.get(now, key);
        let ended = record.as_ref().is_some_and(|record| record.status.is_terminal());
        let is_durable = record.as_ref().is_some_and(|record| self.commits.holds(record.changed_at()));
        match (record, self.unavailable()) {
            (Some(record), _) if ended && is_durable => Ok(WatchedEvent::Ended(Box::new(record), None)),
            (_, Some(why)) => Err(why),
            (Some(record), None) if ended => Ok(WatchedEvent::Ended(Box::new(record), self.commits.tail())),
            (Some(_), None) if self.engine.phase() == Phase::Stopped => Ok(WatchedEvent::Stopped),
            (Some(_), None) => {
                // Without a journal facts are kept only while something reads them.
                self.out.keep_facts(true);
                self.watches.add(key, waiter);
                Ok(WatchedEvent::Waits)
            }
            // The absence, too, may follow from a fact that is not durable, such as that the record was forgotten.
            (None, None) => Ok(WatchedEvent::Absent(self.commits.tail())),
        }
    }

    /// Ends a waiter's watch for the end of this event.
    pub fn unwatch(&mut self, key: &Key, waiter: Waiter) {
        self.watches.remove(key, waiter);
    }

    /// Returns the number of pending events. All callers that wait until none is pending are woken the next time that
    /// none is.
    ///
    /// # Errors
    ///
    /// [`Unavailable`]
    pub fn await_idle(&mut self) -> Result<Decided<u64>, Unavailable> {
        self.ready()?;
        self.idle_awaited = true;
        Ok(self.decided(self.engine.gauges().pending()))
    }

    /// Subscribes this reader to the facts from now on. At most `capacity` may wait to be read, at least one.
    ///
    /// # Errors
    ///
    /// [`Unavailable`]
    pub fn subscribe(&mut self, reader: Waiter, capacity: usize) -> Result<(), Unavailable> {
        self.ready()?;
        self.out.keep_facts(true);
        self.readers.add(reader, capacity);
        Ok(())
    }

    /// Ends the subscription of this reader.
    pub fn unsubscribe(&mut self, reader: Waiter) {
        self.readers.remove(reader);
    }

    /// Returns the next notice of this reader.
    pub fn read(&mut self, reader: Waiter) -> Reading {
        self.readers.read(reader)
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "what does not fit the command is a bug, whatever it is")]
fn redriven(answer: &Answer) -> Result<(), RedriveError> {
    match *answer {
        Answer::Noted => Ok(()),
        Answer::NotFound => Err(RedriveError::NotFound),
        Answer::NotFailed(status) => Err(RedriveError::NotFailed(status)),
        Answer::Refused(Refusal::Overloaded { bound, retry_after }) => {
            Err(RedriveError::Overloaded { bound, retry_after })
        }
        Answer::Refused(Refusal::ShuttingDown) => Err(RedriveError::ShuttingDown),
        _ => Err(Unavailable::Broken.into()),
    }
}
