//! A journal on disk: one directory, one `redb` database in it, used as a log.
//!
//! | table | key | row |
//! |---|---|---|
//! | `frames` | frame, row | a piece of a frame |
//! | `snapshots` | frame after it, part and row | a piece of a part |
//! | `finished` | frame after it | how many parts that snapshot has |
//! | `meta` | `format`, `first` | the format; the first frame that was not trimmed |
//!
//! A row fits a page of the database, and carries a checksum of itself and of its place. Each append
//! is one transaction with one `fdatasync`, which the database can undo when it was torn: then its
//! pages do not fit their checksums. That is also what a bit that rots looks like, so a rotten bit
//! *and* an unclean end together can take back the very last commit, as if it had been torn. A
//! commit that follows rules that out for all before it, which is what
//! [`seal`](super::Journal::seal) makes, when nothing else did.
//!
//! Beside the database there is a file `FORMAT`, which says that a journal was made: an empty or missing
//! database is refused from then on.
//!
//! At opening every page is read and held against its checksum. A page that does not fit is told as
//! [`Corrupt`](super::Corrupt).

mod ahead;
mod birth;
mod compact;
mod directory;
mod fault;
mod handle;
mod marker;
mod newer;
mod opening;
mod overlay;
mod remains;
mod rows;
mod salvage;
mod space;
mod staging;
mod waste;

use core::fmt;
use std::boxed::Box;
use std::io;
use std::path::PathBuf;
use std::string::String;

use redb::{Builder, Database, StorageBackend};

use super::error::{Corrupt, OpenError};
use super::store::{Journal, JournalStore, Owner};
use directory::Directory;
use fault::Fault;
use handle::DiskJournal;
pub use salvage::{Lost, Salvaged};

/// Memory for pages of the database, unless told otherwise.
const CACHE_BYTES: usize = 64 << 20;

/// A journal in a directory. One owner has it open at a time.
///
/// ```no_run
/// use eventful::journal::{DiskStore, JournalStore as _, Owner};
///
/// let mut store = DiskStore::new("/var/lib/eventful").max_bytes(10 << 30);
/// let journal = store.open(&Owner::new("the example"))?;
/// # Ok::<(), eventful::journal::OpenError>(())
/// ```
pub struct DiskStore {
    medium: Medium,
    max_bytes: u64,
    cache_bytes: usize,
    read_only: bool,
}

/// Where the database is.
enum Medium {
    Directory(Directory),
    Backend { place: String, open: Box<OpenBackend> },
}

type OpenBackend = dyn Fn(&Builder) -> Result<Database, Fault> + Send;

impl DiskStore {
    /// The journal in this directory. Opening makes the directory when there is none (mode 0700),
    /// in a parent that is there, and the database in it (mode 0600).
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self::of(Medium::Directory(Directory::new(directory.into())))
    }

    /// The journal on what `open` gives, such as a simulated disk; `place` names it in errors. It
    /// is called at each opening, and what it gives must hold what was written before.
    ///
    /// Two owners at a time are kept apart by the locks of the backend: give it
    /// [`StorageBackend::try_lock_range`], or keep them apart yourself.
    pub fn on<B: StorageBackend>(place: impl Into<String>, open: impl Fn() -> io::Result<B> + Send + 'static) -> Self {
        let open = move |builder: &Builder| {
            let backend = open()?;
            birth::clear_unborn(&backend)?;
            Ok(builder.create_with_backend(backend)?)
        };
        Self::of(Medium::Backend { place: place.into(), open: Box::new(open) })
    }

    const fn of(medium: Medium) -> Self {
        Self { medium, max_bytes: u64::MAX, cache_bytes: CACHE_BYTES, read_only: false }
    }

    /// Bounds the bytes that the pages of the journal take. The file may be longer, with holes: it
    /// grows by doubling, and shrinks when it is closed. Unbounded by default, but for the room on
    /// the disk.
    #[must_use]
    pub const fn max_bytes(mut self, max_bytes: u64) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    /// Memory for pages, 64 MiB by default.
    #[must_use]
    pub const fn cache_bytes(mut self, cache_bytes: usize) -> Self {
        self.cache_bytes = cache_bytes;
        self
    }

    /// Opens the journal to be looked at: what is written to it is gone when it is dropped, and so is
    /// the repair of one that was not closed. The directory must be there, and others may look at
    /// the same time, but nobody may have it open to write.
    #[must_use]
    pub const fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// Whether there is a journal in this directory.
    ///
    /// # Errors
    ///
    /// [`OpenError::Gone`] when one was there; [`OpenError::TooNew`] when it is a newer program's;
    /// [`OpenError::Io`] when what is there may not be read, or is no file.
    pub fn is_in(directory: impl Into<PathBuf>) -> Result<bool, OpenError> {
        Directory::new(directory.into()).has_journal()
    }

    /// Bytes of the disk that the journal has; zero for one on a backend of others.
    ///
    /// # Errors
    ///
    /// What the operating system said.
    pub fn size_bytes(&self) -> io::Result<u64> {
        match &self.medium {
            Medium::Directory(directory) => directory.disk().map(|(has, _)| has),
            Medium::Backend { .. } => Ok(0),
        }
    }

    fn database(&self) -> Result<Database, Fault> {
        let mut builder = Database::builder();
        builder.set_cache_size(self.cache_bytes).set_check_integrity_on_open(true);
        match &self.medium {
            Medium::Directory(directory) if self.read_only => fault::guarded(|| directory.open_to_look(&builder)),
            Medium::Directory(directory) => fault::guarded(|| directory.open(&builder)),
            Medium::Backend { open, .. } => fault::guarded(|| open(&builder)),
        }
    }

    fn open_journal(&self, owner: &Owner) -> Result<DiskJournal, OpenError> {
        let directory = match &self.medium {
            Medium::Directory(directory) => Some(directory),
            Medium::Backend { .. } => None,
        };
        let owned = directory.filter(|_| !self.read_only);
        directory.filter(|_| self.read_only).map_or(Ok(()), Directory::check_look)?;
        let was_made = owned.map_or(Ok(true), Directory::prepare)?;
        let place = self.place();
        let held_by = || directory.map_or_else(|| directory::UNKNOWN_OWNER.into(), Directory::owner);
        let database = self.database().map_err(|fault| match (fault.at_opening(&place, held_by), directory) {
            (OpenError::Corrupt(whole), Some(directory)) => locate(directory).unwrap_or(whole).into(),
            (error, _) => error,
        })?;
        let journal = DiskJournal::open(database, &place, self.max_bytes, owned.cloned())?;
        if let Some(directory) = owned.filter(|_| !was_made) {
            let marked = directory.mark();
            // One from before there were markers may be on a disk that is full: the next opening tries again.
            if journal.is_new() {
                marked?
            }
        }
        owned.into_iter().for_each(|directory| directory.note_owner(owner));
        Ok(journal)
    }

    fn place(&self) -> String {
        match &self.medium {
            Medium::Directory(directory) => directory.place(),
            Medium::Backend { place, .. } => place.clone(),
        }
    }
}

/// The row that is damaged in a database that is refused as a whole, if it can be told: a database
/// that was closed can be opened all the same, to be looked at.
fn locate(directory: &Directory) -> Option<Corrupt> {
    let found = fault::guarded(|| {
        let database = directory.open_to_look(&Database::builder())?;
        opening::find_damage(&database, &directory.place())
    });
    found.ok().flatten()
}

impl JournalStore for DiskStore {
    fn open(&mut self, owner: &Owner) -> Result<Box<dyn Journal>, OpenError> {
        Ok(Box::new(self.open_journal(owner)?))
    }

    fn capacity_bytes(&self) -> u64 {
        self.max_bytes
    }

    fn max_frame_bytes(&self) -> usize {
        handle::LIMIT_BYTES
    }
}

impl fmt::Debug for DiskStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskStore").field("place", &self.place()).finish_non_exhaustive()
    }
}
