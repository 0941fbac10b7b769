//! Waits for the end of one event, or of all.

use std::sync::Arc;
use std::vec::Vec;

use super::handle::Eventful;
use super::notifications::guarded;
use super::shared::Shared;
use crate::engine::{Key, Phase, RecordView, ShardCount};
use crate::node::{Node, Unavailable, WaitError, Waiter, WatchedEvent};
use crate::sync::{Notify, consume_budget};

impl Eventful {
    /// Waits until an event has ended, and returns its record: completed, failed or discarded, with a
    /// journal durably so. One that has ended before is returned at once. An event that is redriven as
    /// soon as it has failed is waited for again. Dropping the future leaves nothing behind.
    ///
    /// # Errors
    ///
    /// [`WaitError`]; none for the time that it takes: use a timeout.
    pub async fn wait(&self, key: &Key) -> Result<RecordView, WaitError> {
        let shared = self.shards.of(key);
        loop {
            let waiters = &shared.notifications.waiters;
            let waiter = waiters.name();
            let (watched, notify) = shared.write(|node, now| {
                let watched = node.watch(now, key, waiter)?;
                // Under the lock, so that no wake-up comes before there is a waiter to be woken.
                let notify = matches!(watched, WatchedEvent::Waits).then(|| waiters.add(waiter));
                Ok::<_, Unavailable>((watched, notify.unwrap_or_default()))
            })?;
            match watched {
                WatchedEvent::Ended(record, lsn) => {
                    // Patient: the caller waits for the end of an event, which may take long anyway.
                    shared.settled(lsn, true).await.map_err(Unavailable::from)?;
                    return Ok(*record);
                }
                WatchedEvent::Absent(lsn) => {
                    shared.settled(lsn, true).await.map_err(Unavailable::from)?;
                    return Err(WaitError::NotFound);
                }
                // Woken at the end of the event, or when all are: then the record is read again.
                WatchedEvent::Waits => WaitGuard { shared, key, waiter, notify }.notify.notified().await,
                WatchedEvent::Stopped => return Err(WaitError::Stopped),
            }
        }
    }

    /// Waits until no event waits or is processed: all that were accepted have ended. Failed events have ended, too.
    /// It waits through pauses and delays. Dropping the future leaves nothing behind.
    ///
    /// # Errors
    ///
    /// [`WaitError::Stopped`] when the engine stops with events left; [`Unavailable`].
    pub async fn wait_idle(&self) -> Result<(), WaitError> {
        if self.shards.count() == ShardCount::ONE {
            return self.shards.first().idle().await.map(drop);
        }
        loop {
            let mut before = Vec::new();
            for shared in self.shards.all() {
                before.push(shared.idle().await?);
            }
            // A handler of one shard may have submitted to another that was idle before. With no event added since,
            // all were idle at the same time.
            let added = self.shards.all().zip(before).any(|(shared, before)| {
                shared.read(|node, _| node.engine().gauges().pending() > 0 || lives(node) != before)
            });
            if !added {
                return Ok(());
            }
            // Shards that give each other work for long must not keep the thread.
            consume_budget().await;
        }
    }
}

/// Returns how often an event was made pending.
fn lives(node: &Node) -> u64 {
    let facts = node.engine().metrics().facts;
    facts.accepted + facts.redriven
}

impl Shared {
    /// Waits until no event waits or is processed. Returns how often one was made pending by then.
    async fn idle(&self) -> Result<u64, WaitError> {
        loop {
            // Created before the check, so that no notification between them is missed.
            let idle = self.notifications.idle.notified();
            let (pending, phase, lives) = self.write(|node, _| (node.await_idle(), node.phase(), lives(node)));
            let pending = pending?;
            if pending.value == 0 {
                self.settled(pending.lsn, true).await.map_err(Unavailable::from)?;
                return Ok(lives);
            }
            if phase == Phase::Stopped {
                return Err(WaitError::Stopped);
            }
            guarded(idle).await;
        }
    }
}

/// A waiting caller. Dropping it removes the caller from the node.
struct WaitGuard<'a> {
    shared: &'a Shared,
    key: &'a Key,
    waiter: Waiter,
    notify: Arc<Notify>,
}

impl Drop for WaitGuard<'_> {
    fn drop(&mut self) {
        self.shared.write(|node, _| node.unwatch(self.key, self.waiter));
        self.shared.notifications.waiters.remove(self.waiter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Event;
    use crate::runtime::{Attempt, Failure};
    use core::task::{Context, Waker};
    use std::pin::pin;

    #[tokio::test]
    async fn wait_that_is_dropped_is_forgotten() {
        let hang = |_: Event, _: Attempt| core::future::pending::<Result<(), Failure>>();
        let eventful = Eventful::builder().start(hang).expect("it starts");
        let event = Event::with_id("a", "").expect("an event");
        let key = event.key().clone();
        eventful.submit(event).await.expect("room");
        let watches = || eventful.shards.first().notifications.waiters.len();
        {
            let (mut one, mut other) = (pin!(eventful.wait(&key)), pin!(eventful.wait(&key)));
            let mut context = Context::from_waker(Waker::noop());
            assert!(one.as_mut().poll(&mut context).is_pending() && other.as_mut().poll(&mut context).is_pending());
            assert_eq!(watches(), 2);
        }
        assert_eq!(watches(), 0);
    }
}
