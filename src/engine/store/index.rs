//! From a key to its record.

use alloc::boxed::Box;
use hashbrown::HashTable;

use super::slab::Slot;
use super::tombstones::Grave;

/// Where a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Location {
    Live(Slot),
    Buried(Grave),
}

/// A hash table in parts.
///
/// The hash is kept beside the location, so that a part which grows hashes no key again; and each
/// part grows by itself, so that no insert waits for the whole table to be rebuilt.
#[derive(Debug)]
pub(super) struct Index {
    parts: Box<[HashTable<Entry>]>,
    /// Entries of all parts.
    len: usize,
}

/// Eight bytes: half of the hash, and the location with its kind in the lowest bit.
#[derive(Debug, Clone, Copy)]
struct Entry {
    hash: u32,
    location: u32,
}

/// Parts, as a power of two.
const PARTS_LOG2: u32 = 10;

impl Index {
    pub(super) fn new() -> Self {
        Self { parts: (0..1 << PARTS_LOG2).map(|_| HashTable::new()).collect(), len: 0 }
    }

    pub(super) fn find(&self, hash: u64, is_it: impl Fn(Location) -> bool) -> Option<Location> {
        let part = &self.parts[part(hash)];
        let entry = part.find(spread(hash as u32), |entry| entry.hash == hash as u32 && is_it(entry.location()));
        entry.map(Entry::location)
    }

    /// Adds a location that is not in it.
    pub(super) fn insert(&mut self, hash: u64, location: Location) {
        let entry = Entry { hash: hash as u32, location: pack(location) };
        self.parts[part(hash)].insert_unique(spread(entry.hash), entry, |entry| spread(entry.hash));
        self.len += 1;
    }

    /// Puts `to` where `from` is.
    pub(super) fn replace(&mut self, hash: u64, from: Location, to: Location) {
        let from = pack(from);
        let found = self.parts[part(hash)].find_mut(spread(hash as u32), |entry| entry.location == from);
        debug_assert!(found.is_some(), "a record that moves is in the index");
        if let Some(entry) = found {
            entry.location = pack(to);
        }
    }

    pub(super) fn remove(&mut self, hash: u64, location: Location) {
        let location = pack(location);
        let found = self.parts[part(hash)].find_entry(spread(hash as u32), |entry| entry.location == location);
        debug_assert!(found.is_ok(), "a record that leaves is in the index");
        if let Ok(entry) = found {
            entry.remove();
            self.len -= 1;
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }
}

impl Entry {
    fn location(&self) -> Location {
        match self.location % 2 {
            0 => Location::Live(Slot::new(self.location / 2)),
            _ => Location::Buried(Grave::new(self.location / 2)),
        }
    }
}

fn pack(location: Location) -> u32 {
    match location {
        Location::Live(slot) => slot.number() * 2,
        Location::Buried(grave) => grave.number() * 2 + 1,
    }
}

/// The highest bits choose the part; the lowest 32 are kept.
fn part(hash: u64) -> usize {
    (hash >> (u64::BITS - PARTS_LOG2)) as usize
}

/// The table takes position from the low bits and a tag from the high ones: both have some.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Location = Location::Live(Slot::new(1));
    const OTHER: Location = Location::Live(Slot::new(2));
    const GRAVE: Location = Location::Buried(Grave::new(2));

    #[test]
    fn keys_with_one_hash_are_told_apart() {
        let mut index = Index::new();
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
        let mut index = Index::new();
        index.insert(7, ONE);
        let same_position_and_tag = 7 | 1 << 8;
        assert_eq!(index.find(same_position_and_tag, |_| true), None);
    }

    #[test]
    fn the_highest_bits_of_the_hash_choose_the_part() {
        let mut index = Index::new();
        for n in 0..1 << PARTS_LOG2 {
            index.insert(n << (u64::BITS - PARTS_LOG2), ONE);
        }
        assert!(index.parts.iter().all(|part| part.len() == 1));
    }

    #[test]
    fn position_and_tag_both_come_from_the_hash() {
        assert_eq!(spread(0x8000_0001), 0x8000_0001_8000_0001);
    }
}
