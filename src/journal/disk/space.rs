//! How much room a journal has.

use std::string::String;

use super::super::store::Room;
use super::directory::Directory;
use super::rows::Change;

/// What the database needs besides the rows: its head, the pages above the rows, and what a commit
/// writes anew before it frees the old.
const OWN_BYTES: u64 = 512 << 10;

/// The room that the rows take, and what is left.
#[derive(Debug)]
pub(super) struct Space {
    max_bytes: u64,
    directory: Option<Directory>,
    /// What the rows take at most. Room that is free inside the file is no part of it.
    rows: u64,
}

impl Space {
    pub(super) const fn new(max_bytes: u64, directory: Option<Directory>, rows: u64) -> Self {
        Self { max_bytes, directory, rows }
    }

    pub(super) fn note(&mut self, change: Change) {
        self.rows = self.rows.saturating_add(change.taken).saturating_sub(change.given_back);
    }

    /// Checks that the file is still in its directory, and that the disk can be asked.
    ///
    /// # Errors
    ///
    /// What is wrong, in words.
    pub(super) fn reach(&self) -> Result<(), String> {
        let Some(directory) = &self.directory else { return Ok(()) };
        directory.disk().map(drop).map_err(|error| std::format!("{}: {error}", directory.place()))
    }

    /// What is left: of the bound, and of the disk. A disk that cannot be asked has none, which
    /// [`Space::reach`] keeps apart from one that is full.
    pub(super) fn room(&self) -> Room {
        let used = self.rows.saturating_add(self.rows / 32).saturating_add(OWN_BYTES);
        let bound = self.max_bytes.saturating_sub(used);
        let disk = match &self.directory {
            None => u64::MAX,
            Some(directory) => {
                directory.disk().map_or(0, |(has, free)| (has.saturating_add(free)).saturating_sub(used))
            }
        };
        Room(bound.min(disk))
    }
}
