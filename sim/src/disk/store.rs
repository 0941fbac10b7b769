//! The product's journal on a simulated disk, with facts about it for the oracles.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use eventful::journal::{
    DiskStore, Intercept, Intercepted, Journal, JournalStore, OpenError, Owner, ReadError, Sequence, WriteError,
};

use super::shared_disk::SharedDisk;
use super::volume::DriveVolume;
use crate::seeded_rng::Stream;

/// The bytes of frames after which a read ends, however many are requested: so few that some frames take several
/// reads.
const PAGE_BYTES: usize = 600;

/// The sizes of the first segment of an opening, and of the largest one: so small that a few groups fill them.
const SEGMENT_BYTES: (u64, u64) = (1 << 10, 4 << 10);

/// A store on a simulated disk. Clones are the same one; each opening fences the owner before.
#[derive(Debug, Clone)]
pub struct DriveStore {
    drive: SharedDisk,
    segment_bytes: (u64, u64),
    notes: JournalNotes,
}

/// Notes about a journal, taken from its calls. Clones are the same ones.
#[derive(Debug, Clone)]
struct JournalNotes {
    /// The number of openings of the journal, and the number of this one.
    openings: Arc<AtomicU64>,
    opening: u64,
    /// The first frame that was not trimmed, and the size of the largest snapshot part.
    first: Arc<AtomicU64>,
    largest_part: Arc<AtomicUsize>,
    /// The bytes of all frames that were appended before each one.
    sizes: Arc<Mutex<BTreeMap<Sequence, u64>>>,
}

impl DriveStore {
    /// Creates a store with this disk to itself.
    pub fn new(drive: SharedDisk) -> Self {
        let first = Arc::new(AtomicU64::new(Sequence::FIRST.number()));
        let (openings, largest_part, sizes) = Default::default();
        let notes = JournalNotes { openings, opening: 0, first, largest_part, sizes };
        Self { drive, segment_bytes: SEGMENT_BYTES, notes }
    }

    /// Sets the sizes of segments: see [`DiskStore::segment_bytes`].
    #[must_use]
    pub const fn segment_bytes(mut self, first: u64, most: u64) -> Self {
        self.segment_bytes = (first, most);
        self
    }

    /// Returns the first frame that was not trimmed, as the last owner knew it.
    pub fn first(&self) -> Sequence {
        Sequence::new(self.notes.first.load(Ordering::Relaxed))
    }

    /// Returns the size of the largest snapshot part, in bytes.
    pub fn largest_part(&self) -> usize {
        self.notes.largest_part.load(Ordering::Relaxed)
    }

    /// Returns the bytes of the frames from this one on.
    pub fn bytes_from(&self, from: Sequence) -> u64 {
        let sizes = self.notes.sizes();
        let all = sizes.last_key_value().map_or(0, |(_, before)| *before);
        all - sizes.get(&from).copied().unwrap_or_default().min(all)
    }

    /// Returns the finished snapshots on the disk, the newest last.
    pub fn snapshots(&self) -> Vec<Sequence> {
        let disk = self.drive.disk();
        let numbers = disk.names_now().filter_map(|name| name.strip_prefix("snapshot-")?.parse().ok());
        numbers.map(Sequence::new).filter(|at| *at >= self.first()).collect()
    }

    /// Flips a bit of this snapshot, if any of it is synced. Returns whether there was one.
    pub fn rot_snapshot(&self, at: Sequence, stream: &mut Stream) -> bool {
        self.drive.disk().rot_file(&format!("snapshot-{:020}", at.number()), stream)
    }

    /// Returns the disk.
    pub const fn drive(&self) -> &SharedDisk {
        &self.drive
    }

    fn store(&self) -> DiskStore {
        let (drive, (first, most)) = (self.drive.clone(), self.segment_bytes);
        DiskStore::on("the drive", move || Ok(DriveVolume::new(&drive))).segment_bytes(first, most)
    }
}

impl JournalStore for DriveStore {
    fn open(&mut self, owner: &Owner) -> Result<Box<dyn Journal>, OpenError> {
        self.notes.opening = self.notes.openings.fetch_add(1, Ordering::Relaxed) + 1;
        Intercepted::new(Box::new(self.store()), self.notes.clone()).open(owner)
    }

    /// Returns false: a simulated disk blocks no thread.
    fn blocks(&self) -> bool {
        false
    }
}

impl JournalNotes {
    fn note_size(&self, frame: Sequence, bytes: usize) {
        let mut sizes = self.sizes();
        let before = sizes.get(&frame).copied().unwrap_or_default();
        sizes.insert(frame.next(), before + bytes as u64);
    }

    fn sizes(&self) -> MutexGuard<'_, BTreeMap<Sequence, u64>> {
        self.sizes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses an owner that was fenced.
    fn own(&self) -> Result<(), WriteError> {
        if self.openings.load(Ordering::Relaxed) == self.opening { Ok(()) } else { Err(WriteError::Fenced) }
    }
}

impl Intercept for JournalNotes {
    fn open(&mut self, store: &mut dyn JournalStore, owner: &Owner) -> Result<Box<dyn Journal>, OpenError> {
        let journal = store.open(owner)?;
        let extent = journal.extent();
        self.first.store(extent.first.number(), Ordering::Relaxed);
        self.sizes().split_off(&extent.end.next());
        Ok(journal)
    }

    fn append(&mut self, journal: &mut dyn Journal, expected: Sequence, frame: &[u8]) -> Result<(), WriteError> {
        self.own()?;
        let appended = journal.append(expected, frame);
        // A failed append may be written all the same, unless it was refused.
        if matches!(appended, Ok(()) | Err(WriteError::Unknown { .. })) {
            self.note_size(expected, frame.len());
        }
        appended
    }

    fn read(
        &mut self,
        journal: &mut dyn Journal,
        from: Sequence,
        limit_bytes: usize,
        visit: &mut dyn FnMut(Sequence, &[u8]),
    ) -> Result<Sequence, ReadError> {
        journal.read(from, limit_bytes.min(PAGE_BYTES), visit)
    }

    fn put_snapshot(
        &mut self,
        journal: &mut dyn Journal,
        at: Sequence,
        part: u32,
        bytes: &[u8],
        last: bool,
    ) -> Result<(), WriteError> {
        self.own()?;
        self.largest_part.fetch_max(bytes.len(), Ordering::Relaxed);
        journal.put_snapshot(at, part, bytes, last)
    }

    fn trim(&mut self, journal: &mut dyn Journal, below: Sequence) -> Result<(), WriteError> {
        self.own()?;
        let trimmed = journal.trim(below);
        self.first.store(journal.extent().first.number(), Ordering::Relaxed);
        trimmed
    }

    fn seal(&mut self, journal: &mut dyn Journal) -> Result<(), WriteError> {
        self.own()?;
        journal.seal()
    }
}
