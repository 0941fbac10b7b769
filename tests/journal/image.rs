//! A disk in memory, whose bytes can be kept, damaged and put back.

use std::io;
use std::ops::Bound;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use eventful::journal::{DiskStore, Extent, Journal, JournalStore as _, OpenError, Owner, ReadError, Sequence};
use redb::{BackendError, Database, StorageBackend, TableDefinition};

/// A disk. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Image(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    refuses: Option<io::ErrorKind>,
    /// Changes after which it refuses all others.
    left: Option<u64>,
    locked: bool,
}

/// A disk, opened. One at a time has its lock.
#[derive(Debug)]
struct Opened {
    image: Image,
    locks: AtomicBool,
}

impl Image {
    pub(crate) fn of(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(State { bytes, ..State::default() })))
    }

    pub(crate) fn store(&self) -> DiskStore {
        let image = self.clone();
        DiskStore::on("the image", move || Ok(Opened { image: image.clone(), locks: AtomicBool::new(false) }))
    }

    pub(crate) fn open(&self) -> Result<Box<dyn Journal>, OpenError> {
        self.store().open(&Owner::new("a test"))
    }

    /// What it holds now, as after a kill.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.lock().bytes.clone()
    }

    /// Refuses every write from now on, or takes them again.
    pub(crate) fn refuse(&self, refuses: Option<io::ErrorKind>) {
        self.lock().refuses = refuses;
    }

    /// Refuses every change after so many more.
    pub(crate) fn refuse_after(&self, changes: u64) {
        self.lock().left = Some(changes);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.lock();
        if state.left == Some(0) {
            state.refuses = Some(io::ErrorKind::Other);
        }
        state.left = state.left.map(|left| left.saturating_sub(1));
        state.refuses.map_or(Ok(()), |kind| Err(kind.into())).map(|()| state)
    }
}

impl StorageBackend for Opened {
    fn len(&self) -> io::Result<u64> {
        Ok(self.image.lock().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.image.lock();
        let there = usize::try_from(offset).ok().and_then(|from| state.bytes.get(from..)?.get(..out.len()));
        out.copy_from_slice(there.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.image.change()?.bytes.resize(usize::try_from(len).map_err(io::Error::other)?, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.image.change().map(drop)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.image.change()?;
        let place = usize::try_from(offset).ok().and_then(|from| state.bytes.get_mut(from..)?.get_mut(..data.len()));
        place.ok_or(io::ErrorKind::UnexpectedEof)?.copy_from_slice(data);
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        if self.locks.swap(false, Ordering::Relaxed) {
            self.image.lock().locked = false;
        }
        Ok(())
    }

    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        let mut state = self.image.lock();
        if state.locked && !self.locks.load(Ordering::Relaxed) {
            return Ok(false);
        }
        state.locked = true;
        self.locks.store(true, Ordering::Relaxed);
        Ok(true)
    }

    fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }
}

/// Everything that a journal holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holdings {
    pub(crate) extent: Extent,
    pub(crate) frames: Vec<Vec<u8>>,
    pub(crate) snapshots: Vec<(Sequence, Vec<Vec<u8>>)>,
}

impl Holdings {
    pub(crate) fn of(journal: &mut dyn Journal) -> Result<Self, ReadError> {
        let extent = journal.extent();
        let (mut frames, mut next) = (Vec::new(), extent.first);
        while next < extent.end {
            next = journal.read(next, 10_000, &mut |_, frame| frames.push(frame.to_vec()))?;
        }
        let mut snapshots = Vec::new();
        for at in journal.snapshots()? {
            let mut parts = Vec::new();
            while let Some(part) = journal.snapshot(at, parts.len() as u32)? {
                parts.push(part);
            }
            snapshots.push((at, parts));
        }
        Ok(Self { extent, frames, snapshots })
    }
}

/// Writes another format into the database in this file.
pub(crate) fn write_format(file: &Path, format: u64) {
    let database = Database::open(file).expect("a database");
    let transaction = database.begin_write().expect("a database");
    let meta = TableDefinition::<&str, u64>::new("meta");
    transaction.open_table(meta).expect("a table").insert("format", format).expect("a table");
    transaction.commit().expect("a disk");
}
