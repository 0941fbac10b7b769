//! A file that is read ahead: opening a journal reads all of it, page after page, several times.

use core::ops::Bound;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::vec::Vec;

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

use super::fault::Fault;

/// Bytes that are read at once.
const AHEAD_BYTES: usize = 256 << 10;

/// A read that begins so near behind the one before follows it.
const NEAR_BYTES: u64 = 64 << 10;

#[derive(Debug)]
pub(super) struct ReadAhead {
    backend: FileBackend,
    file: File,
    ahead: Mutex<Ahead>,
}

#[derive(Debug, Default)]
struct Ahead {
    /// Where the last read ended.
    end: u64,
    /// What was read ahead, and from where.
    offset: u64,
    bytes: Vec<u8>,
}

impl Ahead {
    /// What of it these bytes are.
    fn find(&self, offset: u64, length: usize) -> Option<&[u8]> {
        let start = usize::try_from(offset.checked_sub(self.offset)?).ok()?;
        self.bytes.get(start..)?.get(..length)
    }

    fn fill(&mut self, file: &File, offset: u64) -> io::Result<()> {
        self.offset = offset;
        self.bytes.resize(AHEAD_BYTES, 0);
        let read = file.read_at(&mut self.bytes, offset);
        self.bytes.truncate(read.as_ref().map_or(0, |read| *read));
        read.map(drop)
    }
}

impl ReadAhead {
    pub(super) fn new(file: File) -> Result<Self, Fault> {
        let backend = FileBackend::new(file.try_clone()?)?;
        Ok(Self { backend, file, ahead: Mutex::default() })
    }

    fn ahead(&self) -> MutexGuard<'_, Ahead> {
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StorageBackend for ReadAhead {
    fn len(&self) -> io::Result<u64> {
        self.backend.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut ahead = self.ahead();
        let follows = offset.checked_sub(ahead.end).is_some_and(|gap| gap <= NEAR_BYTES);
        ahead.end = offset.saturating_add(out.len() as u64);
        if follows && ahead.find(offset, out.len()).is_none() {
            ahead.fill(&self.file, offset)?;
        }
        if let Some(found) = ahead.find(offset, out.len()) {
            out.copy_from_slice(found);
            return Ok(());
        }
        drop(ahead);
        self.backend.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.ahead().bytes.clear();
        self.backend.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.backend.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.ahead().bytes.clear();
        self.backend.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.backend.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.backend.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.backend.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.backend.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.backend.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.backend.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.backend.query_lock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a byte somewhere, then one that begins so many bytes behind it. Returns whether the byte at this
    /// distance from the second one was read with it.
    fn is_read_ahead(gap: u64, distance: u64) -> bool {
        let file = tempfile::tempfile().expect("a file");
        file.set_len(1 << 20).expect("room");
        let ahead = ReadAhead::new(file.try_clone().expect("a file")).expect("nobody else has it");
        let read = |offset| {
            let mut byte = [0];
            ahead.read(offset, &mut byte).map(|()| byte[0]).expect("it is in the file")
        };
        let first = 500_000;
        let second = first + 1 + gap;
        read(first);
        read(second);
        file.write_all_at(&[1], second + distance).expect("room");
        read(second + distance) == 0
    }

    #[test]
    fn what_follows_a_read_that_begins_near_the_one_before_is_read_with_it() {
        assert!(is_read_ahead(0, 1) && is_read_ahead(65_536, 1) && is_read_ahead(0, 262_143));
        assert!(!is_read_ahead(65_537, 1) && !is_read_ahead(0, 262_144));
    }
}
