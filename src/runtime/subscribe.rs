//! Subscriptions: readers of facts as they happen.

use core::fmt;
use std::sync::Arc;
use std::vec::Vec;

use super::handle::Eventful;
use super::shared::Shared;
use crate::node::{Notice, Reading, Unavailable, Waiter};
use crate::sync::Notify;

/// A reader of facts, from the moment at which it was created. Dropping it ends it; until then the engine's memory is
/// kept.
pub struct Subscription {
    /// One for each shard.
    readers: Vec<ShardReader>,
    /// The reader whose turn it is.
    turn: usize,
    /// For all readers.
    notify: Arc<Notify>,
}

/// A reader of the facts of one shard. Dropping it removes it from the node.
struct ShardReader {
    shared: Arc<Shared>,
    reader: Waiter,
}

impl Eventful {
    /// Returns a subscription to the facts from now on. `capacity` is the number of facts that may wait to be read (at
    /// least one), of each shard; a slower reader loses the oldest ones, and gets their number. The facts about one event
    /// come in their order; those of different shards in any.
    ///
    /// # Errors
    ///
    /// [`Unavailable`]
    pub fn subscribe(&self, capacity: usize) -> Result<Subscription, Unavailable> {
        let notify = Arc::new(Notify::new());
        let readers = self.shards.all().map(|shared| ShardReader::begin(shared, capacity, &notify));
        Ok(Subscription { readers: readers.collect::<Result<_, _>>()?, turn: 0, notify })
    }
}

impl ShardReader {
    fn begin(shared: &Arc<Shared>, capacity: usize, notify: &Arc<Notify>) -> Result<Self, Unavailable> {
        let waiters = &shared.notifications.waiters;
        let reader = waiters.name();
        shared.write(|node, _| {
            node.subscribe(reader, capacity)?;
            // Under the lock, so that no fact comes before there is a waiter to be woken.
            waiters.add_with(reader, notify);
            Ok::<_, Unavailable>(())
        })?;
        Ok(Self { shared: Arc::clone(shared), reader })
    }

    fn read(&self) -> Reading {
        self.shared.write(|node, _| node.read(self.reader))
    }
}

impl Subscription {
    /// Returns the next fact, or how many were lost before it; none when the engine is gone, is broken or has stopped,
    /// and everything was read. Dropping the future loses nothing.
    pub async fn recv(&mut self) -> Option<Notice> {
        loop {
            let mut is_closed = true;
            for _ in 0..self.readers.len() {
                let reading = self.readers[self.turn].read();
                // Each has its turn, so that a busy shard does not hold back the others.
                self.turn = (self.turn + 1) % self.readers.len();
                match reading {
                    Reading::Notice(notice) => return Some(notice),
                    Reading::Closed => {}
                    Reading::Empty => is_closed = false,
                }
            }
            if is_closed {
                return None;
            }
            // A wake-up since the reads above is not missed: `notify_one` leaves a permit.
            self.notify.notified().await;
        }
    }
}

impl Drop for ShardReader {
    fn drop(&mut self) {
        self.shared.write(|node, _| node.unsubscribe(self.reader));
        self.shared.notifications.waiters.remove(self.reader);
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let readers: Vec<_> = self.readers.iter().map(|reader| reader.reader).collect();
        f.debug_struct("Subscription").field("readers", &readers).finish_non_exhaustive()
    }
}
