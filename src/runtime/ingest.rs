//! Intake of events.

use std::sync::Arc;
use std::vec::Vec;

use super::handle::Eventful;
use super::shared::Shared;
#[cfg(doc)]
use crate::engine::GroupPolicy;
use crate::engine::{Event, Rejection, Shard, ShardCount};
use crate::node::{Admission, Decided, Lsn, SubmitError, Submitted, Unavailable, Waiter};
use crate::sync::{Notify, consume_budget};

impl Eventful {
    /// Submits an event, and waits for room while a bound is reached: first in, first out, at most the builder's
    /// `submit_timeout`. With a journal, it then waits until the result is durable. An event whose group has as many as
    /// [`GroupPolicy::max_pending`] allows is refused at once, as it would hold up those of other groups behind it.
    ///
    /// Dropping the future while it waits for room takes nothing. Dropping it while it waits for the journal leaves
    /// the event accepted, and it will be processed unless the journal fails first: submit it again to find out. Kept
    /// but not polled while it waits for room, it holds up the callers behind it until their own timeout.
    ///
    /// # Errors
    ///
    /// [`SubmitError`]; [`SubmitError::Overloaded`] when there was no room in time.
    pub async fn submit(&self, event: Event) -> Result<Submitted, SubmitError> {
        // A submit that finds room never waits, so a task that only submits would starve others.
        consume_budget().await;
        let shared = self.shards.of(event.key());
        match enter(shared, event)? {
            Entered::Decided(decided) => shared.show_submitted(decided).await,
            Entered::Waits(place, event) => place.submit(event).await,
        }
    }

    /// Submits an event, and never waits for room; with a journal, it waits until the result is durable. Dropping the
    /// future before it ends leaves the event accepted, unless the journal fails.
    ///
    /// # Errors
    ///
    /// [`SubmitError`]
    pub async fn try_submit(&self, event: Event) -> Result<Submitted, SubmitError> {
        let shared = self.shards.of(event.key());
        let decided = shared.write(|node, now| node.submit(now, event))?;
        shared.show_submitted(decided).await
    }

    /// Submits events in their order, and never waits for room; with a journal, it waits until all results are
    /// durable. Returns a result for each, in the same order; none depends on another. Dropping the future once it was
    /// polled leaves the events accepted, unless the journal fails.
    pub async fn submit_batch<I>(&self, events: I) -> Vec<Result<Submitted, SubmitError>>
    where
        I: IntoIterator<Item = Event>,
    {
        let mut batch = SubmittedBatch { results: Vec::new(), lsns: Vec::new() };
        let order = match self.shards.count() {
            ShardCount::ONE => {
                self.shards.first().submit_parts(events, &mut batch);
                return batch.settled(self.shards.first()).await;
            }
            count => divide(count, events),
        };
        // All are submitted before one is waited for: the journals write at the same time.
        let parts = self.shards.all().zip(order.events).map(|(shared, events)| {
            let mut batch = SubmittedBatch { results: Vec::new(), lsns: Vec::new() };
            shared.submit_parts(events, &mut batch);
            (shared, batch)
        });
        let mut settled = Vec::new();
        for (shared, batch) in parts.collect::<Vec<_>>() {
            settled.push(batch.settled(shared).await.into_iter());
        }
        // As many results as events, so that none is missing.
        order.shards.iter().filter_map(|shard| settled[usize::from(shard.number())].next()).collect()
    }

    /// Counts a submission that makes no event.
    pub fn reject(&self, rejection: Rejection) {
        // Without an event there is no key that would name a shard.
        self.shards.first().write(|node, now| node.reject(now, rejection));
    }
}

/// Events that were submitted together.
struct SubmittedBatch {
    results: Vec<Result<Submitted, SubmitError>>,
    /// For each the LSN that must be durable before its result is shown.
    lsns: Vec<Option<Lsn>>,
}

/// Events by their shards.
struct Divided {
    events: Vec<Vec<Event>>,
    /// The shard of each event, in the order in which they came.
    shards: Vec<Shard>,
}

fn divide(count: ShardCount, events: impl IntoIterator<Item = Event>) -> Divided {
    let mut divided = Divided { events: Vec::new(), shards: Vec::new() };
    divided.events.resize_with(usize::from(count.number()), Vec::new);
    for event in events {
        let shard = count.shard_of(event.key());
        divided.shards.push(shard);
        divided.events[usize::from(shard.number())].push(event);
    }
    divided
}

impl SubmittedBatch {
    /// Returns the results once they may be shown.
    async fn settled(self, shared: &Shared) -> Vec<Result<Submitted, SubmitError>> {
        let Self { mut results, lsns } = self;
        let mut settled = (None, Ok(()));
        for (result, lsn) in results.iter_mut().zip(lsns) {
            // Consecutive results of one group share their LSN: one wait is enough.
            if settled.0 != lsn {
                settled = (lsn, shared.settled(lsn, false).await);
            }
            if let (_, Err(unsynced)) = settled {
                *result = Err(Unavailable::from(unsynced).into());
            }
        }
        results
    }
}

/// The result of a try to submit.
enum Entered {
    Decided(Decided<Result<Submitted, SubmitError>>),
    Waits(CapacityTicket, Event),
}

fn enter(shared: &Arc<Shared>, event: Event) -> Result<Entered, Unavailable> {
    let waiters = &shared.notifications.waiters;
    let mut place = None;
    let entry = shared.write(|node, now| {
        // Named under the lock, and only if it must wait: most submitters never do.
        node.enter(now, event, || {
            let waiter = waiters.name();
            place = Some((waiter, waiters.add(waiter)));
            waiter
        })
    })?;
    match (entry, place) {
        (Admission::Waits(event), Some((waiter, notify))) => {
            Ok(Entered::Waits(CapacityTicket { shared: Arc::clone(shared), waiter, notify }, event))
        }
        // The node called no name, though it says that the event waits: it is broken.
        (Admission::Waits(_), None) => Err(Unavailable::Broken),
        (Admission::Decided(decided), _) => Ok(Entered::Decided(decided)),
    }
}

impl Shared {
    /// Submits all events, and adds what came of them to `batch`.
    fn submit_parts(&self, events: impl IntoIterator<Item = Event>, batch: &mut SubmittedBatch) {
        let SubmittedBatch { results, lsns } = batch;
        let mut events = events.into_iter();
        results.reserve(events.size_hint().0);
        lsns.reserve(events.size_hint().0);
        // Collected first: the caller's iterator must not run under the lock.
        let most = self.config.thresholds().batch;
        let mut part = Vec::with_capacity(most);
        loop {
            part.extend(events.by_ref().take(most));
            if part.is_empty() {
                return;
            }
            // One hold of the lock for each part: a long batch does not hold up other callers.
            self.write(|node, now| {
                for event in part.drain(..) {
                    let decided = node.submit(now, event);
                    lsns.push(decided.as_ref().map_or(None, |decided| decided.lsn));
                    results.push(decided.map_or_else(|why| Err(why.into()), |decided| decided.value));
                }
            });
        }
    }

    /// Returns the result of a submission once it may be shown.
    async fn show_submitted(&self, decided: Decided<Result<Submitted, SubmitError>>) -> Result<Submitted, SubmitError> {
        self.settled(decided.lsn, false).await.map_err(Unavailable::from)?;
        decided.value
    }
}

/// A submitter's place in the queue for capacity.
struct CapacityTicket {
    shared: Arc<Shared>,
    waiter: Waiter,
    notify: Arc<Notify>,
}

impl CapacityTicket {
    async fn submit(self, event: Event) -> Result<Submitted, SubmitError> {
        let mut event = Some(event);
        let timeout = self.shared.sleep_until(self.shared.now() + self.shared.submit_timeout);
        let entered = tokio::select! {
            biased;
            // Before the timeout: when both are ready, the event was decided in time.
            entered = self.enter(&mut event) => Some(entered?),
            () = timeout => None,
        };
        let decided = match (entered, event) {
            (Some(decided), _) => decided,
            // The last try produces the refusal, so that it is counted and says when to come back.
            (None, Some(event)) => self.shared.write(|node, now| node.submit(now, event))?,
            (None, None) => return Err(Unavailable::Broken.into()),
        };
        // A caller that waits for the journal does not wait for room, and the timeout is not for it.
        let shared = Arc::clone(&self.shared);
        drop(self);
        shared.show_submitted(decided).await
    }

    /// Waits until the event is decided. The caller is in its place at every await.
    async fn enter(&self, event: &mut Option<Event>) -> Result<Decided<Result<Submitted, SubmitError>>, Unavailable> {
        loop {
            self.notify.notified().await;
            // The event was taken by a decision whose result is lost: only a panic can lead here.
            let Some(waiting) = event.take() else { return Err(Unavailable::Broken) };
            match self.shared.write(|node, now| node.enter_again(now, waiting, self.waiter))? {
                Admission::Waits(back) => *event = Some(back),
                Admission::Decided(decided) => return Ok(decided),
            }
        }
    }
}

impl Drop for CapacityTicket {
    fn drop(&mut self) {
        self.shared.write(|node, _| node.leave(self.waiter));
        self.shared.notifications.waiters.remove(self.waiter);
    }
}
