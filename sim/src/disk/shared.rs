//! An open journal that an audit reads while its engine uses it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use eventful::journal::{
    Extent, FreeSpace, Intercept, Intercepted, Journal, JournalStore, OpenError, Owner, ReadError, Sequence, WriteError,
};

/// An open journal, and a store that opens it. Clones are the same one.
#[derive(Debug, Clone)]
pub(super) struct SharedJournal(Arc<Mutex<Box<dyn Journal>>>);

impl SharedJournal {
    pub(super) fn new(journal: Box<dyn Journal>) -> Self {
        Self(Arc::new(Mutex::new(journal)))
    }

    fn lock(&self) -> MutexGuard<'_, Box<dyn Journal>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a store that opens the journal as it was before this frame, to be read.
    pub(super) fn until(&self, end: Sequence) -> Intercepted<Until> {
        Intercepted::new(Box::new(self.clone()), Until(end))
    }
}

impl JournalStore for SharedJournal {
    fn open(&mut self, _: &Owner) -> Result<Box<dyn Journal>, OpenError> {
        Ok(Box::new(self.clone()))
    }
}

impl Journal for SharedJournal {
    fn extent(&self) -> Extent {
        self.lock().extent()
    }

    fn room(&self) -> FreeSpace {
        self.lock().room()
    }

    fn append(&mut self, expected: Sequence, frame: &[u8]) -> Result<(), WriteError> {
        self.lock().append(expected, frame)
    }

    fn read(
        &mut self,
        from: Sequence,
        limit_bytes: usize,
        visit: &mut dyn FnMut(Sequence, &[u8]),
    ) -> Result<Sequence, ReadError> {
        self.lock().read(from, limit_bytes, visit)
    }

    fn put_snapshot(&mut self, at: Sequence, part: u32, bytes: &[u8], last: bool) -> Result<(), WriteError> {
        self.lock().put_snapshot(at, part, bytes, last)
    }

    fn drop_unfinished(&mut self) {
        self.lock().drop_unfinished();
    }

    fn snapshots(&mut self) -> Result<Vec<Sequence>, ReadError> {
        self.lock().snapshots()
    }

    fn snapshot(&mut self, at: Sequence, part: u32) -> Result<Option<Vec<u8>>, ReadError> {
        self.lock().snapshot(at, part)
    }

    fn trim(&mut self, below: Sequence) -> Result<(), WriteError> {
        self.lock().trim(below)
    }

    fn seal(&mut self) -> Result<(), WriteError> {
        self.lock().seal()
    }
}

/// Hides the frames of a journal from this one on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Until(Sequence);

impl Intercept for Until {
    fn extent(&self, journal: &dyn Journal) -> Extent {
        Extent { end: self.0, ..journal.extent() }
    }

    /// Reads one frame at a time, so that it never reads too far.
    fn read(
        &mut self,
        journal: &mut dyn Journal,
        from: Sequence,
        _: usize,
        visit: &mut dyn FnMut(Sequence, &[u8]),
    ) -> Result<Sequence, ReadError> {
        if from >= self.0 { Ok(from) } else { journal.read(from, 1, visit) }
    }

    fn snapshots(&mut self, journal: &mut dyn Journal) -> Result<Vec<Sequence>, ReadError> {
        let all = journal.snapshots()?;
        Ok(all.into_iter().filter(|at| *at <= self.0).collect())
    }
}
