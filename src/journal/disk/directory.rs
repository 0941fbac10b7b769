//! The directory of a journal, and the files in it.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::string::{String, ToString as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::{Builder, Database};

use super::super::error::OpenError;
use super::super::store::Owner;
use super::ahead::ReadAhead;
use super::birth::{clear_unborn, is_unborn};
use super::fault::Fault;
use super::marker::Marker;
use super::overlay::Overlay;

/// What is said of an owner that left no name.
pub(super) const UNKNOWN_OWNER: &str = "another process";

/// The database's file.
const FILE: &str = "journal.redb";

/// The file with the owner's name.
const OWNER: &str = "owner";

/// The directory in which a salvaged journal is made.
const STAGE: &str = "salvage.new";

/// Where the database keeps its flags.
const FLAGS_AT: u64 = 9;

/// The flag of a database that is open, or was not closed.
const LEFT_OPEN: u8 = 1 << 1;

/// Bytes in a block of [`MetadataExt::blocks`].
const BLOCK_BYTES: u64 = 512;

/// Clones are the same directory, with the same owner.
#[derive(Debug, Clone)]
pub(super) struct Directory {
    path: PathBuf,
    /// The file with this process's name as an owner, locked.
    note: Arc<Mutex<Option<File>>>,
    /// Device and number of the database's file, once it was opened to be written.
    identity: Arc<Mutex<Option<(u64, u64)>>>,
}

impl Directory {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, note: Arc::default(), identity: Arc::default() }
    }

    /// The name of the database's file.
    pub(super) fn place(&self) -> String {
        self.file().display().to_string()
    }

    fn file(&self) -> PathBuf {
        self.path.join(FILE)
    }

    /// The directory within this one in which a journal is made that is not here before it is whole.
    pub(super) fn stage(&self) -> Self {
        Self::new(self.path.join(STAGE))
    }

    /// Makes the directory when there is none, and answers whether it did. It survives a power cut.
    pub(super) fn make(&self) -> Result<bool, OpenError> {
        match DirBuilder::new().mode(0o700).create(&self.path) {
            Ok(()) => {}
            Err(_) if self.path.is_dir() => return Ok(false),
            Err(_) if self.path.exists() => return Err(self.refused(&"it is not a directory")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(self.refused(&"the directory that it is to be made in does not exist"));
            }
            Err(error) => return Err(self.refused(&error)),
        }
        self.sync_parent().map(|()| true).map_err(|error| self.refused(&error))
    }

    fn marker(&self) -> Marker {
        Marker::of(&self.path)
    }

    /// Refuses what was a journal once and is none any more, and the journal of a newer program. Returns
    /// whether a journal was made here.
    pub(super) fn check_marker(&self) -> Result<bool, OpenError> {
        let was_made = self.marker().is_set()?;
        let problem = if was_made { self.lack().map_err(|error| self.file_refused(&error))? } else { None };
        match problem {
            None => Ok(was_made),
            Some(problem) => Err(OpenError::Gone {
                place: self.place(),
                problem: problem.into(),
                marker: self.marker().path().display().to_string(),
            }),
        }
    }

    /// What is there in the place of a journal, when there is none.
    fn lack(&self) -> io::Result<Option<&'static str>> {
        let file = match self.look() {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some("its file is missing")),
            Err(error) => return Err(error),
        };
        let length = file.metadata()?.len();
        let is_unborn = length > 0 && is_unborn(&Overlay::new(file)?)?;
        Ok(match length {
            0 => Some("its file is empty"),
            _ => is_unborn.then_some("its file holds nothing"),
        })
    }

    /// Says that a journal was made here, which is whole.
    pub(super) fn mark(&self) -> Result<(), OpenError> {
        self.marker().set().and_then(|()| self.sync()).map_err(|error| self.refused(&error))
    }

    /// Makes the directory, and an empty file in it, when there are none. They survive a power cut.
    /// Returns whether a journal was made here before. One that was open before is not made again: its directory
    /// may be on a disk that comes back.
    pub(super) fn prepare(&self) -> Result<bool, OpenError> {
        if self.identity().is_some() && !self.file().exists() {
            return Err(self.refused(&"the journal that was in it is gone: bring it back"));
        }
        self.make()?;
        let was_made = self.check_marker()?;
        if !self.file().exists() && self.stage().file().exists() {
            return Err(self.refused(&"a journal was being salvaged into it, which did not end: salvage it again"));
        }
        let made = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(self.file());
        made.map_err(|error| self.file_refused(&error))?;
        self.sync().and_then(|()| self.sync_parent()).map_err(|error| self.refused(&error))?;
        Ok(was_made)
    }

    pub(super) fn refused(&self, cause: &dyn core::fmt::Display) -> OpenError {
        OpenError::Io { place: self.path.display().to_string(), cause: cause.to_string() }
    }

    fn file_refused(&self, error: &io::Error) -> OpenError {
        OpenError::Io { place: self.place(), cause: error.to_string() }
    }

    /// Puts the database's file into another directory, too, where none may be.
    pub(super) fn link_to(&self, to: &Self) -> io::Result<()> {
        fs::hard_link(self.file(), to.file())
    }

    /// Removes the directory, and all in it.
    pub(super) fn remove(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// Removes the directory if nothing is in it.
    pub(super) fn remove_empty(&self) {
        let _ = fs::remove_dir(&self.path);
    }

    /// Makes the names in it durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        sync(&self.path)
    }

    fn sync_parent(&self) -> io::Result<()> {
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        sync(parent.unwrap_or(Path::new(".")))
    }

    /// Opens the database, and locks it.
    pub(super) fn open(&self, builder: &Builder) -> Result<Database, Fault> {
        let file = OpenOptions::new().read(true).write(true).open(self.file())?;
        *self.identity() = Some(identity(&file.metadata()?));
        if was_left_open(&file)? {
            reread(&file)?;
        }
        let backend = ReadAhead::new(file)?;
        clear_unborn(&backend)?;
        Ok(builder.create_with_backend(backend)?)
    }

    /// Whether a journal is there, and may be read.
    pub(super) fn has_journal(&self) -> Result<bool, OpenError> {
        match fs::metadata(self.file()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(self.file_refused(&error)),
            Ok(found) if !found.is_file() => return Err(self.file_refused(&io::Error::other("it is not a file"))),
            Ok(_) | Err(_) => {}
        }
        Ok(self.check_marker()? || self.lack().map_err(|error| self.file_refused(&error))?.is_none())
    }

    /// Refuses to look at what is no journal.
    pub(super) fn check_look(&self) -> Result<(), OpenError> {
        match self.has_journal()? {
            true => Ok(()),
            false => Err(self.refused(&"there is no journal in it")),
        }
    }

    /// The database's file, to look at.
    pub(super) fn look(&self) -> io::Result<File> {
        File::open(self.file())
    }

    /// Opens the database as it is, and leaves it so.
    pub(super) fn open_to_look(&self, builder: &Builder) -> Result<Database, Fault> {
        Ok(builder.create_with_backend(Overlay::new(self.look()?)?)?)
    }

    /// Who has it open, as far as is known. Whoever left its name keeps that locked as long as it
    /// lives: others may have it open since.
    pub(super) fn owner(&self) -> String {
        let name = File::open(self.path.join(OWNER)).and_then(|mut file| match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => io::read_to_string(&mut file),
            Ok(()) | Err(TryLockError::Error(_)) => Ok(String::new()),
        });
        match name.unwrap_or_default().trim() {
            "" => UNKNOWN_OWNER.into(),
            name => name.into(),
        }
    }

    /// Leaves the owner's name for others who want to open it. It is only for show, so that it fails
    /// is of no matter.
    pub(super) fn note_owner(&self, owner: &Owner) {
        *self.note() = self.write_owner(owner).ok();
    }

    fn write_owner(&self, owner: &Owner) -> io::Result<File> {
        let new = self.path.join("owner.new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.try_lock()?;
        file.write_all(owner.to_string().as_bytes())?;
        fs::rename(&new, self.path.join(OWNER))?;
        Ok(file)
    }

    /// Takes the owner's name away, if it was left.
    pub(super) fn forget_owner(&self) {
        if self.note().take().is_some() {
            let _ = fs::remove_file(self.path.join(OWNER));
        }
    }

    fn identity(&self) -> MutexGuard<'_, Option<(u64, u64)>> {
        self.identity.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self) -> MutexGuard<'_, Option<File>> {
        self.note.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes of the disk that the file has, and bytes that it could get.
    pub(super) fn disk(&self) -> io::Result<(u64, u64)> {
        let free = rustix::fs::statvfs(&self.path)?;
        let file = fs::metadata(self.file())?;
        if self.identity().is_some_and(|opened| opened != identity(&file)) {
            return Err(io::Error::other("another file has taken the place of the journal that is open"));
        }
        let has = file.blocks().saturating_mul(BLOCK_BYTES);
        Ok((has, free.f_bavail.saturating_mul(free.f_frsize)))
    }
}

/// What tells a file from every other one.
fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

/// Whether the database in this file was not closed by its last owner.
pub(super) fn was_left_open(file: &File) -> io::Result<bool> {
    let mut flags = [0];
    let there = file.read_at(&mut flags, FLAGS_AT)?;
    Ok(there == flags.len() && flags[0] & LEFT_OPEN != 0)
}

/// Writes out what an owner who died left in the cache, and drops the cache.
///
/// A sync that fails may leave bytes in the cache that will never be on the disk, and that the next
/// sync says nothing of. What is read from now on is what is on the disk.
fn reread(file: &File) -> io::Result<()> {
    file.sync_data()?;
    #[cfg(target_os = "linux")]
    rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed)?;
    Ok(())
}

/// Makes the names in a directory durable.
fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use redb::backends::FileBackend;

    use super::*;

    #[test]
    fn a_database_that_is_open_or_was_not_closed_says_so() {
        let path = std::env::temp_dir().join(std::format!("eventful-left-open-{}", std::process::id()));
        let file =
            || OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).expect("a file");
        let database =
            Builder::new().create_with_backend(FileBackend::new(file()).expect("a file")).expect("a database");
        database.begin_write().map(redb::WriteTransaction::commit).expect("a transaction").expect("a commit");
        assert!(was_left_open(&file()).expect("a file"));
        drop(database);
        assert!(!was_left_open(&file()).expect("a file"));
        reread(&file()).expect("a file");
        fs::remove_file(&path).expect("a file");
    }
}
