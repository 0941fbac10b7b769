//! A journal made as small as it gets.

use super::super::error::{MaintainError, WriteError};
use super::super::recovery::{Recovered, recover};
use super::super::sequence::Sequence;
use super::super::store::{Journal, Owner};
use super::DiskStore;
use crate::engine::Config;

impl DiskStore {
    /// Replaces all frames by one snapshot of everything, and gives the room that this frees back
    /// to the disk. Answers the next frame. Nobody else may have the journal open meanwhile.
    ///
    /// # Errors
    ///
    /// [`MaintainError`]; then the journal holds what it held, in one form or the other.
    pub fn compact(&mut self, owner: &Owner, config: &Config) -> Result<Sequence, MaintainError> {
        let Recovered { mut log, replay } = recover(self, owner, config, u64::MAX, &mut |_| {})?;
        remove_waste(&mut *log.journal)?;
        let at = log.snapshot_of(replay)?;
        log.journal.trim(at)?;
        drop(log);
        let mut journal = self.open_journal(owner)?;
        journal.shrink()?;
        Ok(at)
    }
}

/// Seals until that makes no more room.
fn remove_waste(journal: &mut dyn Journal) -> Result<(), WriteError> {
    loop {
        let before = journal.room();
        journal.seal()?;
        if journal.room() <= before {
            return Ok(());
        }
    }
}
