//! The calls of a process on a disk, and the faults that strike them.

use super::fault::DiskFault;
use super::medium::{DiskError, DiskHandle, DiskLife, SimulatedDisk};

/// The longest stall of a sync, in microseconds: 30 s, the time after which Linux gives up a command to a disk.
const LONGEST_STALL_MICROS: u64 = 30_000_000;

/// The distance, or a part of it, by which misdirected reads and writes miss: a sector, as real disks address these.
const ASTRAY_BYTES: u64 = 512;

impl SimulatedDisk {
    /// Opens a file, and creates it if there is none.
    ///
    /// # Errors
    ///
    /// [`DiskError`]
    pub fn open(&mut self, life: DiskLife, name: &str) -> Result<DiskHandle, DiskError> {
        if let Some(handle) = self.name(name) {
            self.begin(life, false)?;
            return Ok(handle);
        }
        self.begin(life, true)?;
        self.change()?;
        Ok(self.create(name))
    }

    /// Opens an existing file.
    ///
    /// # Errors
    ///
    /// [`DiskError`]
    pub fn find(&mut self, life: DiskLife, name: &str) -> Result<DiskHandle, DiskError> {
        self.begin(life, false)?;
        self.name(name).ok_or(DiskError::Missing)
    }

    /// Returns the names of all files, in order.
    ///
    /// # Errors
    ///
    /// [`DiskError`]
    pub fn names(&mut self, life: DiskLife) -> Result<Vec<String>, DiskError> {
        self.begin(life, false)?;
        Ok(self.list())
    }

    /// Renames a file. The name is taken from any other file.
    ///
    /// # Errors
    ///
    /// [`DiskError`]
    pub fn rename(&mut self, life: DiskLife, from: &str, to: &str) -> Result<(), DiskError> {
        self.begin(life, true)?;
        self.change()?;
        let file = self.name(from).ok_or(DiskError::Missing)?;
        self.call(vec![(to.to_owned(), Some(file.file())), (from.to_owned(), None)]);
        Ok(())
    }

    /// Removes a file with its name.
    ///
    /// # Errors
    ///
    /// [`DiskError`]
    pub fn remove(&mut self, life: DiskLife, name: &str) -> Result<(), DiskError> {
        self.begin(life, true)?;
        self.change()?;
        let handle = self.name(name).ok_or(DiskError::Missing)?;
        self.keep_removed(name, handle.file());
        self.call(vec![(name.to_owned(), None)]);
        Ok(())
    }

    /// Makes names persistent.
    ///
    /// # Errors
    ///
    /// [`DiskError`]
    pub fn sync_names(&mut self, life: DiskLife) -> Result<(), DiskError> {
        self.begin(life, true)?;
        match self.strike(&[DiskFault::SyncFails]) {
            Some(_) => Err(DiskError::Io),
            None => {
                self.settle_names();
                Ok(())
            }
        }
    }

    /// Returns the length of a file in bytes.
    ///
    /// # Errors
    ///
    /// [`DiskError`]
    pub fn len(&mut self, handle: DiskHandle) -> Result<u64, DiskError> {
        self.begin(handle.life(), false)?;
        Ok(self.file(handle)?.len())
    }

    /// Fills `out` with the bytes at this offset.
    ///
    /// # Errors
    ///
    /// [`DiskError`]; [`DiskError::Missing`] if the file ends before that.
    pub fn read(&mut self, handle: DiskHandle, offset: u64, out: &mut [u8]) -> Result<(), DiskError> {
        self.begin(handle.life(), false)?;
        let len = self.file(handle)?.len();
        if offset + out.len() as u64 > len {
            return Err(DiskError::Missing);
        }
        match self.strike(&DiskFault::OF_READS) {
            None => self.file(handle)?.read(offset, out),
            Some(DiskFault::StaleRead) => self.file(handle)?.read_stale(offset, out),
            Some(DiskFault::MisdirectedRead) => {
                let astray = self.astray(offset, out.len() as u64, len);
                self.file(handle)?.read(astray, out);
            }
            Some(_) => return Err(DiskError::Io),
        }
        Ok(())
    }

    /// Writes bytes. Returns how many were taken: not always all.
    ///
    /// # Errors
    ///
    /// [`DiskError`]; a part of the bytes may be written.
    pub fn write(&mut self, handle: DiskHandle, offset: u64, bytes: &[u8]) -> Result<usize, DiskError> {
        self.begin(handle.life(), true)?;
        let len = self.file(handle)?.len();
        let grows_by = (offset + bytes.len() as u64).saturating_sub(len);
        if grows_by > self.room() {
            return Err(DiskError::NoSpace);
        }
        match self.strike(&DiskFault::OF_WRITES) {
            None => self.file(handle)?.write(offset, bytes),
            Some(DiskFault::MisdirectedWrite) => {
                let astray = self.astray(offset, bytes.len() as u64, len);
                self.file(handle)?.write(astray, bytes);
            }
            Some(fault) => return self.write_part(handle, offset, bytes, fault),
        }
        Ok(bytes.len())
    }

    /// Carries out a write that is struck: a part of the bytes may be written.
    fn write_part(&mut self, handle: DiskHandle, at: u64, bytes: &[u8], fault: DiskFault) -> Result<usize, DiskError> {
        let part = self.rng().index(bytes.len());
        self.file(handle)?.write(at, &bytes[..part]);
        // A short write takes at least one byte; otherwise it fails.
        if fault == DiskFault::ShortWrite && part > 0 {
            return Ok(part);
        }
        Err(if fault == DiskFault::NoSpace { DiskError::NoSpace } else { DiskError::Io })
    }

    /// Makes a file longer, filled with zeros, or shorter.
    ///
    /// # Errors
    ///
    /// [`DiskError`]
    pub fn set_len(&mut self, handle: DiskHandle, len: u64) -> Result<(), DiskError> {
        self.begin(handle.life(), true)?;
        let grows_by = len.saturating_sub(self.file(handle)?.len());
        if grows_by > self.room() {
            return Err(DiskError::NoSpace);
        }
        self.change()?;
        self.file(handle)?.set_len(len);
        Ok(())
    }

    /// Makes a file longer, filled with zeros. If there is not enough space it grows by a part.
    ///
    /// # Errors
    ///
    /// [`DiskError`]
    pub fn allocate(&mut self, handle: DiskHandle, len: u64) -> Result<(), DiskError> {
        self.begin(handle.life(), true)?;
        let has = self.file(handle)?.len();
        let grows_by = len.saturating_sub(has);
        let is_struck = self.strike(&DiskFault::OF_ALLOCATIONS).is_some();
        // Half of the failures leave the file as it was, half grow it by a part.
        if is_struck && self.rng().below(2) == 0 {
            return Err(DiskError::Io);
        }
        if is_struck || grows_by > self.room() {
            let most = grows_by.min(self.room());
            let part = self.rng().below(most + 1);
            self.file(handle)?.set_len(has + part);
            return Err(DiskError::NoSpace);
        }
        self.file(handle)?.set_len(has + grows_by);
        Ok(())
    }

    /// Makes a file's bytes and length persistent.
    ///
    /// # Errors
    ///
    /// [`DiskError`]; then any of the bytes may be persistent or lost.
    pub fn sync(&mut self, handle: DiskHandle) -> Result<(), DiskError> {
        self.begin(handle.life(), true)?;
        self.file(handle)?;
        match self.strike(&DiskFault::OF_SYNCS) {
            Some(DiskFault::SyncFails) => Err(DiskError::Io),
            Some(DiskFault::SyncDrops) => {
                self.file(handle)?.drop_dirty();
                Err(DiskError::Io)
            }
            // The bytes stay dirty, so that a power cut can take them.
            Some(DiskFault::SyncLies) => Ok(()),
            stalls => {
                if stalls.is_some() {
                    let micros = self.rng().between(1, LONGEST_STALL_MICROS);
                    self.stall(micros);
                }
                self.file(handle)?.sync();
                Ok(())
            }
        }
    }

    /// Draws whether a change of a length or a name fails.
    fn change(&mut self) -> Result<(), DiskError> {
        match self.strike(&DiskFault::OF_CHANGES) {
            Some(DiskFault::NoSpace) => Err(DiskError::NoSpace),
            Some(_) => Err(DiskError::Io),
            None => Ok(()),
        }
    }

    /// Returns a wrong place in a file of `len` bytes for `bytes` that belong to `offset`.
    fn astray(&mut self, offset: u64, bytes: u64, len: u64) -> u64 {
        let places = len.saturating_sub(bytes) / ASTRAY_BYTES;
        let place = self.rng().below(places + 1) * ASTRAY_BYTES;
        if place + bytes <= len { place } else { offset }
    }
}
