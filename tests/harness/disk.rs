//! A journal on a disk that a test can block, fill, take away or break.
#![allow(dead_code, reason = "each test program uses its own part of it")]

use std::sync::{Arc, Condvar, Mutex};

use eventful::journal::{
    Extent, Journal, JournalStore, MemoryStore, OpenError, Owner, ReadError, Room, Sequence, WriteError,
};

/// A journal in memory, on a disk that can be blocked, filled, taken away or broken.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    memory: MemoryStore,
    state: Arc<(Mutex<Trouble>, Condvar)>,
    /// Whether the adapter gives it a thread: only then can it be blocked.
    has_thread: bool,
}

#[derive(Debug)]
pub(crate) struct Trouble {
    /// Appends wait until it is not so.
    blocks: bool,
    /// Appends that wait.
    waiting: usize,
    pub(crate) is_gone: bool,
    pub(crate) room: u64,
    /// Of the next appends.
    pub(crate) fails: Option<WriteError>,
    /// It cannot be opened.
    pub(crate) is_closed: bool,
}

impl Disk {
    pub(crate) fn new(has_thread: bool) -> Self {
        let trouble =
            Trouble { blocks: false, waiting: 0, is_gone: false, room: 1 << 40, fails: None, is_closed: false };
        Self { memory: MemoryStore::new(), state: Arc::new((Mutex::new(trouble), Condvar::new())), has_thread }
    }

    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Trouble) -> T) -> T {
        let done = act(&mut self.state.0.lock().expect("no panic"));
        self.state.1.notify_all();
        done
    }

    pub(crate) fn block(&self) {
        self.with(|trouble| trouble.blocks = true);
    }

    pub(crate) fn unblock(&self) {
        self.with(|trouble| trouble.blocks = false);
    }

    /// Whether an append is held up.
    pub(crate) fn holds_one_up(&self) -> bool {
        self.with(|trouble| trouble.waiting > 0)
    }
}

impl JournalStore for Disk {
    fn open(&mut self, owner: &Owner) -> Result<Box<dyn Journal>, OpenError> {
        if self.with(|trouble| trouble.is_closed) {
            return Err(OpenError::Io { place: "data".to_owned(), cause: "no such device".to_owned() });
        }
        let journal = self.memory.open(owner)?;
        Ok(Box::new(OnDisk { journal, disk: self.clone() }))
    }

    fn blocks(&self) -> bool {
        self.has_thread
    }
}

#[derive(Debug)]
struct OnDisk {
    journal: Box<dyn Journal>,
    disk: Disk,
}

impl Journal for OnDisk {
    fn extent(&self) -> Extent {
        self.journal.extent()
    }

    fn room(&self) -> Room {
        Room(self.disk.with(|trouble| trouble.room))
    }

    fn reach(&self) -> Result<(), WriteError> {
        let gone = || WriteError::Unreachable { cause: "data: no such directory".to_owned() };
        self.disk.with(|trouble| if trouble.is_gone { Err(gone()) } else { Ok(()) })
    }

    fn append(&mut self, expected: Sequence, frame: &[u8]) -> Result<(), WriteError> {
        self.reach()?;
        let (trouble, changed) = &*self.disk.state;
        let mut trouble = trouble.lock().expect("no panic");
        trouble.waiting += 1;
        trouble = changed.wait_while(trouble, |trouble| trouble.blocks).expect("no panic");
        trouble.waiting -= 1;
        match trouble.fails.take() {
            Some(error) => Err(error),
            None => self.journal.append(expected, frame),
        }
    }

    fn read(
        &mut self,
        from: Sequence,
        limit_bytes: usize,
        visit: &mut dyn FnMut(Sequence, &[u8]),
    ) -> Result<Sequence, ReadError> {
        self.journal.read(from, limit_bytes, visit)
    }

    fn put_snapshot(&mut self, at: Sequence, part: u32, bytes: &[u8], last: bool) -> Result<(), WriteError> {
        self.journal.put_snapshot(at, part, bytes, last)
    }

    fn snapshots(&mut self) -> Result<Vec<Sequence>, ReadError> {
        self.journal.snapshots()
    }

    fn snapshot(&mut self, at: Sequence, part: u32) -> Result<Option<Vec<u8>>, ReadError> {
        self.journal.snapshot(at, part)
    }

    fn trim(&mut self, below: Sequence) -> Result<(), WriteError> {
        self.journal.trim(below)
    }
}
