//! The engine as the consumer of a broker uses it: decisions, and their durability, apart.

use core::future::Future;

use super::handle::Eventful;
use crate::engine::{Event, Key, Timestamp};
use crate::node::{Decided, Lsn, SubmitError, Submitted, Unavailable};

#[allow(dead_code, reason = "the models of threads compile this file without its caller, `broker`")]
impl Eventful {
    /// Submits an event, and waits for nothing: the result counts once its LSN is durable.
    pub(crate) fn decide(&self, event: Event) -> Result<Decided<Result<Submitted, SubmitError>>, Unavailable> {
        self.shards.of(event.key()).write(|node, now| node.submit(now, event))
    }

    /// Waits until the LSN of a decision about this key is durable, as long as a result may wait.
    pub(crate) fn durable(&self, key: &Key, lsn: Lsn) -> impl Future<Output = Result<(), Unavailable>> + Send + use<> {
        let shared = std::sync::Arc::clone(self.shards.of(key));
        async move { Ok(shared.settled(Some(lsn), false).await?) }
    }

    /// Waits until a shutdown was asked for.
    pub(crate) async fn ending(&self) {
        self.shards.first().ending.wait().await;
    }

    /// Waits until the clock's time is `at`, by the caller's timer.
    pub(crate) async fn clock_reaches(&self, at: Timestamp) {
        self.shards.first().clock.sleep_until(at).await;
    }
}
