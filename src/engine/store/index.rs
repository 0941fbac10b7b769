//! From a key to its record.

use alloc::boxed::Box;
use core::mem;
use hashbrown::HashTable;

use super::slab::Slot;
use super::tombstones::TombstoneId;

/// The place of a record in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::engine) enum Location {
    Live(Slot),
    Tombstone(TombstoneId),
}

/// A hash table that is split into parts once it has some size.
///
/// The hash is kept beside the location, so that a part which grows hashes no key again; and each
/// part grows by itself, so that no insert waits for the whole table to be rebuilt. While there are
/// few entries, one part makes the engine small, and quick to open.
#[derive(Debug)]
pub(super) struct Index {
    /// One, or [`PARTS`].
    parts: Box<[HashTable<IndexEntry>]>,
    /// Entries of all parts.
    len: usize,
    /// Entries at which it is split.
    split_at: usize,
}

/// Eight bytes: half of the hash, and the location with its kind in the lowest bit.
#[derive(Debug, Clone, Copy)]
struct IndexEntry {
    hash: u32,
    location: u32,
}

/// Parts of a table that was split, as a power of two.
const PARTS_LOG2: u32 = 10;

/// Parts of a table that was split.
const PARTS: usize = 1 << PARTS_LOG2;

impl Index {
    pub(super) fn new(split_at: usize) -> Self {
        Self { parts: Box::new([HashTable::new()]), len: 0, split_at }
    }

    pub(super) fn find(&self, hash: u64, is_it: impl Fn(Location) -> bool) -> Option<Location> {
        // The lower half is enough to distinguish nearly all keys, and an entry stays at eight bytes.
        let hash = hash as u32;
        let entry = self.part(hash).find(spread(hash), |entry| entry.hash == hash && is_it(entry.location()));
        entry.map(IndexEntry::location)
    }

    /// As [`Index::find`], for a record that is at `from`: it need not be asked whether it is itself.
    pub(super) fn find_from(&self, hash: u64, from: Location, is_it: impl Fn(Location) -> bool) -> Option<Location> {
        let (hash, from) = (hash as u32, pack(from));
        let is_found = |entry: &IndexEntry| entry.hash == hash && (entry.location == from || is_it(entry.location()));
        self.part(hash).find(spread(hash), is_found).map(IndexEntry::location)
    }

    /// Adds a location that is not in it.
    pub(super) fn insert(&mut self, hash: u64, location: Location) {
        // Split once: after that each part grows alone.
        if self.len >= self.split_at && self.parts.len() == 1 {
            self.split();
        }
        self.push(IndexEntry { hash: hash as u32, location: pack(location) });
        self.len += 1;
    }

    /// Puts `to` where `from` is.
    pub(super) fn replace(&mut self, hash: u64, from: Location, to: Location) {
        let (hash, from) = (hash as u32, pack(from));
        let found = self.part_mut(hash).find_mut(spread(hash), |entry| entry.location == from);
        debug_assert!(found.is_some(), "a record that moves is in the index");
        if let Some(entry) = found {
            entry.location = pack(to);
        }
    }

    pub(super) fn remove(&mut self, hash: u64, location: Location) {
        let (hash, location) = (hash as u32, pack(location));
        let found = self.part_mut(hash).find_entry(spread(hash), |entry| entry.location == location);
        debug_assert!(found.is_ok(), "a record that leaves is in the index");
        if let Ok(entry) = found {
            entry.remove();
            self.len -= 1;
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    fn push(&mut self, entry: IndexEntry) {
        self.part_mut(entry.hash).insert_unique(spread(entry.hash), entry, |entry| spread(entry.hash));
    }

    fn split(&mut self) {
        let parts = (0..PARTS).map(|_| HashTable::new()).collect();
        let whole = mem::replace(&mut self.parts, parts);
        // Nothing depends on the order in which they move.
        whole.into_iter().flatten().for_each(|entry| self.push(entry));
    }

    fn part(&self, hash: u32) -> &HashTable<IndexEntry> {
        // The parts are one or a power of two, for which the mask is the remainder.
        &self.parts[part(hash) & (self.parts.len() - 1)]
    }

    fn part_mut(&mut self, hash: u32) -> &mut HashTable<IndexEntry> {
        &mut self.parts[part(hash) & (self.parts.len() - 1)]
    }
}

impl IndexEntry {
    fn location(&self) -> Location {
        match self.location % 2 {
            0 => Location::Live(Slot::new(self.location / 2)),
            _ => Location::Tombstone(TombstoneId::new(self.location / 2)),
        }
    }
}

fn pack(location: Location) -> u32 {
    match location {
        Location::Live(slot) => slot.number() * 2,
        Location::Tombstone(id) => id.number() * 2 + 1,
    }
}

/// The highest bits choose the part.
const fn part(hash: u32) -> usize {
    (hash >> (u32::BITS - PARTS_LOG2)) as usize
}

/// A part takes position from the low bits and a tag from the high ones: both have some, and of
/// those by which the entries of one part differ.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << (u32::BITS + PARTS_LOG2) | u64::from(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Location = Location::Live(Slot::new(1));
    const OTHER: Location = Location::Live(Slot::new(2));
    const GRAVE: Location = Location::Tombstone(TombstoneId::new(2));

    #[test]
    fn keys_with_one_hash_are_kept_apart() {
        let mut index = Index::new(PARTS);
        index.insert(7, ONE);
        index.insert(7, OTHER);
        assert_eq!(index.find(7, |location| location == OTHER), Some(OTHER));

        index.replace(7, OTHER, GRAVE);
        index.remove(7, ONE);
        assert_eq!(index.find(7, |location| location == ONE), None);
        assert_eq!(index.find(7, |_| true), Some(GRAVE));
        assert_eq!(index.len(), 1);
    }

    #[test]
    fn a_record_is_not_asked_for_its_key_unless_its_hash_is_the_one() {
        let mut index = Index::new(PARTS);
        index.insert(7, ONE);
        let same_position_and_tag = 7 | 1 << 8;
        assert_eq!(index.find(same_position_and_tag, |_| true), None);
    }

    #[test]
    fn a_table_that_is_split_leads_where_it_led_before() {
        let mut index = Index::new(PARTS);
        let entries = (0..PARTS as u32 + 1).map(|n| (hash(n), Location::Live(Slot::new(n))));
        for (hash, location) in entries.clone() {
            let parts = index.parts.len();
            index.insert(hash, location);
            assert_eq!(parts, 1, "it is not split before it holds {PARTS}");
        }
        assert_eq!((index.parts.len(), index.len()), (PARTS, PARTS + 1));
        for (hash, location) in entries {
            assert_eq!(index.find(hash, |_| true), Some(location));
            index.remove(hash, location);
        }
        assert_eq!(index.len(), 0);
        assert!(index.parts.iter().all(HashTable::is_empty));
    }

    #[test]
    fn the_highest_bits_that_are_kept_choose_the_part() {
        let mut index = Index::new(PARTS);
        (0..=PARTS as u32).for_each(|n| index.insert(hash(n), Location::Live(Slot::new(n))));
        let (least, most) = index
            .parts
            .iter()
            .map(HashTable::len)
            .fold((usize::MAX, 0), |(least, most), len| (least.min(len), most.max(len)));
        assert_eq!((least, most), (1, 2));
    }

    #[test]
    fn position_and_tag_come_from_differing_bits() {
        let tag = |hash| spread(hash) >> 57;
        assert_eq!((tag(0x3f_8000), tag(0xffc0_7fff)), (0x7f, 0));
        assert_eq!(spread(0x8000_0001) as u32, 0x8000_0001);
    }

    /// Hashes that fall into one part after the other.
    fn hash(n: u32) -> u64 {
        u64::from(n.rotate_right(PARTS_LOG2))
    }
}
