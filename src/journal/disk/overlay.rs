//! A file that is looked at and never changed: what is written to it stays in memory.
//!
//! So a database that was not closed can be opened, which repairs it, without a trace.

use core::ops::Bound;
use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::vec::Vec;

use redb::{BackendError, StorageBackend};

/// Bytes of a block that is kept in memory once it is written to.
const BLOCK_BYTES: usize = 4096;

#[derive(Debug)]
pub(super) struct Overlay {
    file: File,
    over: Mutex<Over>,
}

/// What is different from the file.
#[derive(Debug)]
struct Over {
    length: u64,
    /// Bytes of the file that still count; what is behind them was cut off.
    below: u64,
    blocks: BTreeMap<u64, Vec<u8>>,
}

impl Overlay {
    pub(super) fn new(file: File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        Ok(Self { file, over: Mutex::new(Over { length, below: length, blocks: BTreeMap::new() }) })
    }

    fn over(&self) -> MutexGuard<'_, Over> {
        self.over.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads from the file what it has of this; the rest is zero.
    fn read_below(&self, over: &Over, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let there = usize::try_from(over.below.saturating_sub(offset)).unwrap_or(usize::MAX).min(out.len());
        let (below, beyond) = out.split_at_mut(there);
        beyond.fill(0);
        self.file.read_exact_at(below, offset)
    }
}

/// The blocks that these bytes touch: each with its part of them, and the place of that part in it.
fn blocks(offset: u64, length: usize) -> impl Iterator<Item = (u64, core::ops::Range<usize>, usize)> {
    let mut done = 0;
    core::iter::from_fn(move || {
        let at = offset + done as u64;
        let within = (at % BLOCK_BYTES as u64) as usize;
        let part = done..length.min(done + BLOCK_BYTES - within);
        done = part.end;
        (!part.is_empty()).then_some((at / BLOCK_BYTES as u64, part, within))
    })
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.over().length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let over = self.over();
        if offset.saturating_add(out.len() as u64) > over.length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.read_below(&over, offset, out)?;
        for (block, part, within) in blocks(offset, out.len()) {
            if let Some(bytes) = over.blocks.get(&block) {
                let length = part.len();
                out[part].copy_from_slice(&bytes[within..within + length]);
            }
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut over = self.over();
        let kept = length.div_ceil(BLOCK_BYTES as u64);
        over.blocks.split_off(&kept);
        if let (Some(last), within) = (over.blocks.get_mut(&(length / BLOCK_BYTES as u64)), length % BLOCK_BYTES as u64)
        {
            last[within as usize..].fill(0);
        }
        over.below = over.below.min(length);
        over.length = length;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut over = self.over();
        for (block, part, within) in blocks(offset, data.len()) {
            let mut bytes = match over.blocks.remove(&block) {
                Some(bytes) => bytes,
                None => {
                    let mut bytes = std::vec![0; BLOCK_BYTES];
                    self.read_below(&over, block * BLOCK_BYTES as u64, &mut bytes)?;
                    bytes
                }
            };
            bytes[within..within + part.len()].copy_from_slice(&data[part]);
            over.blocks.insert(block, bytes);
        }
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.file.unlock()
    }

    /// Whatever range is to be locked: others may look, and nobody may write. An owner locks the
    /// whole file besides its ranges.
    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        match self.file.try_lock_shared() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(BackendError::Io(error)),
        }
    }

    fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }
}
