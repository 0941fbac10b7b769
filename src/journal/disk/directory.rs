//! A directory of the operating system, as a volume.

use std::boxed::Box;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::string::{String, ToString as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::vec;
use std::vec::Vec;

use super::super::store::Owner;
use super::record::ALIGN_BYTES;
use super::volume::{Claim, OpenMode, Unclaimed, Volume, VolumeFile};

/// The name of an owner that left none.
const UNKNOWN_OWNER: &str = "another process";

/// The file that is locked, and holds the owner's name.
pub(super) const LOCK: &str = "LOCK";

/// Zeros that are written at once, and synced where they are in the cache: more would hold up the appends beside them.
const ZEROS_BYTES: usize = 256 << 10;

/// A directory of the operating system. Clones are the same directory.
#[derive(Debug, Clone)]
pub(super) struct Directory {
    path: PathBuf,
    /// Device and inode number of the file that was locked last.
    claimed: Arc<Mutex<Option<(u64, u64)>>>,
}

impl Directory {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, claimed: Arc::default() }
    }

    /// Returns its path, for messages.
    pub(super) fn place(&self) -> String {
        self.path.display().to_string()
    }

    /// Makes the directory if there is none, durably. Returns whether it did.
    pub(super) fn make(&self) -> io::Result<bool> {
        match DirBuilder::new().mode(0o700).create(&self.path) {
            Ok(()) => {}
            Err(_) if self.path.is_dir() => return Ok(false),
            Err(_) if self.path.exists() => return Err(io::Error::other("it is not a directory")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(io::Error::other("the directory that it is to be made in does not exist"));
            }
            Err(error) => return Err(error),
        }
        // The name of the directory is durable only with its parent.
        sync(parent_of(&self.path))?;
        Ok(true)
    }

    /// Removes it if nothing is in it.
    pub(super) fn remove_empty(&self) {
        let _ = fs::remove_dir(&self.path);
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn claimed(&self) -> MutexGuard<'_, Option<(u64, u64)>> {
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the name of the process that has it locked, which it has left in the file.
    fn owner(&self) -> String {
        match fs::read_to_string(self.file(LOCK)).unwrap_or_default().trim() {
            "" => UNKNOWN_OWNER.into(),
            name => name.into(),
        }
    }

    /// Locks an existing directory for reading, as long as the returned file exists.
    pub(super) fn claim_to_read(&self) -> Result<Option<File>, Unclaimed> {
        match File::open(self.file(LOCK)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
            Ok(file) => match file.try_lock_shared() {
                Ok(()) => Ok(Some(file)),
                Err(TryLockError::WouldBlock) => Err(Unclaimed::InUse(self.owner())),
                Err(TryLockError::Error(error)) => Err(error.into()),
            },
        }
    }
}

impl Volume for Directory {
    fn claim(&self, owner: &Owner) -> Result<Claim, Unclaimed> {
        // A directory that was open before is not made again: it may be on a disk that comes back.
        if self.claimed().is_some() && !self.path.is_dir() {
            return Err(io::Error::other("the journal that was in it is gone: bring it back").into());
        }
        self.make()?;
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).clone();
        let mut file = options.open(self.file(LOCK))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Unclaimed::InUse(self.owner())),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        // Kept, so that `reach` notices another directory in its place.
        *self.claimed() = Some(identity(&file.metadata()?));
        // The name is only for show, so its failure does not matter.
        let _ = file.set_len(0).and_then(|()| file.write_all(owner.to_string().as_bytes()));
        Ok(Box::new(DirectoryLock(file)))
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let entries = fs::read_dir(&self.path)?.map(|entry| Ok(entry?.file_name().into_string().unwrap_or_default()));
        entries.collect()
    }

    fn open(&self, name: &str, access: OpenMode) -> io::Result<Box<dyn VolumeFile>> {
        Ok(Box::new(DirectoryFile::open(&self.file(name), access)?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.file(from), self.file(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.file(name))
    }

    fn sync_names(&self) -> io::Result<()> {
        sync(&self.path)
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let free = rustix::fs::statvfs(&self.path)?;
        Ok(free.f_bavail.saturating_mul(free.f_frsize))
    }

    fn reach(&self) -> io::Result<()> {
        let lock = self.file(LOCK);
        let found = fs::metadata(&lock);
        let found = found.map_err(|error| io::Error::other(std::format!("{}: {error}", lock.display())))?;
        match self.claimed().is_none_or(|claimed| claimed == identity(&found)) {
            true => Ok(()),
            false => {
                let problem = "another directory has taken the place of the journal that is open";
                Err(io::Error::other(std::format!("{}: {problem}", self.place())))
            }
        }
    }

    fn aside(&self, task: Box<dyn FnOnce() + Send>) {
        // Without a thread the task is dropped, and the one that waits for it notices.
        let _ = thread::Builder::new().name("eventful-segment".into()).spawn(task);
    }
}

/// The lock of a directory. The name in it is removed before the lock is.
#[derive(Debug)]
struct DirectoryLock(File);

impl Drop for DirectoryLock {
    fn drop(&mut self) {
        // Emptied before the lock goes, so that no owner is named that has ended.
        let _ = self.0.set_len(0);
    }
}

/// A file of a directory.
#[derive(Debug)]
struct DirectoryFile {
    cached: File,
    /// The same file, past the cache of the operating system: a large write takes two thirds of the time, and no
    /// processor time. Absent where the file system does not support it.
    direct: Option<File>,
}

impl DirectoryFile {
    fn open(path: &Path, access: OpenMode) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(access != OpenMode::Read);
        options.create(access == OpenMode::Create).truncate(access == OpenMode::Create).mode(0o600);
        let cached = options.open(path)?;
        let direct = if access == OpenMode::Create { open_direct(path, &cached) } else { None };
        Ok(Self { cached, direct })
    }

    /// Returns the file through which these bytes are to be written.
    fn way(&self, offset: u64, bytes: &[u8]) -> &File {
        let is_aligned = |number: usize| number.is_multiple_of(ALIGN_BYTES);
        let fits = is_aligned(bytes.len())
            && offset.is_multiple_of(ALIGN_BYTES as u64)
            && bytes.as_ptr().align_offset(ALIGN_BYTES) == 0;
        self.direct.as_ref().filter(|_| fits).unwrap_or(&self.cached)
    }
}

/// Opens a file past the cache, if sectors of records can be written like that.
#[cfg(target_os = "linux")]
fn open_direct(path: &Path, file: &File) -> Option<File> {
    use rustix::fs::{AtFlags, OFlags, StatxFlags, statx};
    let align = statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::DIOALIGN).ok()?;
    if !suits(align.stx_dio_mem_align, align.stx_dio_offset_align) {
        return None;
    }
    OpenOptions::new().write(true).custom_flags(OFlags::DIRECT.bits() as i32).open(path).ok()
}

/// Returns whether records can be written past the cache of a disk that asks for these alignments; 0 means that none
/// can be.
#[cfg(target_os = "linux")]
fn suits(memory_bytes: u32, offset_bytes: u32) -> bool {
    // A record begins and ends at a sector, so what the disk asks for must not be more.
    [memory_bytes, offset_bytes].iter().all(|bytes| (1..=ALIGN_BYTES as u32).contains(bytes))
}

#[cfg(not(target_os = "linux"))]
fn open_direct(_: &Path, _: &File) -> Option<File> {
    None
}

impl VolumeFile for DirectoryFile {
    fn len(&self) -> io::Result<u64> {
        self.cached.metadata().map(|file| file.len())
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.cached.read_exact_at(out, offset)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.way(offset, bytes).write_all_at(bytes, offset)
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        match rustix::fs::fallocate(&self.cached, rustix::fs::FallocateFlags::empty(), 0, bytes) {
            Ok(()) => return Ok(()),
            Err(rustix::io::Errno::OPNOTSUPP) => {}
            // A file system without allocation.
            Err(error) => return Err(error.into()),
        }
        // Blocks that are written are allocated, too.
        self.zero(bytes)
    }

    fn zero(&self, bytes: u64) -> io::Result<()> {
        // Longer by a sector, so that an aligned part of it has the wanted length.
        let zeros = vec![0; usize::try_from(bytes).unwrap_or(usize::MAX).min(ZEROS_BYTES) + ALIGN_BYTES];
        let zeros = &zeros[zeros.as_ptr().align_offset(ALIGN_BYTES).min(ALIGN_BYTES)..];
        let mut at = 0;
        while at < bytes {
            let length = usize::try_from(bytes - at).unwrap_or(usize::MAX).min(ZEROS_BYTES);
            self.write_at(at, &zeros[..length])?;
            self.relieve()?;
            at += length as u64;
        }
        Ok(())
    }

    fn cut(&self, bytes: u64) -> io::Result<()> {
        if self.len()? > bytes { self.cached.set_len(bytes) } else { Ok(()) }
    }

    fn sync(&self) -> io::Result<()> {
        self.cached.sync_data()
    }

    fn relieve(&self) -> io::Result<()> {
        // Bytes past the cache are on the medium already.
        if self.direct.is_some() { Ok(()) } else { self.sync() }
    }

    fn evict(&self) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        rustix::fs::fadvise(&self.cached, 0, None, rustix::fs::Advice::DontNeed)?;
        Ok(())
    }
}

/// Returns the numbers that distinguish a file from every other one.
fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

/// Returns the directory in which the last name of a path stands.
fn parent_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes the names in a directory durable.
fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parent_of_a_lone_name_is_the_working_directory() {
        for (path, parent) in [("data", "."), ("jobs/data", "jobs"), ("./data", "."), ("/data", "/"), ("../data", "..")]
        {
            assert_eq!(parent_of(Path::new(path)), Path::new(parent), "of {path}");
        }
    }

    #[test]
    fn names_of_a_directory_that_is_gone_are_not_durable() {
        let home = tempfile::tempdir().expect("a directory");
        let directory = Directory::new(home.path().join("data"));
        assert!(directory.make().expect("a new directory"));
        directory.sync_names().expect("it is there");
        directory.remove_empty();
        assert_eq!(directory.sync_names().expect_err("it is gone").kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn created_files_are_written_past_the_cache_where_possible() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("file");
        let open = |access| DirectoryFile::open(&path, access).expect("a file");
        let created = open(OpenMode::Create);
        assert_eq!(created.direct.is_some(), open_direct(&path, &created.cached).is_some());
        for access in [OpenMode::Read, OpenMode::Write] {
            assert!(open(access).direct.is_none(), "{access:?}: single records are written to it at most");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn both_alignments_of_a_disk_must_suit() {
        let suiting = [0, 1, 4, 512, 513, 4096].map(|memory| [0, 1, 512, 4096].map(|offset| suits(memory, offset)));
        let (none, some) = ([false; 4], [false, true, true, false]);
        assert_eq!(suiting, [none, some, some, some, none, none]);
    }

    #[test]
    fn only_whole_aligned_sectors_are_written_past_the_cache() {
        let home = tempfile::tempdir().expect("a directory");
        let [cached, direct] =
            ["cached", "direct"].map(|name| File::create_new(home.path().join(name)).expect("a file"));
        let lengths = [&cached, &direct].map(|file| file.try_clone().expect("a handle"));
        let file = DirectoryFile { cached, direct: Some(direct) };
        let memory = vec![7; 4 * ALIGN_BYTES];
        let aligned = &memory[memory.as_ptr().align_offset(ALIGN_BYTES)..];
        let sector = ALIGN_BYTES as u64;
        for (offset, bytes, is_direct) in [
            (sector, &aligned[..ALIGN_BYTES], true),
            (0, &aligned[..2 * ALIGN_BYTES], true),
            (sector, &aligned[1..=ALIGN_BYTES], false),
            (sector, &aligned[..ALIGN_BYTES - 1], false),
            (sector + 1, &aligned[..ALIGN_BYTES], false),
        ] {
            lengths.iter().for_each(|file| file.set_len(0).expect("a disk"));
            file.write_at(offset, bytes).expect("a disk");
            let written = lengths.each_ref().map(|file| file.metadata().expect("a file").len());
            let end = offset + bytes.len() as u64;
            assert_eq!(written, if is_direct { [0, end] } else { [end, 0] }, "{} bytes at {offset}", bytes.len());
        }
    }
}
