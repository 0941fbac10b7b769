//! Calls of an operator about one event, or about the whole engine.

use super::handle::Eventful;
use super::shared::Shared;
use crate::engine::Key;
use crate::node::{Decided, DiscardError, Node, PauseError, RedriveError, Unavailable};

impl Eventful {
    /// Returns a failed event to work, with all its attempts.
    ///
    /// # Errors
    ///
    /// [`RedriveError`]
    pub async fn redrive(&self, key: &Key) -> Result<(), RedriveError> {
        let decided = self.shared.write(|node, now| node.redrive(now, key.clone()))?;
        self.shared.shown(decided).await?
    }

    /// Ends an event that is not completed. Its run, if there is one, is stopped.
    ///
    /// # Errors
    ///
    /// [`DiscardError`]
    pub async fn discard(&self, key: &Key) -> Result<(), DiscardError> {
        let decided = self.shared.write(|node, now| node.discard(now, key.clone()))?;
        self.shared.shown(decided).await?
    }

    /// Starts no more runs until [`Eventful::resume`]; those in flight continue, and events are still accepted.
    ///
    /// # Errors
    ///
    /// [`PauseError`]
    pub async fn pause(&self) -> Result<(), PauseError> {
        let decided = self.shared.write(Node::pause)?;
        self.shared.shown(decided).await?
    }

    /// Starts runs again.
    ///
    /// # Errors
    ///
    /// [`PauseError`]
    pub async fn resume(&self) -> Result<(), PauseError> {
        let decided = self.shared.write(Node::resume)?;
        self.shared.shown(decided).await?
    }
}

impl Shared {
    /// Returns what was decided, once it may be shown.
    pub(super) async fn shown<T>(&self, decided: Decided<T>) -> Result<T, Unavailable> {
        self.settled(decided.lsn, false).await?;
        Ok(decided.value)
    }
}
