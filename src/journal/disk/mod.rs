//! A journal on disk: one directory with segments of frames, and a file for each snapshot.
//!
//! `docs/ARCHITECTURE.md` has the format byte by byte, what each file can look like at opening, and what a crash can and
//! cannot do.
//!
//! | file | topic |
//! |---|---|
//! | `volume`, `directory` | the interface below: a directory of files, of the operating system or simulated |
//! | `record`, `reader` | records, of which all files consist, and their reading with bounded memory |
//! | `segment`, `active`, `spare` | segments: their head, the one that is written, the one that is prepared ahead |
//! | `frames`, `snapshot_files` | the frames of all segments, in order; a file for each snapshot |
//! | `marker`, `opening` | the marks of a directory, and the way from its files to a journal |
//! | `sharded`, `shard_names` | the journals of several engines in one directory, and the names of theirs |
//! | `handle`, `read_only` | an open journal, and one that is read while others write it |
//! | `compact`, `copying`, `backup` | compaction; a new journal that must be whole before it is opened; backups |
//! | `remains`, `salvage` | the whole records of a damaged journal, and a new journal of them |

mod active;
mod backup;
mod compact;
mod copying;
mod directory;
mod frames;
mod handle;
mod marker;
mod opening;
mod read_only;
mod reader;
mod record;
mod remains;
mod salvage;
mod segment;
mod shard_names;
mod sharded;
mod snapshot_files;
mod spare;
mod volume;

use core::fmt;
use std::boxed::Box;
use std::io;
use std::path::PathBuf;
use std::string::String;
use std::sync::Arc;

use super::error::OpenError;
use super::store::{Journal, JournalStore, Owner};
use active::Sizes;
pub use backup::BackedUp;
use directory::Directory;
use handle::{Bounds, DiskJournal};
use opening::{Purpose, hold, refused};
use read_only::ReadOnly;
pub use salvage::{LostFrames, Salvaged};
pub use sharded::DiskShards;
pub use volume::{Claim, OpenMode, Unclaimed, Volume, VolumeFile};

/// The sizes of segments by default. The first one of an opening is small, so that a small journal is, too; a large
/// one costs a few syncs every 64 MiB.
const SIZES: Sizes = Sizes { first: 1 << 20, most: 64 << 20 };

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
    medium: StoreVolume,
    bounds: Bounds,
    read_only: bool,
}

/// The place of the files.
enum StoreVolume {
    Directory(Directory),
    Volume { place: String, open: Box<OpenVolume> },
}

type OpenVolume = dyn Fn() -> io::Result<Arc<dyn Volume>> + Send;

impl DiskStore {
    /// Creates a store for the journal in this directory. Opening makes the directory if there is none (mode 0700), in
    /// an existing parent, and the files in it (mode 0600).
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self::of(StoreVolume::Directory(Directory::new(directory.into())))
    }

    /// Creates a store for the journal on the volume that `open` returns, such as a simulated disk; `place` names it
    /// in errors. `open` is called at each opening, and must return a volume that holds what was written before.
    pub fn on<V: Volume>(place: impl Into<String>, open: impl Fn() -> io::Result<V> + Send + 'static) -> Self {
        let open = move || open().map(|volume| Arc::new(volume) as Arc<dyn Volume>);
        Self::of(StoreVolume::Volume { place: place.into(), open: Box::new(open) })
    }

    const fn of(medium: StoreVolume) -> Self {
        Self { medium, bounds: Bounds { max_bytes: u64::MAX, sizes: SIZES }, read_only: false }
    }

    /// Bounds the bytes that the files of the journal take. By default only the room on the disk bounds them.
    #[must_use]
    pub const fn max_bytes(mut self, max_bytes: u64) -> Self {
        self.bounds.max_bytes = max_bytes;
        self
    }

    /// Sets the sizes of segments in bytes: of the first one of an opening, 1 MiB by default, and of the largest, 64
    /// MiB. Each has twice as many as the one before. Smaller ones release room earlier, larger ones cost fewer syncs.
    #[must_use]
    pub const fn segment_bytes(mut self, first: u64, most: u64) -> Self {
        self.bounds.sizes = Sizes { first, most };
        self
    }

    /// Makes openings read only: nothing is changed, and another owner may write meanwhile. The journal then shows
    /// what was durable when it was opened. The directory must exist.
    #[must_use]
    pub const fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// Returns whether there is a journal in this directory.
    ///
    /// # Errors
    ///
    /// [`OpenError::Gone`] when one was there; [`OpenError::TooNew`] when it is a newer program's,
    /// [`OpenError::Former`] when it has a former format; [`OpenError::Io`] when the files may not be read.
    pub fn is_in(directory: impl Into<PathBuf>) -> Result<bool, OpenError> {
        let directory = Directory::new(directory.into());
        let place = directory.place();
        let names = match directory.names() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            names => names.map_err(|error| refused(&place, &error))?,
        };
        let has_segments = names.iter().any(|name| segment::number(name).is_some());
        match marker::is_set(&directory, &place, &names)? {
            true if !has_segments => Err(opening::gone(&place, marker::FORMAT)),
            is_marked => Ok(is_marked || has_segments),
        }
    }

    /// Returns the bytes of the segments and snapshots of the journal.
    ///
    /// # Errors
    ///
    /// The error of the operating system, with the file.
    pub fn size_bytes(&self) -> io::Result<u64> {
        let (volume, place) = (self.volume()?, self.place());
        let names = volume.names()?;
        let counts = |name: &&String| segment::number(name).is_some() || snapshot_files::number(name).is_some();
        let bytes = names.iter().filter(counts).map(|name| {
            let bytes = match volume.open(name, OpenMode::Read).and_then(|file| file.len()) {
                // The owner has removed it meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
                bytes => bytes,
            };
            bytes.map_err(|error| io::Error::new(error.kind(), std::format!("{place}/{name}: {error}")))
        });
        bytes.sum()
    }

    fn volume(&self) -> io::Result<Arc<dyn Volume>> {
        match &self.medium {
            StoreVolume::Directory(directory) => Ok(Arc::new(directory.clone())),
            StoreVolume::Volume { open, .. } => open(),
        }
    }

    fn place(&self) -> String {
        match &self.medium {
            StoreVolume::Directory(directory) => directory.place(),
            StoreVolume::Volume { place, .. } => place.clone(),
        }
    }

    /// Opens the journal for reading.
    fn open_to_read(&self) -> Result<ReadOnly, OpenError> {
        let place = self.place();
        ReadOnly::open(&self.volume().map_err(|error| refused(&place, &error))?, &place)
    }

    fn open_journal(&self, owner: &Owner) -> Result<DiskJournal, OpenError> {
        let place = self.place();
        let volume = self.volume().map_err(|error| refused(&place, &error))?;
        // Claimed before anything is read: until then another owner may change it.
        let claim = volume.claim(owner).map_err(|unclaimed| unclaimed_as(unclaimed, &place))?;
        let held = hold(&*volume, &place, Purpose::Write)?;
        DiskJournal::open(volume, &place, claim, held, self.bounds)
    }
}

/// Returns the error of an opening whose lock was refused.
fn unclaimed_as(unclaimed: Unclaimed, place: &str) -> OpenError {
    match unclaimed {
        Unclaimed::InUse(owner) => OpenError::InUse { owner },
        Unclaimed::Io(error) => refused(&place, &error),
    }
}

impl JournalStore for DiskStore {
    fn open(&mut self, owner: &Owner) -> Result<Box<dyn Journal>, OpenError> {
        if self.read_only { Ok(Box::new(self.open_to_read()?)) } else { Ok(Box::new(self.open_journal(owner)?)) }
    }

    fn capacity_bytes(&self) -> u64 {
        self.bounds.max_bytes
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
