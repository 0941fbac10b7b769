//! Looks at events, and steps in.

use core::time::Duration;
use std::string::String;

use super::Eventful;
use super::commits::Mark;
use super::locked::Core;
use super::shared::Shared;
use super::subscribe::Subscription;
use super::unavailable::{Unavailable, unexpected};
use crate::engine::{Answer, Bound, Command, Cursor, Filter, Key, Page, Phase, RecordView, Refusal, Status, Timestamp};

/// Why a failed event got no other life. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RedriveError {
    /// There is no such event; perhaps it was forgotten.
    #[error("there is no such event: submit it again")]
    NotFound,
    /// It has not failed.
    #[error("only a failed event can be redriven, this one is {0}: leave it alone")]
    NotFailed(Status),
    /// A bound is reached.
    #[error("the bound {bound} is reached: try again in {retry_after:?}")]
    Overloaded {
        /// Which one.
        bound: Bound,
        /// When to try again, from now on.
        retry_after: Duration,
    },
    /// The engine is shutting down, or has stopped.
    #[error("the engine is shutting down: try again when it is back")]
    ShuttingDown,
    /// See [`Unavailable`].
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Why an event was not discarded. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DiscardError {
    /// There is no such event; perhaps it was forgotten.
    #[error("there is no such event: nothing needs to be done")]
    NotFound,
    /// It was completed before.
    #[error("the event was completed before: undo its effects where they are")]
    Completed,
    /// The engine has stopped.
    #[error("the engine has stopped: try again when it is back")]
    ShuttingDown,
    /// See [`Unavailable`].
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Why the engine was neither paused nor resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PauseError {
    /// The engine has stopped.
    #[error("the engine has stopped: try again when it is back")]
    ShuttingDown,
    /// See [`Unavailable`].
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// What [`Eventful::redrive_all`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Redriven {
    /// Events that got another life.
    pub count: usize,
    /// Failed events that there were at the end: those that the page did not hold, and those that failed meanwhile.
    pub left: u64,
    /// Where to go on; absent when there are no more.
    pub next: Option<Cursor>,
}

impl Eventful {
    /// What is known about an event. With a journal, a record that is durable is shown at once, also
    /// while the journal is stuck, being opened again, or down. Any other is shown when it has become
    /// durable, or after the journal's `answer_timeout` as not [`durable`](field@RecordView::durable).
    ///
    /// # Errors
    ///
    /// [`Unavailable`]; [`Unavailable::Unknown`] too when there is no such event and whether that is
    /// durable is not known in time.
    pub async fn get(&self, key: &Key) -> Result<Option<RecordView>, Unavailable> {
        Ok(self.shared.show(key, |_, _| ()).await?.0)
    }

    /// One page of events: all, or those with this status. `limit` is the most that it holds. With a
    /// journal, it waits until all is durable, at most the journal's `answer_timeout`; then, and at once
    /// while the journal is known not to respond, what is not [`durable`](field@RecordView::durable) is marked.
    ///
    /// # Errors
    ///
    /// [`Unavailable`]
    pub async fn list(&self, status: Option<Status>, after: Cursor, limit: usize) -> Result<Page, Unavailable> {
        self.shared.show_page(&Filter { status, ..Filter::default() }, after, limit).await
    }

    /// Why an event is not running now, in one sentence. Nothing when there is no such event. It waits
    /// as [`Eventful::get`] does, and says so when that is not durable.
    ///
    /// # Errors
    ///
    /// See [`Eventful::get`].
    pub async fn explain(&self, key: &Key) -> Result<Option<String>, Unavailable> {
        let permits_free = self.shared.permits_free();
        let (record, sentence) = self.shared.show(key, |core, now| core.explain(now, key, permits_free)).await?;
        let is_durable = record.is_none_or(|record| record.durable);
        let rest = if is_durable { "" } else { "; this is not durable yet, as the journal does not respond" };
        Ok(sentence.map(|sentence| sentence + rest))
    }

    /// Gives a failed event another life, with all its attempts.
    ///
    /// # Errors
    ///
    /// [`RedriveError`]
    pub async fn redrive(&self, key: &Key) -> Result<(), RedriveError> {
        let (result, tail) = self.shared.redrive(key.clone())?;
        self.shared.sync(tail).await?;
        result
    }

    /// Redrives one page of all failed events, from `after` on; as [`Eventful::redrive_matching`].
    ///
    /// # Errors
    ///
    /// [`RedriveError`] when it redrove none.
    pub async fn redrive_all(&self, after: Cursor) -> Result<Redriven, RedriveError> {
        self.redrive_matching(&Filter::default(), after).await
    }

    /// Ends an event that is not completed. Its run, if there is one, is stopped.
    ///
    /// # Errors
    ///
    /// [`DiscardError`]
    #[expect(clippy::wildcard_enum_match_arm, reason = "what does not fit the command is a bug, whatever it is")]
    pub async fn discard(&self, key: &Key) -> Result<(), DiscardError> {
        match self.shared.decide(Command::Discard(key.clone())).await? {
            Answer::Noted => Ok(()),
            Answer::NotFound => Err(DiscardError::NotFound),
            Answer::TooLate => Err(DiscardError::Completed),
            Answer::Refused(_) => Err(DiscardError::ShuttingDown),
            other => Err(unexpected(&other).into()),
        }
    }

    /// Starts no more runs until [`Eventful::resume`]; those in flight go on, and events are
    /// still taken in.
    ///
    /// # Errors
    ///
    /// [`PauseError`]
    pub async fn pause(&self) -> Result<(), PauseError> {
        noted(self.shared.decide(Command::Pause).await?)
    }

    /// Starts runs again.
    ///
    /// # Errors
    ///
    /// [`PauseError`]
    pub async fn resume(&self) -> Result<(), PauseError> {
        noted(self.shared.decide(Command::Resume).await?)
    }

    /// Facts from now on. `capacity` is how many may wait to be read (at least one); a slower
    /// reader loses the oldest ones, and learns how many.
    ///
    /// # Errors
    ///
    /// [`Unavailable`]
    pub fn subscribe(&self, capacity: usize) -> Result<Subscription, Unavailable> {
        self.shared.look(|core, _| core.subscribe(capacity))
    }
}

impl Shared {
    /// Redrives an event, and says what must be durable before the answer leaves.
    pub(super) fn redrive(&self, key: Key) -> Result<(Result<(), RedriveError>, Option<Mark>), Unavailable> {
        self.change(|core, now| {
            if let Some(bound) = core.refuses_redrive(now, &key) {
                return (Err(core.overloaded(bound)), None);
            }
            (redriven(core.execute(now, Command::Redrive(key))), core.commits.tail())
        })
    }
}

impl Core {
    /// Why the journal takes no outcomes of another life of this event, if it is one that has failed.
    fn refuses_redrive(&self, now: Timestamp, key: &Key) -> Option<Bound> {
        let (bound, _) = self.commits.refusal(now, 0)?;
        let status = self.engine.get(now, key)?.status;
        (self.engine.phase() == Phase::Running && status == Status::Failed).then_some(bound)
    }

    fn overloaded(&self, bound: Bound) -> RedriveError {
        RedriveError::Overloaded { bound, retry_after: self.engine.config().overload_retry_after }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "what does not fit the command is a bug, whatever it is")]
fn redriven(answer: Answer) -> Result<(), RedriveError> {
    match answer {
        Answer::Noted => Ok(()),
        Answer::NotFound => Err(RedriveError::NotFound),
        Answer::NotFailed(status) => Err(RedriveError::NotFailed(status)),
        Answer::Refused(Refusal::Overloaded { bound, retry_after }) => {
            Err(RedriveError::Overloaded { bound, retry_after })
        }
        Answer::Refused(Refusal::ShuttingDown) => Err(RedriveError::ShuttingDown),
        other => Err(unexpected(&other).into()),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "what does not fit the command is a bug, whatever it is")]
fn noted(answer: Answer) -> Result<(), PauseError> {
    match answer {
        Answer::Noted => Ok(()),
        Answer::Refused(_) => Err(PauseError::ShuttingDown),
        other => Err(unexpected(&other).into()),
    }
}
