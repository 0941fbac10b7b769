//! Rows that nobody will read again, and their removal a few at a time.
//!
//! A trim of a million rows would keep appends waiting. So it only notes that they are waste, and
//! each transaction that follows removes some.

use core::ops::Range;
use std::vec::Vec;

use redb::{ReadableTable as _, WriteTransaction};

use super::fault::Fault;
use super::rows::{Kind, room_of_row};

/// Rows of the frames, or of the snapshots, with these numbers.
#[derive(Debug, Default)]
pub(super) struct Waste(Vec<(Kind, Range<u64>)>);

impl Waste {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Everything before this frame is waste.
    pub(super) fn add_below(&mut self, below: u64) {
        self.0.retain(|(_, range)| range.start > 0);
        self.0.extend([Kind::Frame, Kind::Snapshot].map(|kind| (kind, 0..below)));
    }

    /// The unfinished snapshot of everything before this frame is waste.
    pub(super) fn add_snapshot(&mut self, at: u64) {
        self.0.push((Kind::Snapshot, at..at + 1));
    }

    /// That snapshot is being written again.
    pub(super) fn keep_snapshot(&mut self, at: u64) {
        self.0.retain(|(_, range)| *range != (at..at + 1));
    }

    /// Removes up to this many rows, and answers the room that they took.
    pub(super) fn remove(&mut self, transaction: &WriteTransaction, mut rows: usize) -> Result<u64, Fault> {
        let mut room = 0;
        while rows > 0
            && let Some((kind, range)) = self.0.last()
        {
            let mut table = transaction.open_table(kind.rows())?;
            // Keys first: an iterator that removes panics twice, which nobody can catch, in a damaged page.
            let mut wasted = Vec::new();
            for entry in table.range((range.start, 0)..(range.end, 0))?.take(rows) {
                let (key, row) = entry?;
                room += room_of_row(row.value().len());
                wasted.push(key.value());
            }
            for key in &wasted {
                table.remove(*key)?;
            }
            rows -= wasted.len();
            if rows > 0 {
                self.0.pop();
            }
        }
        Ok(room)
    }
}
