//! Tombstones: the rest of records that have ended.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::engine::digest::Digest;
use crate::engine::key::Key;
use crate::engine::status::Status;
use crate::engine::time::Timestamp;

/// The rest of a completed or discarded record until its retention ends.
#[derive(Debug)]
pub(in crate::engine) struct Tombstone {
    pub(in crate::engine) key: Key,
    pub(in crate::engine) accepted_at: Timestamp,
    pub(in crate::engine) terminal_at: Timestamp,
    pub(in crate::engine) attempt: u32,
    pub(in crate::engine) digest: Digest,
    pub(in crate::engine) kind: TombstoneKind,
}

/// The end of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum TombstoneKind {
    Completed,
    Discarded,
    /// Forgotten before those ahead of it.
    Gone,
}

impl Tombstone {
    /// Returns whether it is in use.
    pub(in crate::engine) fn is_kept(&self) -> bool {
        self.kind != TombstoneKind::Gone
    }

    pub(in crate::engine) const fn status(&self) -> Status {
        match self.kind {
            TombstoneKind::Completed => Status::Completed,
            TombstoneKind::Discarded | TombstoneKind::Gone => Status::Discarded,
        }
    }
}

/// The place of a tombstone. Numbers rise and wrap; far fewer tombstones exist than numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::engine) struct TombstoneId(u32);

impl TombstoneId {
    /// Tombstones are numbered below this: a power of two, so that differences are right when numbers wrap.
    pub(super) const NUMBERS: u32 = 1 << 31;

    pub(super) const fn new(number: u32) -> Self {
        Self(number % Self::NUMBERS)
    }

    pub(super) const fn number(self) -> u32 {
        self.0
    }

    pub(super) const fn next(self) -> Self {
        self.plus(1)
    }

    const fn plus(self, distance: u32) -> Self {
        Self::new(self.0.wrapping_add(distance))
    }

    const fn since(self, earlier: Self) -> usize {
        (self.0.wrapping_sub(earlier.0) % Self::NUMBERS) as usize
    }
}

/// Tombstones in the order in which their records ended, which is the order in which they expire.
#[derive(Debug)]
pub(in crate::engine) struct Tombstones {
    chunks: VecDeque<Vec<Tombstone>>,
    /// Entries at the start of the first chunk that have left.
    left: usize,
    /// The tombstone of the first entry that has not left. It is never `Gone`.
    first: TombstoneId,
    len: usize,
    spare: Option<Vec<Tombstone>>,
}

/// Tombstones in a chunk.
const CHUNK: usize = 1024;

impl Tombstones {
    pub(super) const fn new() -> Self {
        Self { chunks: VecDeque::new(), left: 0, first: TombstoneId(0), len: 0, spare: None }
    }

    pub(super) fn push(&mut self, tombstone: Tombstone) -> TombstoneId {
        if self.chunks.back().is_none_or(|chunk| chunk.len() == CHUNK) {
            // The last emptied chunk is used again: in steady state nothing is allocated.
            let chunk = self.spare.take().unwrap_or_else(|| Vec::with_capacity(CHUNK));
            self.chunks.push_back(chunk);
        }
        if let Some(chunk) = self.chunks.back_mut() {
            chunk.push(tombstone);
        }
        self.len += 1;
        self.first.plus((self.len - 1) as u32)
    }

    pub(in crate::engine) fn front(&self) -> Option<(TombstoneId, &Tombstone)> {
        Some((self.first, self.get(self.first)?))
    }

    pub(super) fn get(&self, id: TombstoneId) -> Option<&Tombstone> {
        let distance = id.since(self.first);
        if distance >= self.len {
            return None;
        }
        let at = self.left + distance;
        self.chunks.get(at / CHUNK)?.get(at % CHUNK)
    }

    /// Every tombstone, the first first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (TombstoneId, &Tombstone)> {
        let ids = core::iter::successors(Some(self.first), |id| Some(id.next()));
        ids.zip(self.chunks.iter().flatten().skip(self.left))
    }

    /// Drops a tombstone: at once when it is first, else when those ahead of it have left.
    pub(super) fn remove(&mut self, id: TombstoneId) {
        let at = self.left + id.since(self.first);
        let tombstone = &mut self.chunks[at / CHUNK][at % CHUNK];
        tombstone.kind = TombstoneKind::Gone;
        // Releases the memory of the key at once; the place remains until those before it are gone.
        tombstone.key = Key::vacant();
        // Places leave from the front only, so one that is removed in the middle waits.
        while self.front().is_some_and(|(_, first)| !first.is_kept()) {
            self.leave();
        }
    }

    /// The first tombstone that has not left.
    pub(super) const fn first(&self) -> TombstoneId {
        self.first
    }

    /// Returns this tombstone, or the first when this one has left.
    pub(super) const fn at_or_after(&self, id: TombstoneId) -> TombstoneId {
        match id.since(self.first) > (TombstoneId::NUMBERS / 2) as usize {
            true => self.first,
            false => id,
        }
    }

    fn leave(&mut self) {
        self.left += 1;
        self.first = self.first.plus(1);
        self.len -= 1;
        if self.left == CHUNK {
            self.left = 0;
            self.spare = self.chunks.pop_front();
            self.spare.iter_mut().for_each(Vec::clear);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tombstone(n: u64) -> Tombstone {
        Tombstone {
            key: Key::vacant(),
            accepted_at: Timestamp::EPOCH,
            terminal_at: Timestamp::from_micros(n),
            attempt: 1,
            digest: Digest::of(b""),
            kind: TombstoneKind::Completed,
        }
    }

    #[test]
    fn a_tombstone_takes_80_bytes() {
        assert_eq!(size_of::<Tombstone>(), 80);
    }

    #[test]
    fn they_leave_in_order_whatever_the_order_of_removal() {
        let mut stones = Tombstones::new();
        stones.first = TombstoneId::new(TombstoneId::NUMBERS - 5);
        let tombstones: Vec<_> = (0..CHUNK as u64 * 3).map(|n| stones.push(tombstone(n))).collect();
        for tombstone in tombstones.iter().skip(1).step_by(2) {
            stones.remove(*tombstone);
        }
        assert_eq!(stones.len, CHUNK * 3);
        for (n, tombstone) in tombstones.iter().enumerate().step_by(2) {
            assert_eq!(stones.front().map(|(tombstone, _)| tombstone), Some(*tombstone));
            assert_eq!(stones.get(*tombstone).map(|stone| stone.terminal_at.as_micros()), Some(n as u64));
            stones.remove(*tombstone);
        }
        assert_eq!(stones.len, 0);
        assert!(stones.front().is_none());
    }

    #[test]
    fn a_place_that_has_left_leads_to_the_first() {
        let mut stones = Tombstones::new();
        stones.first = TombstoneId::new(TombstoneId::NUMBERS - 1);
        let tombstones: Vec<_> = (0..4).map(|n| stones.push(tombstone(n))).collect();
        stones.remove(tombstones[0]);
        stones.remove(tombstones[1]);
        let found = [0, 1, 2, 3].map(|n| stones.at_or_after(tombstones[n]));
        assert_eq!(found, [tombstones[2], tombstones[2], tombstones[2], tombstones[3]]);
    }
}
