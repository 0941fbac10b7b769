//! A file of a drive as [`redb`] sees it.

use std::io;

use redb::StorageBackend;

use super::drive::{Drive, DriveFile};
use super::medium::{DiskError, Life};

/// A file of a drive, for the real database. Everything happens inline.
#[derive(Debug, Clone)]
pub struct DriveBackend {
    drive: Drive,
    file: DriveFile,
}

impl DriveBackend {
    /// Opens a file in this life of the process, and creates it when there is none.
    ///
    /// # Errors
    ///
    /// [`DiskError`]
    pub fn open(drive: &Drive, life: Life, name: &str) -> Result<Self, DiskError> {
        Ok(Self { drive: drive.clone(), file: DriveFile::open(drive, life, name)? })
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
