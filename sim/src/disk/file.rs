//! A file: the state of the medium, and the state that the cache shows.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::fault::DiskFault;
use super::sector::{SECTOR_BYTES, Sector, SectorFate, Sectors, UnsyncedSector, pieces, settle};
use crate::seeded_rng::Stream;
use crate::state_hash::StateHash;
use crate::tier::Probes;

/// A file.
#[derive(Debug, Clone, Default)]
pub(super) struct SimulatedFile {
    medium: FileContents,
    cache: FileContents,
    dirty: BTreeMap<usize, Dirty>,
    length_is_dirty: bool,
    /// The least length since the last sync: bytes behind it are lost.
    shortest: u64,
    /// True if the cache differs from the medium without being dirty.
    is_deceived: bool,
    /// The old contents of the sectors of the last sync.
    before: BTreeMap<usize, Option<Arc<Sector>>>,
    /// The number of writes.
    writes: u64,
}

#[derive(Debug, Clone, Default)]
struct FileContents {
    sectors: Sectors,
    len: u64,
}

/// A sector that is not synced.
#[derive(Debug, Clone, Copy)]
struct Dirty {
    written: UnsyncedSector,
    /// The number of the last write to it.
    by: u64,
}

impl SimulatedFile {
    pub(super) const fn len(&self) -> u64 {
        self.cache.len
    }

    pub(super) fn read(&self, offset: u64, out: &mut [u8]) {
        self.cache.sectors.read(offset, out);
    }

    /// Reads the bytes from before the last change.
    pub(super) fn read_stale(&self, offset: u64, out: &mut [u8]) {
        let mut old = self.medium.sectors.clone();
        if self.dirty.is_empty() {
            self.before.iter().for_each(|(at, sector)| old.put(*at, sector.clone()));
        }
        old.read(offset, out);
    }

    /// Adds the visible bytes to a hash.
    pub(super) fn hash_contents(&self, hash: &mut StateHash) {
        hash.word(self.cache.len);
        self.cache.sectors.hash_written(hash);
    }

    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) {
        self.writes += 1;
        for piece in pieces(offset, bytes.len()) {
            let target = self.cache.sectors.edit(piece.sector);
            target[piece.from..piece.from + piece.len].copy_from_slice(&bytes[piece.at..piece.at + piece.len]);
            self.soil(piece.sector, piece.from, piece.len);
        }
        let end = offset + bytes.len() as u64;
        if end > self.cache.len {
            self.cache.len = end;
            self.length_is_dirty = true;
        }
    }

    fn soil(&mut self, sector: usize, from: usize, len: usize) {
        let by = self.writes;
        let dirty = self.dirty.entry(sector).or_insert(Dirty { written: UnsyncedSector::default(), by });
        dirty.written.add(from, len);
        dirty.by = by;
    }

    /// Sets the length. Bytes behind the new end are lost, and zeros if the file grows again.
    pub(super) fn set_len(&mut self, len: u64) {
        if len < self.cache.len {
            self.dirty.retain(|sector, _| *sector < sectors(len));
            if let Some((sector, from)) = self.cache.cut_to(len) {
                self.writes += 1;
                self.soil(sector, from, SECTOR_BYTES - from);
            }
        }
        self.shortest = self.shortest.min(len);
        self.length_is_dirty |= len != self.cache.len;
        self.cache.len = len;
    }

    /// Makes the cache persistent.
    pub(super) fn sync(&mut self) {
        self.settle_length();
        if !self.dirty.is_empty() {
            self.before.clear();
        }
        for sector in core::mem::take(&mut self.dirty).into_keys() {
            self.before.insert(sector, self.medium.sectors.share(sector));
            self.medium.sectors.put(sector, self.cache.sectors.share(sector));
        }
    }

    /// Gives the medium the length of the cache.
    fn settle_length(&mut self) {
        self.medium.sectors.truncate(sectors(self.shortest));
        self.medium.len = self.cache.len;
        (self.length_is_dirty, self.shortest) = (false, self.cache.len);
    }

    /// Drops the unsynced bytes. The cache still shows them.
    pub(super) fn drop_dirty(&mut self) {
        self.is_deceived = self.has_pending() || self.is_deceived;
        self.dirty.clear();
        (self.length_is_dirty, self.shortest) = (false, self.medium.len);
    }

    /// Reads clean sectors again from the medium.
    pub(super) fn evict(&mut self) {
        if !core::mem::take(&mut self.is_deceived) {
            return;
        }
        let mut fresh = self.medium.clone();
        for sector in self.dirty.keys() {
            fresh.sectors.put(*sector, self.cache.sectors.share(*sector));
        }
        if self.length_is_dirty {
            fresh.len = self.cache.len;
        }
        self.cache = fresh;
    }

    pub(super) fn has_pending(&self) -> bool {
        self.length_is_dirty || !self.dirty.is_empty()
    }

    /// Returns the number of unsynced changes: the length counts as one, and each sector.
    pub(super) fn pending(&self) -> usize {
        self.dirty.len() + usize::from(self.length_is_dirty)
    }

    /// Cuts the power: `fate` decides about the length, if it is dirty, and then about each dirty sector.
    pub(super) fn cut(
        &mut self,
        fate: &mut dyn FnMut(&mut Stream) -> SectorFate,
        stream: &mut Stream,
        probes: &mut Probes,
    ) {
        let grows = self.cache.len > self.medium.len;
        let is_old = self.length_is_dirty && fate(stream) != SectorFate::Survives;
        if !is_old {
            self.settle_length();
        }
        let (mut lost, mut survived) = (None, None);
        for (sector, dirty) in core::mem::take(&mut self.dirty) {
            let fate = fate(stream);
            note(fate, probes);
            match fate {
                SectorFate::Survives => survived = survived.max(Some((dirty.by, sector))),
                SectorFate::Lost | SectorFate::Torn | SectorFate::Garbage => {
                    lost = Some(lost.unwrap_or((dirty.by, sector)).min((dirty.by, sector)));
                }
            }
            let (old, new) = (self.medium.sectors.share(sector), self.cache.sectors.share(sector));
            self.medium.sectors.put(sector, settle(fate, old, new, &dirty.written, stream));
        }
        if lost.is_some() && lost < survived {
            probes.fire(DiskFault::OutOfOrder);
        }
        if grows && !is_old && lost.is_some() {
            probes.fire(DiskFault::LengthWithoutData);
        }
        if grows && is_old && survived.is_some() {
            probes.fire(DiskFault::DataWithoutLength);
        }
        self.medium.cut_to(self.medium.len);
        self.cache = self.medium.clone();
        (self.length_is_dirty, self.shortest, self.is_deceived) = (false, self.medium.len, false);
    }

    /// Flips a bit that is on the medium and clean. Returns whether there is one.
    pub(super) fn rot(&mut self, stream: &mut Stream) -> bool {
        let clean: Vec<usize> = self.medium.sectors.written().filter(|at| !self.dirty.contains_key(at)).collect();
        if clean.is_empty() {
            return false;
        }
        let sector = stream.pick(&clean);
        let len = (self.medium.len as usize).saturating_sub(sector * SECTOR_BYTES).min(SECTOR_BYTES);
        let (byte, bit) = (stream.index(len), stream.index(8));
        if len == 0 {
            return false;
        }
        self.medium.sectors.edit(sector)[byte] ^= 1 << bit;
        self.cache.sectors.put(sector, self.medium.sectors.share(sector));
        true
    }
}

impl FileContents {
    /// Zeros the bytes behind this length. Returns the sector that it ends in and the place, if this changed it.
    fn cut_to(&mut self, len: u64) -> Option<(usize, usize)> {
        self.sectors.truncate(sectors(len));
        let (last, from) = (len as usize / SECTOR_BYTES, len as usize % SECTOR_BYTES);
        let has_rest = self.sectors.share(last)?[from..].iter().any(|byte| *byte != 0);
        has_rest.then(|| {
            self.sectors.edit(last)[from..].fill(0);
            (last, from)
        })
    }
}

/// Returns the number of sectors for this many bytes.
const fn sectors(len: u64) -> usize {
    (len as usize).div_ceil(SECTOR_BYTES)
}

fn note(fate: SectorFate, probes: &mut Probes) {
    match fate {
        SectorFate::Survives => {}
        SectorFate::Lost => probes.fire(DiskFault::SectorLost),
        SectorFate::Torn => probes.fire(DiskFault::SectorTorn),
        SectorFate::Garbage => probes.fire(DiskFault::SectorGarbage),
    }
}
