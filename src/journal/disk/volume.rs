//! The interface below the journal on disk: a directory of files, with the few calls that the journal makes.

use core::fmt::Debug;
use std::boxed::Box;
use std::io;
use std::string::String;
use std::vec::Vec;

use super::super::store::Owner;

/// A flat directory of files, in which a journal is kept: a directory of the operating system, or a simulated disk.
///
/// Bytes are durable once [`VolumeFile::sync`] has returned, a name once [`Volume::sync_names`] has. An error of the
/// kind [`StorageFull`](io::ErrorKind::StorageFull) means that there is no space,
/// [`NotFound`](io::ErrorKind::NotFound) that there is no such file.
pub trait Volume: Debug + Send + Sync + 'static {
    /// Makes the directory if there is none, and locks it for this owner as long as the returned value lives.
    ///
    /// # Errors
    ///
    /// [`Unclaimed`]
    fn claim(&self, owner: &Owner) -> Result<Claim, Unclaimed>;

    /// Returns the names of all files.
    ///
    /// # Errors
    ///
    /// The error of the medium; `NotFound` when there is no directory.
    fn names(&self) -> io::Result<Vec<String>>;

    /// Opens a file.
    ///
    /// # Errors
    ///
    /// The error of the medium.
    fn open(&self, name: &str, access: OpenMode) -> io::Result<Box<dyn VolumeFile>>;

    /// Gives a file another name, in place of a file that has it.
    ///
    /// # Errors
    ///
    /// The error of the medium.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file. Where it is open, it can still be read.
    ///
    /// # Errors
    ///
    /// The error of the medium.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes the names durable.
    ///
    /// # Errors
    ///
    /// The error of the medium.
    fn sync_names(&self) -> io::Result<()>;

    /// Returns the bytes that files can still take.
    ///
    /// # Errors
    ///
    /// The error of the medium.
    fn free_bytes(&self) -> io::Result<u64>;

    /// Checks that the directory that was claimed is still in its place. By default it cannot vanish.
    ///
    /// # Errors
    ///
    /// The error of the medium, or a description of what is in its place.
    fn reach(&self) -> io::Result<()> {
        Ok(())
    }

    /// Runs a task beside the caller. By default it is run at once, as is right where nothing blocks.
    fn aside(&self, task: Box<dyn FnOnce() + Send>) {
        task();
    }
}

/// The lock of a volume; dropping it unlocks.
pub type Claim = Box<dyn Debug + Send>;

/// The reason why a volume was not locked.
#[derive(Debug)]
#[non_exhaustive]
pub enum Unclaimed {
    /// Another owner has it; its name.
    InUse(String),
    /// The medium refused.
    Io(io::Error),
}

impl From<io::Error> for Unclaimed {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The purpose for which a file is opened. Exhaustive on purpose: every volume must handle each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// To be read; it must be there.
    Read,
    /// To be read and written; it must be there.
    Write,
    /// To be read and written, and empty: made, or emptied.
    Create,
}

/// An open file of a volume.
#[expect(clippy::len_without_is_empty, reason = "a journal asks no file whether it is empty")]
pub trait VolumeFile: Debug + Send + Sync {
    /// Returns its number of bytes.
    ///
    /// # Errors
    ///
    /// The error of the medium.
    fn len(&self) -> io::Result<u64>;

    /// Fills `out` with the bytes from `offset` on.
    ///
    /// # Errors
    ///
    /// The error of the medium; [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) when there are too few.
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;

    /// Writes all of these bytes at `offset`. A file that ends before that grows.
    ///
    /// # Errors
    ///
    /// The error of the medium; some of the bytes may be written.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes an empty file this many bytes long, which read as zeros, such that writing them later needs no more
    /// space.
    ///
    /// # Errors
    ///
    /// The error of the medium; some of the space may be taken.
    fn allocate(&self, bytes: u64) -> io::Result<()>;

    /// Writes zeros to this many bytes that were allocated, durably, such that writing them later changes no metadata.
    /// By default it changes none anyway.
    ///
    /// # Errors
    ///
    /// The error of the medium.
    fn zero(&self, bytes: u64) -> io::Result<()> {
        let _ = bytes;
        Ok(())
    }

    /// Cuts the file to this many bytes, if it has more.
    ///
    /// # Errors
    ///
    /// The error of the medium.
    fn cut(&self, bytes: u64) -> io::Result<()>;

    /// Makes bytes and length durable.
    ///
    /// # Errors
    ///
    /// The error of the medium; then which of them are durable is unknown.
    fn sync(&self) -> io::Result<()>;

    /// Writes to the medium what has gathered in a cache, so that the next sync does not hold up those of other files.
    /// Called between writes that need not be durable yet. By default nothing gathers.
    ///
    /// # Errors
    ///
    /// The error of the medium.
    fn relieve(&self) -> io::Result<()> {
        Ok(())
    }

    /// Makes the next reads go to the medium. A sync that fails may leave bytes in a cache that will never be on the
    /// medium, and that the next sync does not report.
    ///
    /// # Errors
    ///
    /// The error of the medium.
    fn evict(&self) -> io::Result<()>;
}
