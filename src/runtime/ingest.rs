//! Takes events in.

use core::time::Duration;
use std::sync::Arc;
use std::vec::Vec;
use tokio::task::coop::consume_budget;

use super::Eventful;
use super::commits::Mark;
use super::locked::Core;
use super::shared::Shared;
use super::unavailable::{Unavailable, unexpected};
use crate::engine::{Answer, Bound, Command, Conflict, Duplicate, Event, Phase, Refusal, Rejection, Timestamp};

/// What became of a submitted event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submitted {
    /// It is new, and will be processed.
    Accepted,
    /// It was accepted before, with the same payload. Nothing was changed.
    Duplicate(Duplicate),
}

/// Why a submitted event was not taken. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// Another payload was accepted under this key.
    #[error("another payload was accepted under this key: give each event a key of its own")]
    Conflict(Conflict),
    /// A bound is reached.
    #[error("the bound {bound} is reached: try again in {retry_after:?}")]
    Overloaded {
        /// Which one.
        bound: Bound,
        /// When to try again, from now on.
        retry_after: Duration,
    },
    /// It is larger than any event may be.
    #[error("an event may have {limit_bytes} bytes: raise max_event_bytes, or send a reference to the data")]
    TooLarge {
        /// The most that an event may have.
        limit_bytes: usize,
    },
    /// The engine is shutting down, or has stopped.
    #[error("the engine is shutting down: send it to its successor")]
    ShuttingDown,
    /// See [`Unavailable`].
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Events that one hold of the lock takes in.
const BATCH: usize = 64;

impl Eventful {
    /// Submits an event, and waits for room while a bound is reached: first in, first out, at most
    /// the builder's `submit_timeout`. With a journal, it waits then until the answer is durable.
    ///
    /// Dropping the future while it waits for room takes nothing. Dropping it while it waits for the
    /// journal leaves the event taken, and it will be processed unless the journal fails first: submit
    /// it again to find out. Kept but not polled while it waits for room, it holds up those behind it
    /// until their own timeout.
    ///
    /// # Errors
    ///
    /// [`SubmitError`]; [`SubmitError::Overloaded`] when there was no room in time.
    pub async fn submit(&self, event: Event) -> Result<Submitted, SubmitError> {
        consume_budget().await;
        match self.shared.enter(event, Rank::Newcomer)? {
            Entry::Answered(result, tail) => self.shared.synced(result, tail).await,
            Entry::NoRoom(event) => Waiting { shared: Arc::clone(&self.shared) }.submit(event).await,
        }
    }

    /// Submits an event, and never waits for room; with a journal, it waits until the answer is
    /// durable. Dropping the future before it ends leaves the event taken, unless the journal fails.
    ///
    /// # Errors
    ///
    /// [`SubmitError`]
    pub async fn try_submit(&self, event: Event) -> Result<Submitted, SubmitError> {
        let (result, tail) = self.shared.change(|core, now| core.submit(now, event))?;
        self.shared.synced(result, tail).await
    }

    /// Submits events in their order, and never waits for room; with a journal, it waits until all
    /// answers are durable. Gives a result for each, in the same order; none depends on another.
    /// Dropping the future once it was polled leaves the events taken, unless the journal fails.
    pub async fn submit_batch<I>(&self, events: I) -> Vec<Result<Submitted, SubmitError>>
    where
        I: IntoIterator<Item = Event>,
    {
        let mut results = Vec::new();
        let tails = self.submit_parts(events, &mut results);
        let mut rest = results.as_mut_slice();
        for (count, tail) in tails {
            let answers = rest.split_off_mut(..count).unwrap_or_default();
            if let Err(unknown) = self.shared.sync(tail).await {
                let unsure = answers.iter_mut().filter(|answer| says_of_a_record(answer));
                unsure.for_each(|answer| *answer = Err(unknown.into()));
            }
        }
        results
    }

    /// Submits all, and answers of how many at a time what must be durable.
    fn submit_parts(
        &self,
        events: impl IntoIterator<Item = Event>,
        results: &mut Vec<Result<Submitted, SubmitError>>,
    ) -> Vec<(usize, Option<Mark>)> {
        let mut events = events.into_iter();
        let mut tails: Vec<(usize, Option<Mark>)> = Vec::new();
        results.reserve(events.size_hint().0);
        // Collected first: the caller's iterator must not run under the lock.
        let mut part = Vec::with_capacity(BATCH);
        loop {
            part.extend(events.by_ref().take(BATCH));
            if part.is_empty() {
                return tails;
            }
            let count = part.len();
            let tail = self.shared.submit_part(&mut part, results);
            match tails.last_mut().filter(|(_, last)| *last == tail) {
                Some((counted, _)) => *counted += count,
                None => tails.push((count, tail)),
            }
        }
    }

    /// Counts a submission that makes no event.
    pub fn reject(&self, rejection: Rejection) {
        // A core that is broken or down counts nothing.
        let _ = self.shared.execute(Command::Reject(rejection));
    }
}

/// Who wants to enter.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rank {
    /// Somebody who queues behind those who wait.
    Newcomer,
    /// The first of those who wait.
    First,
}

/// Whether an event was taken to the engine.
enum Entry {
    /// It was, and this must be durable before the answer leaves.
    Answered(Result<Submitted, SubmitError>, Option<Mark>),
    NoRoom(Event),
}

impl Shared {
    /// The answer, once it is durable. One that tells nothing of a record may leave before.
    async fn synced(
        &self,
        result: Result<Submitted, SubmitError>,
        tail: Option<Mark>,
    ) -> Result<Submitted, SubmitError> {
        if says_of_a_record(&result) {
            self.sync(tail).await?;
        }
        result
    }

    fn submit_part(&self, part: &mut Vec<Event>, results: &mut Vec<Result<Submitted, SubmitError>>) -> Option<Mark> {
        let count = part.len();
        let done = self.change(|core, now| {
            let mut tail = None;
            results.extend(part.drain(..).map(|event| {
                let (result, waits_for) = core.submit(now, event);
                tail = tail.max(waits_for);
                result
            }));
            tail
        });
        done.unwrap_or_else(|why| {
            part.clear();
            results.extend(core::iter::repeat_n(Err(why.into()), count));
            None
        })
    }

    /// Submits the event, unless it should wait; then a newcomer counts as waiting.
    fn enter(&self, event: Event, rank: Rank) -> Result<Entry, Unavailable> {
        self.change(|core, now| {
            if !core.must_wait(now, &event, rank) {
                let (result, tail) = core.submit(now, event);
                return Entry::Answered(result, tail);
            }
            match rank {
                Rank::Newcomer => core.waiting += 1,
                Rank::First => core.wanted_bytes = event.size_bytes(),
            }
            Entry::NoRoom(event)
        })
    }
}

/// Whether an answer tells what became of a record.
const fn says_of_a_record(result: &Result<Submitted, SubmitError>) -> bool {
    matches!(result, Ok(_) | Err(SubmitError::Conflict(_)))
}

impl Core {
    /// Takes an event to the engine. A new one that the journal has no room for is refused before,
    /// so that outcomes still have some.
    fn submit(&mut self, now: Timestamp, event: Event) -> (Result<Submitted, SubmitError>, Option<Mark>) {
        if let Some((bound, rejection)) = self.journal_refuses(now, &event) {
            return (self.refuse_for_journal(now, bound, rejection), None);
        }
        let is_durable = self.is_durably_known(now, &event);
        let result = submitted(self.execute(now, Command::Submit(event)));
        (result, self.commits.tail().filter(|_| !is_durable))
    }

    fn journal_refuses(&self, now: Timestamp, event: &Event) -> Option<(Bound, Rejection)> {
        let refusal = self.commits.refusal(now, event.size_bytes())?;
        let is_new = || self.engine.get(now, event.key()).is_none();
        (self.engine.phase() == Phase::Running && is_new()).then_some(refusal)
    }

    fn refuse_for_journal(
        &mut self,
        now: Timestamp,
        bound: Bound,
        rejection: Rejection,
    ) -> Result<Submitted, SubmitError> {
        self.execute(now, Command::Reject(rejection));
        let retry_after = self.engine.config().overload_retry_after;
        Err(SubmitError::Overloaded { bound, retry_after })
    }

    /// Whether the journal is late, and the record of this key durable all the same. Then what is said of
    /// it need not wait. While the journal is in time, waiting costs less than this look.
    fn is_durably_known(&self, now: Timestamp, event: &Event) -> bool {
        let is_durable =
            || self.engine.get(now, event.key()).is_some_and(|known| self.commits.holds(known.changed_at()));
        self.commits.is_late(now) && is_durable()
    }

    /// Whether this event is one that room would help. A refusal is not tried out, for it would
    /// be counted.
    fn must_wait(&self, now: Timestamp, event: &Event, rank: Rank) -> bool {
        let passes = self.has_room(now, event.size_bytes()) && (rank == Rank::First || self.waiting == 0);
        !passes
            && self.engine.phase() == Phase::Running
            && event.size_bytes() <= self.engine.config().max_event_bytes
            && self.engine.get(now, event.key()).is_none()
    }
}

/// A submitter that waits, counted as such.
struct Waiting {
    shared: Arc<Shared>,
}

impl Waiting {
    async fn submit(self, event: Event) -> Result<Submitted, SubmitError> {
        let mut event = Some(event);
        let timeout = self.shared.sleep_until(self.shared.now() + self.shared.submit_timeout);
        let entered = tokio::select! {
            biased;
            entered = self.wait(&mut event) => Some(entered?),
            () = timeout => None,
        };
        let (result, tail) = match (entered, event) {
            (Some(entered), _) => entered,
            // The last try is for the refusal, so that it is counted and says when to come back.
            (None, Some(event)) => self.shared.change(|core, now| core.submit(now, event))?,
            (None, None) => return Err(Unavailable::Broken.into()),
        };
        // What waits for the journal does not wait for room, and the timeout is not for it.
        let shared = self.leave();
        shared.synced(result, tail).await
    }

    /// Waits for room no longer.
    fn leave(self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Waits for its turn, and then for room. The event is in its place at every await.
    async fn wait(
        &self,
        event: &mut Option<Event>,
    ) -> Result<(Result<Submitted, SubmitError>, Option<Mark>), Unavailable> {
        let _turn = self.shared.turnstile.lock().await;
        loop {
            match event.take().map(|event| self.shared.enter(event, Rank::First)).transpose()? {
                Some(Entry::NoRoom(back)) => *event = Some(back),
                Some(Entry::Answered(result, tail)) => return Ok((result, tail)),
                None => return Err(Unavailable::Broken),
            }
            self.shared.room.notified().await;
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.shared.last_look(|core| core.waiting -= 1);
    }
}

/// The answer to a submission.
#[expect(clippy::wildcard_enum_match_arm, reason = "what does not fit the command is a bug, whatever it is")]
fn submitted(answer: Answer) -> Result<Submitted, SubmitError> {
    match answer {
        Answer::Accepted => Ok(Submitted::Accepted),
        Answer::Duplicate(duplicate) => Ok(Submitted::Duplicate(duplicate)),
        Answer::Conflict(conflict) => Err(SubmitError::Conflict(conflict)),
        Answer::Refused(Refusal::Overloaded { bound, retry_after }) => {
            Err(SubmitError::Overloaded { bound, retry_after })
        }
        Answer::Refused(Refusal::TooLarge { limit_bytes }) => Err(SubmitError::TooLarge { limit_bytes }),
        Answer::Refused(Refusal::ShuttingDown) => Err(SubmitError::ShuttingDown),
        other => Err(unexpected(&other).into()),
    }
}
