//! The connection of a client, which ends and begins again without its callers.

use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, Subject};
use bytes::Bytes;
use eventful::broker::SourceError;

/// The time between two checks of what may have been lost with a connection: the client does not say it of a call.
pub(crate) const CHECK: Duration = Duration::from_secs(1);

/// The tries to find a connection before a call fails, with a quarter of a second between them.
const TRIES: u32 = 20;

/// A reply that will not come.
#[derive(Debug, thiserror::Error)]
#[error("the connection to the server of NATS has ended before its reply")]
pub(crate) struct ReplyLost;

/// The connection of a client.
#[derive(Debug, Clone)]
pub(crate) struct Connection(pub(crate) Client);

impl Connection {
    /// Returns the number of connections that there have been.
    pub(crate) fn count(&self) -> u64 {
        self.0.statistics().connects.load(Ordering::Relaxed)
    }

    /// Waits until there is a connection, as what is sent without one is sent with the next, when it may be too late.
    pub(crate) async fn is_there(&self) -> Result<(), SourceError> {
        for _ in 0..TRIES {
            if self.0.connection_state() == State::Connected {
                return Ok(());
            }
            tokio::time::sleep(CHECK / 4).await;
        }
        Err(SourceError::temporary("there is no connection to the server of NATS; the client tries to have one again"))
    }

    /// Sends a request, and waits for the reply, which is lost when the connection ends before it.
    pub(crate) async fn request(&self, subject: Subject, payload: Bytes) -> Result<(), SourceError> {
        self.is_there().await?;
        match self.unless_lost(self.0.request(subject, payload)).await {
            Ok(replied) => replied.map(drop).map_err(SourceError::temporary),
            Err(lost) => Err(SourceError::temporary(lost)),
        }
    }

    /// Waits for the result of a call for as long as it can come: while the connection is the one that there is now.
    pub(crate) async fn unless_lost<T>(&self, call: impl Future<Output = T>) -> Result<T, ReplyLost> {
        let (count, mut call) = (self.count(), pin!(call));
        loop {
            match tokio::time::timeout(CHECK, &mut call).await {
                Ok(result) => return Ok(result),
                Err(_) if self.count() != count => return Err(ReplyLost),
                Err(_) => {}
            }
        }
    }
}
