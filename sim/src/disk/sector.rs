//! Sectors: the units of loss in a power cut.

use std::hash::Hasher as _;
use std::sync::Arc;

use crate::seeded_rng::Stream;
use crate::state_hash::StateHash;

/// The bytes of a sector, as the journal assumes them.
pub const SECTOR_BYTES: usize = 512;

/// The bytes of one sector.
pub(super) type Sector = [u8; SECTOR_BYTES];

/// A run of sectors; one that was never written is zeros.
#[derive(Debug, Clone, Default)]
pub(super) struct Sectors(Vec<Option<Arc<Sector>>>);

impl Sectors {
    pub(super) fn share(&self, at: usize) -> Option<Arc<Sector>> {
        self.0.get(at).cloned().flatten()
    }

    pub(super) fn put(&mut self, at: usize, sector: Option<Arc<Sector>>) {
        if self.0.len() <= at {
            self.0.resize(at + 1, None);
        }
        self.0[at] = sector;
    }

    /// Returns the bytes of a sector, to be changed.
    pub(super) fn edit(&mut self, at: usize) -> &mut Sector {
        if self.0.len() <= at {
            self.0.resize(at + 1, None);
        }
        Arc::make_mut(self.0[at].get_or_insert_with(|| Arc::new([0; SECTOR_BYTES])))
    }

    /// Drops every sector from this one on.
    pub(super) fn truncate(&mut self, sectors: usize) {
        self.0.truncate(sectors);
    }

    pub(super) fn read(&self, offset: u64, out: &mut [u8]) {
        for piece in pieces(offset, out.len()) {
            let target = &mut out[piece.at..piece.at + piece.len];
            match self.0.get(piece.sector).and_then(Option::as_ref) {
                Some(sector) => target.copy_from_slice(&sector[piece.from..piece.from + piece.len]),
                None => target.fill(0),
            }
        }
    }

    /// Adds the sectors that were ever written to a hash.
    pub(super) fn hash_written(&self, hash: &mut StateHash) {
        for (at, sector) in self.0.iter().enumerate() {
            if let Some(sector) = sector {
                hash.word(at as u64);
                hash.write(&sector[..]);
            }
        }
    }

    /// Returns the sectors that were ever written.
    pub(super) fn written(&self) -> impl Iterator<Item = usize> {
        self.0.iter().enumerate().filter(|(_, sector)| sector.is_some()).map(|(at, _)| at)
    }
}

/// The part of a run of bytes that lies in one sector.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub(super) sector: usize,
    /// The first byte in the sector.
    pub(super) from: usize,
    /// The first byte in the run.
    pub(super) at: usize,
    pub(super) len: usize,
}

/// Returns the pieces of a run of bytes, sector by sector.
pub(super) fn pieces(offset: u64, len: usize) -> impl Iterator<Item = Piece> {
    // Offsets of a simulated disk fit, as its capacity does.
    let start = offset as usize;
    let mut at = 0;
    core::iter::from_fn(move || {
        if at >= len {
            return None;
        }
        let (sector, from) = ((start + at) / SECTOR_BYTES, (start + at) % SECTOR_BYTES);
        let piece = Piece { sector, from, at, len: (SECTOR_BYTES - from).min(len - at) };
        at += piece.len;
        Some(piece)
    })
}

/// The bytes of a sector that were written since the last sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct UnsyncedSector([u64; SECTOR_BYTES / 64]);

impl UnsyncedSector {
    pub(super) fn add(&mut self, from: usize, len: usize) {
        for word in from / 64..(from + len).div_ceil(64) {
            let low = from.max(word * 64) - word * 64;
            let high = (from + len).min((word + 1) * 64) - word * 64;
            let ones = if high - low == 64 { u64::MAX } else { ((1 << (high - low)) - 1) << low };
            self.0[word] |= ones;
        }
    }

    fn has(&self, byte: usize) -> bool {
        self.0[byte / 64] & (1 << (byte % 64)) != 0
    }

    fn bytes(&self) -> impl Iterator<Item = usize> {
        (0..SECTOR_BYTES).filter(|byte| self.has(*byte))
    }
}

/// The fate of an unsynced sector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SectorFate {
    /// The sector has its new bytes.
    Survives,
    /// The sector has its old bytes.
    Lost,
    /// The sector has new bytes up to a place, and old ones from there; or the other way round.
    Torn,
    /// The written bytes are garbage, the others unchanged.
    Garbage,
}

impl SectorFate {
    pub(super) fn draw(stream: &mut Stream) -> Self {
        match stream.below(8) {
            0..=3 => Self::Survives,
            4..=5 => Self::Lost,
            6 => Self::Torn,
            _ => Self::Garbage,
        }
    }
}

/// Returns what remains of a sector that was to become `new`.
pub(super) fn settle(
    fate: SectorFate,
    old: Option<Arc<Sector>>,
    new: Option<Arc<Sector>>,
    written: &UnsyncedSector,
    stream: &mut Stream,
) -> Option<Arc<Sector>> {
    let zeros = || Arc::new([0; SECTOR_BYTES]);
    let edit = |change: &mut dyn FnMut(usize, &mut u8)| {
        let mut left = old.clone().unwrap_or_else(zeros);
        let bytes = Arc::make_mut(&mut left);
        written.bytes().for_each(|at| change(at, &mut bytes[at]));
        Some(left)
    };
    match fate {
        SectorFate::Survives => new,
        SectorFate::Lost => old,
        SectorFate::Torn => {
            // Either end of the sector may be the new one.
            let (split, head) = (stream.index(SECTOR_BYTES), stream.below(2) == 0);
            let new = new.unwrap_or_else(zeros);
            edit(&mut |at, byte| {
                if (at < split) == head {
                    *byte = new[at];
                }
            })
        }
        SectorFate::Garbage => {
            // Zeros and repeated bytes, too: a check may take these for valid more easily than random ones.
            let noise = [0, u64::from(u8::MAX), 0x0101_0101_0101_0101, stream.number()][stream.index(4)];
            edit(&mut |at, byte| *byte = noise.wrapping_mul(at as u64 | 1).to_le_bytes()[at % 8])
        }
    }
}
