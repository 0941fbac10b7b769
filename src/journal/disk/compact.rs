//! Compaction: a journal is made as small as it can be.

use super::super::error::MaintainError;
use super::super::recovery::{Recovered, recover};
use super::super::sequence::Sequence;
use super::super::store::Owner;
use super::DiskStore;
use crate::engine::Config;

impl DiskStore {
    /// Replaces all frames by one snapshot of everything, and returns the room that this frees to the disk. Returns
    /// the next frame. No other owner may have the journal open meanwhile.
    ///
    /// # Errors
    ///
    /// [`MaintainError`]; then the journal holds what it held, in one form or the other.
    pub fn compact(&mut self, owner: &Owner, config: &Config) -> Result<Sequence, MaintainError> {
        let Recovered { mut log, replay } = recover(self, owner, config, u64::MAX, &mut |_| {})?;
        let at = log.snapshot_of(replay)?;
        log.journal.trim(at)?;
        Ok(at)
    }
}
