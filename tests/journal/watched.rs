//! A journal in memory that notes its calls, and finds damage itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use eventful::journal::{
    Corrupt, Extent, Intercept, Intercepted, Journal, JournalStore as _, MemoryStore, Owner, ReadError, Sequence,
    WriteError,
};

/// A journal in memory that is watched. Clones are the same one.
#[derive(Debug, Clone)]
pub(crate) struct WatchedStore {
    memory: MemoryStore,
    notes: Arc<Mutex<WatchedNotes>>,
}

/// The calls of a journal, and the damage that is set.
#[derive(Debug, Default)]
pub(crate) struct WatchedNotes {
    /// Bytes of each part that was put.
    pub(crate) parts: Vec<usize>,
    /// Bytes of frames, by read.
    pub(crate) reads: Vec<usize>,
    /// Parts that were read.
    pub(crate) parts_read: usize,
    /// Snapshots whose parts from this one on are damaged.
    pub(crate) rotten: BTreeMap<Sequence, u32>,
    /// The next snapshot that is finished rots from this part on.
    pub(crate) next_rots: Option<u32>,
    /// Frames from this one on are damaged.
    pub(crate) rotten_frames: Option<Sequence>,
}

impl WatchedStore {
    pub(crate) fn new(memory: MemoryStore) -> Self {
        Self { memory, notes: Arc::default() }
    }

    /// The store to open.
    pub(crate) fn store(&self) -> Intercepted<Self> {
        Intercepted::new(Box::new(self.memory.clone()), self.clone())
    }

    pub(crate) fn notes(&self) -> MutexGuard<'_, WatchedNotes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another one with what this one holds now, and with the same damage.
    pub(crate) fn copy(&self) -> Self {
        let notes = self.notes();
        let notes = WatchedNotes {
            rotten: notes.rotten.clone(),
            rotten_frames: notes.rotten_frames,
            ..WatchedNotes::default()
        };
        Self { memory: self.memory.copy(), notes: Arc::new(Mutex::new(notes)) }
    }

    /// Parts that were put, and parts that were read.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let notes = self.notes();
        (notes.parts.len(), notes.parts_read)
    }

    /// Returns the extent and the snapshots of the memory now.
    pub(crate) fn look(&self) -> (Extent, Vec<Sequence>) {
        let mut journal = self.memory.copy().open(&Owner::new("a look")).expect("memory");
        (journal.extent(), journal.snapshots().expect("memory"))
    }
}

impl Intercept for WatchedStore {
    fn read(
        &mut self,
        journal: &mut dyn Journal,
        from: Sequence,
        limit_bytes: usize,
        visit: &mut dyn FnMut(Sequence, &[u8]),
    ) -> Result<Sequence, ReadError> {
        if self.notes().rotten_frames.is_some_and(|rotten| from >= rotten) {
            return Err(Corrupt::new(format_args!("frame {from}"), "the store says so").into());
        }
        let mut bytes = 0;
        let read = journal.read(from, limit_bytes, &mut |sequence, frame| {
            bytes += frame.len();
            visit(sequence, frame);
        });
        self.notes().reads.push(bytes);
        read
    }

    fn put_snapshot(
        &mut self,
        journal: &mut dyn Journal,
        at: Sequence,
        part: u32,
        bytes: &[u8],
        last: bool,
    ) -> Result<(), WriteError> {
        let mut notes = self.notes();
        notes.parts.push(bytes.len());
        if part == 0 {
            notes.rotten.remove(&at);
        }
        if last && let Some(from) = notes.next_rots.take() {
            notes.rotten.insert(at, from);
        }
        drop(notes);
        journal.put_snapshot(at, part, bytes, last)
    }

    fn snapshot(&mut self, journal: &mut dyn Journal, at: Sequence, part: u32) -> Result<Option<Vec<u8>>, ReadError> {
        let mut notes = self.notes();
        notes.parts_read += 1;
        if notes.rotten.get(&at).is_some_and(|from| part >= *from) {
            return Err(Corrupt::new(format_args!("snapshot {at}, part {part}"), "the store says so").into());
        }
        drop(notes);
        journal.snapshot(at, part)
    }
}
