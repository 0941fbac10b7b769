//! A disk that several owners share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::medium::{DiskError, DiskHandle, DiskLife, SimulatedDisk, UnsyncedLoss};
use crate::seeded_rng::Stream;
use crate::tier::Probes;

/// A disk that a store, its journals and the simulation share. Clones are the same disk.
#[derive(Debug, Clone)]
pub struct SharedDisk(Arc<Mutex<SimulatedDisk>>);

impl SharedDisk {
    /// Shares a disk.
    pub fn new(disk: SimulatedDisk) -> Self {
        Self(Arc::new(Mutex::new(disk)))
    }

    /// Locks the disk for one call or more.
    pub fn disk(&self) -> MutexGuard<'_, SimulatedDisk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Kills the process. Its writes stay in the cache.
    pub fn kill(&self) {
        self.disk().kill();
    }

    /// Cuts the power, with a random choice of what survives.
    pub fn power_cut(&self, stream: &mut Stream) {
        self.disk().power_cut(UnsyncedLoss::Drawn(stream));
    }

    /// Returns the faults that have struck.
    pub fn probes(&self) -> Probes {
        self.disk().probes().clone()
    }
}

/// A file of a disk, in one life of the process.
#[derive(Debug, Clone)]
pub(super) struct DriveFile {
    drive: SharedDisk,
    handle: DiskHandle,
}

impl DriveFile {
    /// Opens a file, and creates it if there is none.
    pub(super) fn open(drive: &SharedDisk, life: DiskLife, name: &str) -> Result<Self, DiskError> {
        let handle = drive.disk().open(life, name)?;
        Ok(Self { drive: drive.clone(), handle })
    }

    /// Opens an existing file.
    pub(super) fn find(drive: &SharedDisk, life: DiskLife, name: &str) -> Result<Self, DiskError> {
        let handle = drive.disk().find(life, name)?;
        Ok(Self { drive: drive.clone(), handle })
    }

    pub(super) fn len(&self) -> Result<u64, DiskError> {
        self.drive.disk().len(self.handle)
    }

    pub(super) fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), DiskError> {
        self.drive.disk().read(self.handle, offset, out)
    }

    /// Writes all bytes, in as many writes as that takes.
    pub(super) fn write(&self, mut offset: u64, mut bytes: &[u8]) -> Result<(), DiskError> {
        while !bytes.is_empty() {
            let taken = self.drive.disk().write(self.handle, offset, bytes)?;
            bytes = &bytes[taken..];
            offset += taken as u64;
        }
        Ok(())
    }

    pub(super) fn set_len(&self, len: u64) -> Result<(), DiskError> {
        self.drive.disk().set_len(self.handle, len)
    }

    /// Fills an empty file with this many zeros.
    pub(super) fn allocate(&self, len: u64) -> Result<(), DiskError> {
        self.drive.disk().allocate(self.handle, len)
    }

    /// Reads again from the medium what the cache shows differently since a sync failed.
    pub(super) fn evict(&self) {
        self.drive.disk().evict();
    }

    pub(super) fn sync(&self) -> Result<(), DiskError> {
        self.drive.disk().sync(self.handle)
    }
}
