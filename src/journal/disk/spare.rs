//! The file of the next segment, prepared ahead of its use.

use std::boxed::Box;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use super::reader::SharedFile;
use super::segment::NEW;
use super::volume::{OpenMode, Volume};

/// What is done with a segment before it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ahead {
    /// It is allocated and zeroed: an append changes no metadata.
    Zeroed,
    /// It is allocated: an append is what first writes its blocks, and marks them as written.
    Allocated,
}

/// A file that is being prepared beside the journal.
#[derive(Debug)]
pub(super) struct Spare {
    bytes: u64,
    ready: Receiver<io::Result<SharedFile>>,
}

impl Spare {
    /// Begins to make a file of so many bytes.
    pub(super) fn begin(volume: &Arc<dyn Volume>, bytes: u64, ahead: Ahead) -> Self {
        let (sender, ready) = sync_channel(1);
        let of = Arc::clone(volume);
        volume.aside(Box::new(move || {
            // The journal that began it may be gone by now.
            let _ = sender.send(make(&*of, bytes, ahead));
        }));
        Self { bytes, ready }
    }

    /// Bytes that it takes.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Waits until it is made.
    pub(super) fn take(self) -> io::Result<SharedFile> {
        self.ready.recv().unwrap_or_else(|_| Err(io::Error::other("the thread that prepares a segment has died")))
    }
}

/// Makes a file of so many bytes. Where there is no room for it, none is left.
pub(super) fn make(volume: &dyn Volume, bytes: u64, ahead: Ahead) -> io::Result<SharedFile> {
    let file = volume.open(NEW, OpenMode::Create)?;
    let zeroed = |()| if ahead == Ahead::Zeroed { file.zero(bytes) } else { Ok(()) };
    if let Err(error) = file.allocate(bytes).and_then(zeroed).and_then(|()| file.sync()) {
        drop(file);
        // The next one takes its place otherwise.
        let _ = volume.remove(NEW);
        return Err(error);
    }
    Ok(Arc::new(file))
}
