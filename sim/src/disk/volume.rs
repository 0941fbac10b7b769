//! The simulated disk as a [`Volume`] of the product.

use std::io;

use eventful::journal::{Claim, OpenMode, Owner, Unclaimed, Volume, VolumeFile};

use super::medium::{DiskError, DiskLife};
use super::shared_disk::{DriveFile, SharedDisk};

/// A disk in one life of the process. Every call runs inline, and handles of an earlier life are invalid.
#[derive(Debug)]
pub struct DriveVolume {
    drive: SharedDisk,
    life: DiskLife,
}

impl DriveVolume {
    /// Creates a volume in the current life of the process.
    pub fn new(drive: &SharedDisk) -> Self {
        Self { life: drive.disk().life(), drive: drive.clone() }
    }
}

impl Volume for DriveVolume {
    /// Always grants the claim: the store fences the owner before.
    fn claim(&self, _: &Owner) -> Result<Claim, Unclaimed> {
        Ok(Box::new(()))
    }

    fn names(&self) -> io::Result<Vec<String>> {
        self.drive.disk().names(self.life).map_err(said)
    }

    fn open(&self, name: &str, access: OpenMode) -> io::Result<Box<dyn VolumeFile>> {
        let file = match access {
            OpenMode::Create => DriveFile::open(&self.drive, self.life, name).map_err(said)?,
            OpenMode::Read | OpenMode::Write => DriveFile::find(&self.drive, self.life, name).map_err(said)?,
        };
        if access == OpenMode::Create {
            file.set_len(0).map_err(said)?;
        }
        Ok(Box::new(file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.drive.disk().rename(self.life, from, to).map_err(said)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.drive.disk().remove(self.life, name).map_err(said)
    }

    fn sync_names(&self) -> io::Result<()> {
        self.drive.disk().sync_names(self.life).map_err(said)
    }

    fn free_bytes(&self) -> io::Result<u64> {
        Ok(self.drive.disk().room())
    }
}

impl VolumeFile for DriveFile {
    fn len(&self) -> io::Result<u64> {
        Self::len(self).map_err(said)
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.read(offset, out).map_err(said)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.write(offset, bytes).map_err(said)
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        Self::allocate(self, bytes).map_err(said)
    }

    fn cut(&self, bytes: u64) -> io::Result<()> {
        match Self::len(self).map_err(said)? > bytes {
            true => self.set_len(bytes).map_err(said),
            false => Ok(()),
        }
    }

    fn sync(&self) -> io::Result<()> {
        Self::sync(self).map_err(said)
    }

    fn evict(&self) -> io::Result<()> {
        Self::evict(self);
        Ok(())
    }
}

/// Returns the error of an operating system for this one.
fn said(error: DiskError) -> io::Error {
    let kind = match error {
        DiskError::NoSpace => io::ErrorKind::StorageFull,
        DiskError::Missing => io::ErrorKind::NotFound,
        DiskError::Io | DiskError::Dead => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}
