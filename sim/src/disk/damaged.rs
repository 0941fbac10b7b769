//! A journal with one damaged part, which its store does not detect.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use eventful::journal::frame::{self, FrameHash, Header};
use eventful::journal::{Intercept, Intercepted, Journal, JournalStore, OpenError, Owner, ReadError, Sequence};

/// The damaged part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// One bit of the newest snapshot's first part.
    Snapshot {
        /// The number of the bit, modulo the number of bits.
        bit: usize,
    },
    /// Two parts of the newest snapshot are exchanged, each of them whole.
    Exchanged,
    /// The last part of the newest snapshot is missing.
    Vanished,
    /// One bit of the last frame.
    Frame {
        /// The number of the bit, as for a snapshot.
        bit: usize,
    },
    /// The last frame is whole, but follows another frame than the one before it.
    Stranger,
    /// The last frame is whole, but ends with a fact of a kind that only a newer program knows.
    Newer,
}

/// A store with a damaged part. The journal that it opens accepts appends all the same.
#[derive(Debug)]
pub struct DamagedStore {
    store: Intercepted<Damaged>,
    has_struck: Arc<AtomicBool>,
}

impl DamagedStore {
    /// Wraps a store with this damage.
    pub fn new(store: impl JournalStore, damage: Damage) -> Self {
        let has_struck = Arc::default();
        let by = Damaged { damage, has_struck: Arc::clone(&has_struck) };
        Self { store: Intercepted::new(Box::new(store), by), has_struck }
    }

    /// Returns whether the damaged part was read.
    pub fn has_struck(&self) -> bool {
        self.has_struck.load(Ordering::Relaxed)
    }
}

impl JournalStore for DamagedStore {
    fn open(&mut self, owner: &Owner) -> Result<Box<dyn Journal>, OpenError> {
        self.store.open(owner)
    }

    fn blocks(&self) -> bool {
        self.store.blocks()
    }
}

#[derive(Debug, Clone)]
struct Damaged {
    damage: Damage,
    has_struck: Arc<AtomicBool>,
}

/// The bytes with the format's number, which is checked first: damage there is reported as the format of a newer
/// program.
const FORMAT_BYTES: usize = 8;

fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let behind = bytes.len().saturating_sub(FORMAT_BYTES).max(1);
    if let Some(byte) = bytes.get_mut(FORMAT_BYTES + bit / 8 % behind) {
        *byte ^= 1 << (bit % 8);
    }
    bytes
}

/// Returns the frame with the same body as a part of another history.
fn estranged(bytes: &[u8]) -> Vec<u8> {
    let mut other = Vec::new();
    if let Ok(read) = frame::decode(bytes) {
        let header = Header { previous: FrameHash::of(bytes), ..read.header };
        // It has the length of the frame that was read, so it always fits.
        let _ = frame::encode(&header, read.body, &mut other);
    }
    other
}

/// Returns the frame with one more fact, of an unknown kind.
fn newer(bytes: &[u8]) -> Vec<u8> {
    const UNKNOWN_FACT: [u8; 2] = [0, 99];
    let mut other = Vec::new();
    if let Ok(read) = frame::decode(bytes) {
        // It is only a little longer than the frame that was read, so it always fits.
        let _ = frame::encode(&read.header, &[read.body, &UNKNOWN_FACT].concat(), &mut other);
    }
    other
}

impl Intercept for Damaged {
    fn read(
        &mut self,
        journal: &mut dyn Journal,
        from: Sequence,
        limit_bytes: usize,
        visit: &mut dyn FnMut(Sequence, &[u8]),
    ) -> Result<Sequence, ReadError> {
        let last = journal.extent().end.previous();
        journal.read(from, limit_bytes, &mut |sequence, frame| {
            let damaged = match self.damage {
                Damage::Frame { bit } if sequence == last => flipped(frame, bit),
                Damage::Stranger if sequence == last => estranged(frame),
                Damage::Newer if sequence == last => newer(frame),
                Damage::Frame { .. }
                | Damage::Stranger
                | Damage::Newer
                | Damage::Snapshot { .. }
                | Damage::Exchanged
                | Damage::Vanished => return visit(sequence, frame),
            };
            self.has_struck.store(true, Ordering::Relaxed);
            visit(sequence, &damaged);
        })
    }

    fn snapshot(&mut self, journal: &mut dyn Journal, at: Sequence, part: u32) -> Result<Option<Vec<u8>>, ReadError> {
        let is_newest = journal.snapshots()?.last() == Some(&at);
        let bytes = journal.snapshot(at, part)?;
        let damaged = match self.damage {
            Damage::Snapshot { bit } if part == 0 => bytes.as_deref().map(|bytes| flipped(bytes, bit)),
            // The second and the third part, if there are so many.
            Damage::Exchanged if matches!(part, 1 | 2) => match journal.snapshot(at, 3 - part)? {
                Some(other) if bytes.is_some() => Some(other),
                _ => return Ok(bytes),
            },
            Damage::Vanished if bytes.is_some() && journal.snapshot(at, part + 1)?.is_none() => None,
            Damage::Snapshot { .. }
            | Damage::Exchanged
            | Damage::Vanished
            | Damage::Frame { .. }
            | Damage::Stranger
            | Damage::Newer => return Ok(bytes),
        };
        if !is_newest {
            return Ok(bytes);
        }
        self.has_struck.store(true, Ordering::Relaxed);
        Ok(damaged)
    }
}
