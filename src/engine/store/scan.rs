//! Walking over all records, with stops.

use super::Store;
use super::index::Location;
use super::slab::Slot;
use super::tombstones::TombstoneId;
use crate::engine::view::Cursor;

/// A walk over live records, then over tombstones, the oldest first.
///
/// A record that ends during the walk moves from the first part to the end of the second, so the
/// walk may meet it twice, but cannot miss it.
#[derive(Debug)]
pub(in crate::engine) struct Scan<'a> {
    store: &'a Store,
    position: ScanPosition,
}

#[derive(Debug, Clone, Copy)]
enum ScanPosition {
    Live(u32),
    Tombstone(TombstoneId),
    /// Among failed ones alone, by number.
    Failed(u64),
}

/// Set in the numbers of cursors among failed records: the highest bit, above all that counts failures, and above the
/// shard that a cursor among several engines names.
const FAILED: u64 = 1 << 63;

/// Set in the numbers of cursors among the tombstones: the bit above those of a place, which has 32. So tombstones come
/// behind all live records.
const TOMBSTONE_BIT: u64 = 1 << 32;

impl Store {
    /// A walk that continues at a cursor.
    pub(in crate::engine) fn scan(&self, after: Cursor) -> Scan<'_> {
        let number = after.number() as u32;
        let position = match after.number() & TOMBSTONE_BIT {
            0 => ScanPosition::Live(number),
            _ => ScanPosition::Tombstone(self.tombstones.at_or_after(TombstoneId::new(number))),
        };
        Scan { store: self, position }
    }

    /// A walk over failed records alone, the first that failed first. A cursor of another walk begins it.
    pub(in crate::engine) fn scan_failed(&self, after: Cursor) -> Scan<'_> {
        Scan { store: self, position: ScanPosition::Failed(after.number().saturating_sub(FAILED)) }
    }

    /// Returns the places of all records.
    pub(in crate::engine) fn locations(&self) -> impl Iterator<Item = Location> {
        self.scan(Cursor::START).flatten()
    }
}

impl Scan<'_> {
    /// Goes to the first tombstone, unless it is there or past it.
    pub(in crate::engine) const fn skip_live(&mut self) {
        if let ScanPosition::Live(_) = self.position {
            self.position = ScanPosition::Tombstone(self.store.tombstones.first());
        }
    }

    /// Returns whether only tombstones follow.
    pub(in crate::engine) fn is_past_live(&self) -> bool {
        match self.position {
            ScanPosition::Live(number) => number >= self.store.live.end(),
            ScanPosition::Tombstone(_) => true,
            ScanPosition::Failed(_) => false,
        }
    }

    /// Returns where to continue.
    pub(in crate::engine) fn cursor(&self) -> Cursor {
        Cursor::new(match self.position {
            ScanPosition::Live(number) => u64::from(number),
            ScanPosition::Tombstone(id) => TOMBSTONE_BIT | u64::from(id.number()),
            ScanPosition::Failed(number) => FAILED | number,
        })
    }
}

/// Each step is one place, which may be empty.
impl Iterator for Scan<'_> {
    type Item = Option<Location>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.position {
            ScanPosition::Live(number) if number < self.store.live.end() => {
                self.position = ScanPosition::Live(number + 1);
                let slot = Slot::new(number);
                Some(self.store.live.get(slot).map(|_| Location::Live(slot)))
            }
            // No record at this step: the caller counts steps, not records.
            ScanPosition::Live(_) => {
                self.position = ScanPosition::Tombstone(self.store.tombstones.first());
                Some(None)
            }
            ScanPosition::Failed(from) => {
                let (number, slot) = self.store.failed.range(from..).next()?;
                self.position = ScanPosition::Failed(number + 1);
                Some(Some(Location::Live(*slot)))
            }
            ScanPosition::Tombstone(id) => {
                let tombstone = self.store.tombstones.get(id)?;
                self.position = ScanPosition::Tombstone(id.next());
                Some(tombstone.is_kept().then_some(Location::Tombstone(id)))
            }
        }
    }
}
