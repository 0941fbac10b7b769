//! A journal in memory that notes what is asked of it, and finds damage itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use eventful::journal::{
    Corrupt, Extent, Journal, JournalStore, MemoryStore, OpenError, Owner, ReadError, Room, Sequence, WriteError,
};

/// A store of journals that are watched. Clones are the same one.
#[derive(Debug, Clone)]
pub(crate) struct Watched {
    store: MemoryStore,
    notes: Arc<Mutex<Notes>>,
}

/// What was asked, and what is damaged.
#[derive(Debug, Default)]
pub(crate) struct Notes {
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

impl Watched {
    pub(crate) fn new(store: MemoryStore) -> Self {
        Self { store, notes: Arc::default() }
    }

    pub(crate) fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another store with what this one holds now, and with the same damage.
    pub(crate) fn copy(&self) -> Self {
        let notes = self.notes();
        let notes = Notes { rotten: notes.rotten.clone(), rotten_frames: notes.rotten_frames, ..Notes::default() };
        Self { store: self.store.copy(), notes: Arc::new(Mutex::new(notes)) }
    }

    /// Parts that were put, and parts that were read.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let notes = self.notes();
        (notes.parts.len(), notes.parts_read)
    }

    /// What it holds now, besides.
    pub(crate) fn look(&self) -> (Extent, Vec<Sequence>) {
        let mut journal = self.store.copy().open(&Owner::new("a look")).expect("memory");
        (journal.extent(), journal.snapshots().expect("memory"))
    }
}

impl JournalStore for Watched {
    fn open(&mut self, owner: &Owner) -> Result<Box<dyn Journal>, OpenError> {
        Ok(Box::new(WatchedJournal { journal: self.store.open(owner)?, watched: self.clone() }))
    }
}

#[derive(Debug)]
struct WatchedJournal {
    journal: Box<dyn Journal>,
    watched: Watched,
}

impl Journal for WatchedJournal {
    fn extent(&self) -> Extent {
        self.journal.extent()
    }

    fn room(&self) -> Room {
        self.journal.room()
    }

    fn append(&mut self, expected: Sequence, frame: &[u8]) -> Result<(), WriteError> {
        self.journal.append(expected, frame)
    }

    fn read(
        &mut self,
        from: Sequence,
        limit_bytes: usize,
        visit: &mut dyn FnMut(Sequence, &[u8]),
    ) -> Result<Sequence, ReadError> {
        if self.watched.notes().rotten_frames.is_some_and(|rotten| from >= rotten) {
            return Err(Corrupt::new(format_args!("frame {from}"), "the store says so").into());
        }
        let mut bytes = 0;
        let read = self.journal.read(from, limit_bytes, &mut |sequence, frame| {
            bytes += frame.len();
            visit(sequence, frame);
        });
        self.watched.notes().reads.push(bytes);
        read
    }

    fn put_snapshot(&mut self, at: Sequence, part: u32, bytes: &[u8], last: bool) -> Result<(), WriteError> {
        let mut notes = self.watched.notes();
        notes.parts.push(bytes.len());
        if part == 0 {
            notes.rotten.remove(&at);
        }
        if last && let Some(from) = notes.next_rots.take() {
            notes.rotten.insert(at, from);
        }
        drop(notes);
        self.journal.put_snapshot(at, part, bytes, last)
    }

    fn drop_unfinished(&mut self) {
        self.journal.drop_unfinished();
    }

    fn snapshots(&mut self) -> Result<Vec<Sequence>, ReadError> {
        self.journal.snapshots()
    }

    fn snapshot(&mut self, at: Sequence, part: u32) -> Result<Option<Vec<u8>>, ReadError> {
        let mut notes = self.watched.notes();
        notes.parts_read += 1;
        if notes.rotten.get(&at).is_some_and(|from| part >= *from) {
            return Err(Corrupt::new(format_args!("snapshot {at}, part {part}"), "the store says so").into());
        }
        drop(notes);
        self.journal.snapshot(at, part)
    }

    fn trim(&mut self, below: Sequence) -> Result<(), WriteError> {
        self.journal.trim(below)
    }

    fn seal(&mut self) -> Result<(), WriteError> {
        self.journal.seal()
    }
}
