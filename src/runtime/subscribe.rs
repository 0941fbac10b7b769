//! Subscriptions: readers of facts as they happen.

use core::fmt;
use std::sync::Arc;

use super::handle::Eventful;
use super::shared::Shared;
use crate::node::{Notice, Reading, Unavailable, Waiter};
use crate::sync::Notify;

/// A reader of facts, from the moment at which it was created. Dropping it ends it; until then the engine's memory is
/// kept.
pub struct Subscription {
    shared: Arc<Shared>,
    reader: Waiter,
    notify: Arc<Notify>,
}

impl Eventful {
    /// Returns a subscription to the facts from now on. `capacity` is the number of facts that may wait to be read (at
    /// least one); a slower reader loses the oldest ones, and gets their number.
    ///
    /// # Errors
    ///
    /// [`Unavailable`]
    pub fn subscribe(&self, capacity: usize) -> Result<Subscription, Unavailable> {
        let waiters = &self.shared.notifications.waiters;
        let reader = waiters.name();
        let notify = self.shared.write(|node, _| {
            node.subscribe(reader, capacity)?;
            Ok::<_, Unavailable>(waiters.add(reader))
        })?;
        Ok(Subscription { shared: Arc::clone(&self.shared), reader, notify })
    }
}

impl Subscription {
    /// Returns the next fact, or how many were lost before it; none when the engine is gone, is broken or has stopped,
    /// and everything was read. Dropping the future loses nothing.
    pub async fn recv(&mut self) -> Option<Notice> {
        loop {
            match self.shared.write(|node, _| node.read(self.reader)) {
                Reading::Notice(notice) => return Some(notice),
                Reading::Closed => return None,
                Reading::Empty => self.notify.notified().await,
            }
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.shared.write(|node, _| node.unsubscribe(self.reader));
        self.shared.notifications.waiters.remove(self.reader);
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("reader", &self.reader).finish_non_exhaustive()
    }
}
