//! The file of the next segment, prepared ahead of its use.

use std::boxed::Box;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use super::reader::SharedFile;
use super::segment::NEW;
use super::volume::{OpenMode, Volume};

/// The preparation of a segment before it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ahead {
    /// Allocated and zeroed: an append changes no metadata.
    Zeroed,
    /// Allocated only: an append is the first to write its blocks, and marks them as written.
    Allocated,
}

/// A file that is being prepared beside the journal.
#[derive(Debug)]
pub(super) struct Spare {
    bytes: u64,
    ready: Receiver<io::Result<SharedFile>>,
}

impl Spare {
    /// Begins to make a file of this size.
    pub(super) fn begin(volume: &Arc<dyn Volume>, bytes: u64, ahead: Ahead) -> Self {
        let (sender, ready) = sync_channel(1);
        let of = Arc::clone(volume);
        volume.aside(Box::new(move || {
            // The journal that began it may have been closed by now.
            let _ = sender.send(make(&*of, bytes, ahead));
        }));
        Self { bytes, ready }
    }

    /// Returns its bytes.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Waits until it is made.
    pub(super) fn take(self) -> io::Result<SharedFile> {
        self.ready.recv().unwrap_or_else(|_| Err(io::Error::other("the thread that prepares a segment has died")))
    }
}

/// Makes a file of this size. Where there is no room for it, no file is left.
pub(super) fn make(volume: &dyn Volume, bytes: u64, ahead: Ahead) -> io::Result<SharedFile> {
    let file = volume.open(NEW, OpenMode::Create)?;
    let zeroed = |()| if ahead == Ahead::Zeroed { file.zero(bytes) } else { Ok(()) };
    if let Err(error) = file.allocate(bytes).and_then(zeroed).and_then(|()| file.sync()) {
        drop(file);
        // The next one replaces it if this fails.
        let _ = volume.remove(NEW);
        return Err(error);
    }
    Ok(Arc::new(file))
}
