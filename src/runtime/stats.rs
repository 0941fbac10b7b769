//! Numbers and readiness of an engine.

use std::vec::Vec;

use super::handle::Eventful;
use super::shared::Shared;
use crate::engine::Violation;
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
        let mut sum = self.shards.first().stats()?;
        for shared in self.shards.all().skip(1) {
            sum.add(&shared.stats()?);
        }
        Ok(sum)
    }

    /// Returns the numbers of each shard, in their order, each from one moment: how evenly the work is spread. See
    /// [`Eventful::stats`].
    ///
    /// # Errors
    ///
    /// [`Unavailable::Broken`]
    pub fn shard_stats(&self) -> Result<Vec<Stats>, Unavailable> {
        self.shards.all().map(|shared| shared.stats()).collect()
    }

    /// Verifies every invariant of the engine by a recount of all records: for tests, as callers wait meanwhile.
    ///
    /// # Errors
    ///
    /// [`Violation`] names the first invariant that does not hold.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use eventful::{Attempt, Event, Eventful};
    ///
    /// let eventful = Eventful::builder().start(async |_: Event, _: Attempt| Ok(()))?;
    /// eventful.submit(Event::with_id("a", "x")?).await?;
    /// eventful.check()?;
    /// # eventful.shutdown(None).await;
    /// # Ok(())
    /// # }
    /// ```
    pub fn check(&self) -> Result<(), Violation> {
        self.shards.all().try_for_each(|shared| shared.read(|node, _| node.engine().check()))
    }

    /// Waits until everything that was decided so far is durable, at most the journal's `answer_timeout`. Returns at
    /// once without a journal.
    ///
    /// # Errors
    ///
    /// [`Unavailable`]
    pub async fn sync(&self) -> Result<(), Unavailable> {
        // All are asked before one is waited for: what is decided later does not count.
        let asked = self.shards.all().map(|shared| Ok((shared, shared.read(|node, _| node.everything())?)));
        for (shared, decided) in asked.collect::<Result<Vec<_>, Unavailable>>()? {
            shared.shown(decided).await?;
        }
        Ok(())
    }

    /// Returns whether events can be sent here: whether it makes progress, not only whether it is alive. Of several shards
    /// each must: else the reason of the first that does not is returned.
    pub fn readiness(&self) -> Readiness {
        let mut readiness = self.shards.all().map(|shared| shared.read(Node::readiness));
        readiness.find(|readiness| *readiness != Readiness::Ready).unwrap_or(Readiness::Ready)
    }
}

impl Shared {
    fn stats(&self) -> Result<Stats, Unavailable> {
        // Before the lock, as nothing in the node depends on it.
        let ahead = self.clock.ahead_of_wall();
        self.read(|node, now| node.stats(now, ahead))
    }
}
