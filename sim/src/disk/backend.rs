//! A file of a drive as [`redb`] sees it.

use core::ops::Bound;
use std::io;

use eventful::journal::{DiskStore, Intercept, Intercepted, JournalStore};
use redb::{BackendError, StorageBackend};

use super::drive::{Drive, DriveFile};
use super::medium::{DiskError, Life};

/// The name of the database's file.
const FILE: &str = "journal.redb";

/// Memory for pages: a simulated journal is small.
const CACHE_BYTES: usize = 1 << 20;

/// The real journal on a drive that it has to itself. Each opening reads what is on the medium, not
/// what the cache shows.
pub fn disk_store(drive: &Drive) -> Intercepted<Inline> {
    let drive = drive.clone();
    let open = move || {
        let life = drive.disk().life();
        let backend = DriveBackend::open(&drive, life, FILE).map_err(told)?;
        drive.disk().sync_names(life).map_err(told)?;
        drive.disk().evict();
        Ok(backend)
    };
    Intercepted::new(Box::new(DiskStore::on(FILE, open).cache_bytes(CACHE_BYTES)), Inline)
}

/// Everything happens inline: a simulated drive blocks no thread.
#[derive(Debug, Clone, Copy)]
pub struct Inline;

impl Intercept for Inline {
    fn blocks(&self, _: &dyn JournalStore) -> bool {
        false
    }
}

/// A file of a drive, for the real database. Everything happens inline. It locks the whole disk, until
/// it is closed or the process dies.
#[derive(Debug)]
pub struct DriveBackend {
    drive: Drive,
    life: Life,
    file: DriveFile,
    locker: u64,
}

impl DriveBackend {
    /// Opens a file in this life of the process, and creates it when there is none.
    ///
    /// # Errors
    ///
    /// [`DiskError`]
    pub fn open(drive: &Drive, life: Life, name: &str) -> Result<Self, DiskError> {
        let file = DriveFile::open(drive, life, name)?;
        Ok(Self { drive: drive.clone(), life, file, locker: drive.disk().locker() })
    }

    /// The drive.
    pub const fn drive(&self) -> &Drive {
        &self.drive
    }
}

impl StorageBackend for DriveBackend {
    fn len(&self) -> io::Result<u64> {
        self.file.len().map_err(told)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out).map_err(told)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len).map_err(told)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync().map_err(told)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write(offset, data).map_err(told)
    }

    fn close(&self) -> io::Result<()> {
        self.drive.disk().unlock(self.locker);
        Ok(())
    }

    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(self.drive.disk().lock(self.life, self.locker))
    }

    fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        self.drive.disk().unlock(self.locker);
        Ok(())
    }
}

/// What the operating system would say.
fn told(error: DiskError) -> io::Error {
    let kind = match error {
        DiskError::NoSpace => io::ErrorKind::StorageFull,
        DiskError::Missing => io::ErrorKind::UnexpectedEof,
        DiskError::Io | DiskError::Dead => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}
