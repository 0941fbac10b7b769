//! A journal that keeps a copy of each frame.

use std::sync::{Arc, Mutex};

use eventful::journal::{Extent, Journal, JournalStore, OpenError, Owner, ReadError, Room, Sequence, WriteError};

/// The frames that were appended, in their order.
pub(crate) type Frames = Arc<Mutex<Vec<Vec<u8>>>>;

/// A store, and the copies.
#[derive(Debug)]
pub(crate) struct Recorded {
    store: Box<dyn JournalStore>,
    frames: Frames,
}

#[derive(Debug)]
struct RecordedJournal {
    journal: Box<dyn Journal>,
    frames: Frames,
}

impl Recorded {
    pub(crate) fn new(store: impl JournalStore, frames: Frames) -> Self {
        Self { store: Box::new(store), frames }
    }
}

impl JournalStore for Recorded {
    fn open(&mut self, owner: &Owner) -> Result<Box<dyn Journal>, OpenError> {
        let journal = self.store.open(owner)?;
        Ok(Box::new(RecordedJournal { journal, frames: Arc::clone(&self.frames) }))
    }
}

impl Journal for RecordedJournal {
    fn extent(&self) -> Extent {
        self.journal.extent()
    }

    fn room(&self) -> Room {
        self.journal.room()
    }

    fn append(&mut self, expected: Sequence, frame: &[u8]) -> Result<(), WriteError> {
        self.frames.lock().expect("no panic").push(frame.to_vec());
        self.journal.append(expected, frame)
    }

    fn read(
        &mut self,
        from: Sequence,
        limit_bytes: usize,
        visit: &mut dyn FnMut(Sequence, &[u8]),
    ) -> Result<Sequence, ReadError> {
        self.journal.read(from, limit_bytes, visit)
    }

    fn put_snapshot(&mut self, at: Sequence, part: u32, bytes: &[u8], last: bool) -> Result<(), WriteError> {
        self.journal.put_snapshot(at, part, bytes, last)
    }

    fn snapshots(&mut self) -> Result<Vec<Sequence>, ReadError> {
        self.journal.snapshots()
    }

    fn snapshot(&mut self, at: Sequence, part: u32) -> Result<Option<Vec<u8>>, ReadError> {
        self.journal.snapshot(at, part)
    }

    fn trim(&mut self, below: Sequence) -> Result<(), WriteError> {
        self.journal.trim(below)
    }

    fn seal(&mut self) -> Result<(), WriteError> {
        self.journal.seal()
    }
}
