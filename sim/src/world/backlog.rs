//! The frames that wait for the next snapshot of a journal, as seen from outside.

/// The frames that wait for the next snapshot.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// The bytes behind the newest snapshot when an attempt failed.
    pub(super) excused: u64,
    /// The number of successive attempts that failed because of damage.
    pub(super) failures: u32,
    /// True if the last step has finished a snapshot: another may follow at once.
    pub(super) was_made: bool,
    /// The number of processes that have died since a snapshot was made: each may leave one that it had not verified.
    pub(super) deaths: usize,
}

impl Backlog {
    /// Forgets failed attempts, of which the next process knows nothing.
    pub(super) fn forget_process(&mut self) {
        *self = Self { deaths: self.deaths + 1, ..Self::default() };
    }
}
