//! Places for values that stay where they are.

use alloc::vec::Vec;
use core::ops::{Index, IndexMut};

/// A place in a [`Slab`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::engine) struct Slot(u32);

impl Slot {
    /// The slot with this number.
    pub(super) const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Its number.
    pub(super) const fn number(self) -> u32 {
        self.0
    }
}

/// A group that has pending records: its place among those.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::engine) struct GroupId(pub(in crate::engine) Slot);

/// Values in chunks: growing moves none of them, and a freed place is used again, the last first.
#[derive(Debug)]
pub(in crate::engine) struct Slab<T> {
    /// Each has room for [`CHUNK`] entries; all but the last are full.
    chunks: Vec<Vec<SlabEntry<T>>>,
    free: Option<Slot>,
    len: usize,
}

#[derive(Debug)]
enum SlabEntry<T> {
    Free { next: Option<Slot> },
    Used(T),
}

/// Values in a chunk: few enough that a small engine takes little memory, and enough that a large one seldom allocates.
const CHUNK: usize = 256;

impl<T> Slab<T> {
    pub(in crate::engine) const fn new() -> Self {
        Self { chunks: Vec::new(), free: None, len: 0 }
    }

    pub(in crate::engine) const fn len(&self) -> usize {
        self.len
    }

    /// The number after the highest slot there is.
    pub(super) fn end(&self) -> u32 {
        let before = self.chunks.len().saturating_sub(1) * CHUNK;
        // It fits, as the configuration bounds the number of records.
        u32::try_from(before + self.chunks.last().map_or(0, Vec::len)).unwrap_or(u32::MAX)
    }

    pub(in crate::engine) fn insert(&mut self, value: T) -> Slot {
        self.len += 1;
        // The slot that was freed last, whose memory is most likely in the cache.
        let Some(slot) = self.free else { return self.push(value) };
        let entry = self.entry_mut(slot);
        let SlabEntry::Free { next } = *entry else { unreachable!("a free slot is not used") };
        *entry = SlabEntry::Used(value);
        self.free = next;
        slot
    }

    /// Drops the value in a slot, where it is.
    pub(in crate::engine) fn remove(&mut self, slot: Slot) {
        let freed = SlabEntry::Free { next: self.free };
        let entry = self.entry_mut(slot);
        debug_assert!(matches!(entry, SlabEntry::Used(_)), "only a used slot is freed");
        *entry = freed;
        self.free = Some(slot);
        self.len -= 1;
    }

    pub(in crate::engine) fn get(&self, slot: Slot) -> Option<&T> {
        let at = slot.0 as usize;
        match self.chunks.get(at / CHUNK)?.get(at % CHUNK)? {
            SlabEntry::Used(value) => Some(value),
            SlabEntry::Free { .. } => None,
        }
    }

    /// Every value, in the order of slots.
    pub(in crate::engine) fn iter(&self) -> impl Iterator<Item = (Slot, &T)> {
        let entries = (0..).map(Slot).zip(self.chunks.iter().flatten());
        entries.filter_map(|(slot, entry)| match entry {
            SlabEntry::Used(value) => Some((slot, value)),
            SlabEntry::Free { .. } => None,
        })
    }

    fn entry_mut(&mut self, slot: Slot) -> &mut SlabEntry<T> {
        let at = slot.0 as usize;
        &mut self.chunks[at / CHUNK][at % CHUNK]
    }

    /// Adds a slot behind all others.
    fn push(&mut self, value: T) -> Slot {
        let slot = Slot(self.end());
        // In chunks, so that a slab that grows moves no record.
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.push(SlabEntry::Used(value));
        }
        slot
    }
}

impl<T> Index<Slot> for Slab<T> {
    type Output = T;

    fn index(&self, slot: Slot) -> &T {
        match self.get(slot) {
            Some(value) => value,
            None => unreachable!("only a used slot is read"),
        }
    }
}

impl<T> IndexMut<Slot> for Slab<T> {
    fn index_mut(&mut self, slot: Slot) -> &mut T {
        match self.entry_mut(slot) {
            SlabEntry::Used(value) => value,
            SlabEntry::Free { .. } => unreachable!("only a used slot is changed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_freed_slot_is_used_again() {
        let mut slab = Slab::new();
        let slots: Vec<_> = (0..CHUNK as u32 + 2).map(|n| slab.insert(n)).collect();
        slab.remove(slots[3]);
        assert!(slab.get(slots[3]).is_none());
        assert_eq!(slab.insert(77), slots[3]);
        assert_eq!(slab[slots[3]], 77);
        assert_eq!(slab.iter().count(), slab.len());
    }
}
