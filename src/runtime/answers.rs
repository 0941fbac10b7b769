//! Holds answers back until what they say is durable, and lets those go that have waited too long.

use super::commits::Mark;
use super::shared::Shared;
use super::unavailable::Unavailable;
use crate::engine::Timestamp;

impl Shared {
    /// Waits until what was decided is durable, at most as long as an answer may wait.
    pub(super) async fn sync(&self, tail: Option<Mark>) -> Result<(), Unavailable> {
        match tail {
            Some(mark) => Ok(self.synced.wait(mark).await?),
            None => Ok(()),
        }
    }

    /// Waits until what was decided is durable, however long that takes.
    pub(super) async fn sync_however_long(&self, tail: Option<Mark>) -> Result<(), Unavailable> {
        match tail {
            Some(mark) => Ok(self.synced.wait_however_long(mark).await?),
            None => Ok(()),
        }
    }

    /// Lets the answers go that have waited too long. Returns when there will be more of them.
    pub(super) fn release_late_answers(&self) -> Option<Timestamp> {
        let (overdue, next) = self.last_look(|core| {
            let now = self.clock.now();
            (core.commits.overdue(now), core.commits.next_overdue(now))
        });
        overdue.into_iter().for_each(|mark| self.synced.stop_waiting(mark));
        next
    }

    /// Lets all answers go: nothing will do it later.
    pub(super) fn release_all_answers(&self) {
        let tail = self.last_look(|core| core.commits.tail());
        tail.into_iter().for_each(|mark| self.synced.stop_waiting(mark));
    }
}
