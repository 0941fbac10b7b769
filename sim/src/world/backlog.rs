//! The next snapshot of a journal, as seen from outside.

/// The next snapshot, as seen from outside.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// Bytes behind the newest snapshot when an attempt failed.
    pub(super) excused: u64,
    /// Attempts that failed of damage, one after the other.
    pub(super) failures: u32,
    /// The last step has made one: another may follow at once.
    pub(super) was_made: bool,
    /// Processes that have died since one was made: each may leave one that it had not read back.
    pub(super) deaths: usize,
}

impl Backlog {
    /// Forgets the attempts that failed: the next process knows nothing of them.
    pub(super) fn forget_process(&mut self) {
        *self = Self { deaths: self.deaths + 1, ..Self::default() };
    }
}
