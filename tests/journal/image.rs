//! A disk in memory, whose files can be kept, damaged and put back.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use eventful::journal::{
    Claim, DiskStore, Extent, Journal, JournalStore as _, OpenError, OpenMode, Owner, ReadError, Sequence, Unclaimed,
    Volume, VolumeFile,
};

/// The bytes of files, by name.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// A disk. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Image(Arc<Mutex<ImageState>>);

#[derive(Debug, Default)]
struct ImageState {
    names: BTreeMap<String, usize>,
    files: Vec<Vec<u8>>,
    refuses: Option<io::ErrorKind>,
    /// Changes after which it refuses all others.
    left: Option<(u64, io::ErrorKind)>,
    locked: bool,
}

/// A file of it.
#[derive(Debug)]
struct ImageFile {
    image: Image,
    file: usize,
}

/// Its lock.
#[derive(Debug)]
struct Lock(Image);

impl Drop for Lock {
    fn drop(&mut self) {
        self.0.lock().locked = false;
    }
}

impl Image {
    pub(crate) fn of(files: Files) -> Self {
        let names = files.keys().cloned().zip(0..).collect();
        Self(Arc::new(Mutex::new(ImageState { names, files: files.into_values().collect(), ..ImageState::default() })))
    }

    pub(crate) fn store(&self) -> DiskStore {
        let image = self.clone();
        DiskStore::on("the image", move || Ok(image.clone())).segment_bytes(16 << 10, 64 << 10)
    }

    pub(crate) fn open(&self) -> Result<Box<dyn Journal>, OpenError> {
        self.store().open(&Owner::new("a test"))
    }

    /// Returns the files as they are now, as after a kill.
    pub(crate) fn files(&self) -> Files {
        let state = self.lock();
        state.names.iter().map(|(name, file)| (name.clone(), state.files[*file].clone())).collect()
    }

    /// Refuses every change from now on, or takes them again.
    pub(crate) fn refuse(&self, refuses: Option<io::ErrorKind>) {
        self.lock().refuses = refuses;
    }

    /// Refuses every change after so many more.
    pub(crate) fn refuse_after(&self, changes: u64, refuses: io::ErrorKind) {
        self.lock().left = Some((changes, refuses));
    }

    fn lock(&self) -> MutexGuard<'_, ImageState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) -> io::Result<MutexGuard<'_, ImageState>> {
        let mut state = self.lock();
        state.left = match state.left {
            Some((0, refuses)) => {
                state.refuses = Some(refuses);
                None
            }
            left => left.map(|(left, refuses)| (left - 1, refuses)),
        };
        state.refuses.map_or(Ok(()), |kind| Err(kind.into())).map(|()| state)
    }
}

impl Volume for Image {
    fn claim(&self, _: &Owner) -> Result<Claim, Unclaimed> {
        let mut state = self.lock();
        if std::mem::replace(&mut state.locked, true) {
            return Err(Unclaimed::InUse("another test".into()));
        }
        Ok(Box::new(Lock(self.clone())))
    }

    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.lock().names.keys().cloned().collect())
    }

    fn open(&self, name: &str, access: OpenMode) -> io::Result<Box<dyn VolumeFile>> {
        let mut state = if access == OpenMode::Create { self.change()? } else { self.lock() };
        let file = match (state.names.get(name).copied(), access) {
            (None, OpenMode::Create) => {
                state.files.push(Vec::new());
                let file = state.files.len() - 1;
                state.names.insert(name.to_owned(), file);
                file
            }
            (None, _) => return Err(io::ErrorKind::NotFound.into()),
            (Some(file), _) => file,
        };
        if access == OpenMode::Create {
            state.files[file].clear();
        }
        drop(state);
        Ok(Box::new(ImageFile { image: self.clone(), file }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.change()?;
        let file = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.change()?.names.remove(name).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_names(&self) -> io::Result<()> {
        self.change().map(drop)
    }

    fn free_bytes(&self) -> io::Result<u64> {
        Ok(u64::MAX)
    }
}

impl VolumeFile for ImageFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.image.lock().files[self.file].len() as u64)
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.image.lock();
        let there = state.files[self.file].get(offset as usize..).and_then(|bytes| bytes.get(..out.len()));
        out.copy_from_slice(there.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.image.change()?;
        let (file, from) = (&mut state.files[self.file], offset as usize);
        file.resize(file.len().max(from + bytes.len()), 0);
        file[from..from + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        self.image.change()?.files[self.file].resize(bytes as usize, 0);
        Ok(())
    }

    fn cut(&self, bytes: u64) -> io::Result<()> {
        self.image.change()?.files[self.file].truncate(bytes as usize);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.image.change().map(drop)
    }

    fn evict(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Everything that a journal holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holdings {
    pub(crate) extent: Extent,
    pub(crate) frames: Vec<Vec<u8>>,
    pub(crate) snapshots: Vec<(Sequence, Vec<Vec<u8>>)>,
}

impl Holdings {
    pub(crate) fn of(journal: &mut dyn Journal) -> Result<Self, ReadError> {
        let extent = journal.extent();
        let (mut frames, mut next) = (Vec::new(), extent.first);
        while next < extent.end {
            next = journal.read(next, 10_000, &mut |_, frame| frames.push(frame.to_vec()))?;
        }
        let mut snapshots = Vec::new();
        for at in journal.snapshots()? {
            let mut parts = Vec::new();
            while let Some(part) = journal.snapshot(at, parts.len() as u32)? {
                parts.push(part);
            }
            snapshots.push((at, parts));
        }
        Ok(Self { extent, frames, snapshots })
    }
}
