//! Numbers and readiness of an engine.

use super::handle::Eventful;
use crate::node::{Node, Readiness, Stats, Unavailable};

impl Eventful {
    /// Returns all numbers, the engine's from one moment. It waits for no journal: the numbers are those of now, also
    /// while the journal is stuck, being opened again, or down. They count what is not durable yet
    /// ([`Stats::unsynced`] says how much that is), and so may fall back after a crash; [`Eventful::sync`] waits until
    /// they cannot.
    ///
    /// # Errors
    ///
    /// [`Unavailable::Broken`]
    pub fn stats(&self) -> Result<Stats, Unavailable> {
        let ahead = self.shared.clock.ahead_of_wall();
        self.shared.read(|node, now| node.stats(now, ahead))
    }

    /// Waits until everything that was decided so far is durable, at most the journal's `answer_timeout`. Returns at
    /// once without a journal.
    ///
    /// # Errors
    ///
    /// [`Unavailable`]
    pub async fn sync(&self) -> Result<(), Unavailable> {
        let decided = self.shared.read(|node, _| node.everything())?;
        self.shared.shown(decided).await
    }

    /// Returns whether events can be sent here: whether it makes progress, not only whether it is alive.
    pub fn readiness(&self) -> Readiness {
        self.shared.read(Node::readiness)
    }
}
