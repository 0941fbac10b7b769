//! Calls of an operator about one event, or about the whole engine.

use std::vec::Vec;

use super::handle::Eventful;
use super::shared::Shared;
use crate::engine::{GroupName, Key, Timestamp};
use crate::node::{Decided, DiscardError, Node, PauseError, RedriveError, Unavailable};

/// The decision of one shard about a pause.
type PauseDecided = Result<Decided<Result<(), PauseError>>, Unavailable>;

impl Eventful {
    /// Returns a failed event to work, with all its attempts.
    ///
    /// # Errors
    ///
    /// [`RedriveError`]
    pub async fn redrive(&self, key: &Key) -> Result<(), RedriveError> {
        let shared = self.shards.of(key);
        let decided = shared.write(|node, now| node.redrive(now, key.clone()))?;
        shared.shown(decided).await?
    }

    /// Ends an event that is not completed. Its run, if there is one, is stopped.
    ///
    /// # Errors
    ///
    /// [`DiscardError`]
    pub async fn discard(&self, key: &Key) -> Result<(), DiscardError> {
        let shared = self.shards.of(key);
        let decided = shared.write(|node, now| node.discard(now, key.clone()))?;
        shared.shown(decided).await?
    }

    /// Starts no more runs until [`Eventful::resume`]; those in flight continue, and events are still accepted.
    ///
    /// # Errors
    ///
    /// [`PauseError`]
    pub async fn pause(&self) -> Result<(), PauseError> {
        self.of_all(Node::pause).await
    }

    /// Starts no more runs of this group until [`Eventful::resume_group`]; those in flight continue, and its events are still
    /// accepted. A group that has no events is paused all the same.
    ///
    /// # Errors
    ///
    /// [`PauseError`]
    pub async fn pause_group(&self, group: &GroupName) -> Result<(), PauseError> {
        self.of_all(|node, now| node.pause_group(now, group.clone())).await
    }

    /// Starts runs of this group again.
    ///
    /// # Errors
    ///
    /// [`PauseError`]
    pub async fn resume_group(&self, group: &GroupName) -> Result<(), PauseError> {
        self.of_all(|node, now| node.resume_group(now, group.clone())).await
    }

    /// Starts runs again.
    ///
    /// # Errors
    ///
    /// [`PauseError`]
    pub async fn resume(&self) -> Result<(), PauseError> {
        self.of_all(Node::resume).await
    }

    /// Makes a change in each shard, also behind one in which it fails, and then waits for each. Returns the first
    /// error; then the call can be repeated.
    async fn of_all(&self, change: impl Fn(&mut Node, Timestamp) -> PauseDecided) -> Result<(), PauseError> {
        let decided: Vec<_> = self.shards.all().map(|shared| (shared, shared.write(&change))).collect();
        let mut result = Ok(());
        for (shared, decided) in decided {
            let done = match decided {
                Ok(decided) => shared.shown(decided).await.unwrap_or_else(|unavailable| Err(unavailable.into())),
                Err(unavailable) => Err(unavailable.into()),
            };
            result = result.and(done);
        }
        result
    }
}

impl Shared {
    /// Returns what was decided, once it may be shown.
    pub(super) async fn shown<T>(&self, decided: Decided<T>) -> Result<T, Unavailable> {
        self.settled(decided.lsn, false).await?;
        Ok(decided.value)
    }
}
