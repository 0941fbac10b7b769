//! A journal on a disk that a test can block, fill, take away or break.
#![allow(dead_code, reason = "each test program uses its own part of it")]

use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use eventful::journal::{
    FreeSpace, Intercept, Intercepted, Journal, JournalStore, MemoryStore, OpenError, Owner, Recovered, Sequence,
    WriteError, recover,
};
use eventful::{Config, Key, Status};

/// Room enough for every test. It is bounded, because the adapter measures an unbounded journal once only.
const ROOM_BYTES: u64 = 1 << 40;

/// The fate of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AppendFate {
    Works,
    /// The append fails before anything is written.
    FailsBefore,
    /// The append fails after everything is written.
    FailsAfter,
    Full,
    Fenced,
    Panics,
}

/// A journal in memory, on a disk that can be blocked, filled, taken away or broken. Clones are the same
/// disk.
#[derive(Debug, Clone)]
pub(crate) struct TroubledDisk {
    memory: MemoryStore,
    state: Arc<(Mutex<DiskTrouble>, Condvar)>,
    /// True if the adapter gives it a thread: only then can it be blocked.
    has_thread: bool,
}

#[derive(Debug, Default)]
pub(crate) struct DiskTrouble {
    /// True while appends wait.
    blocks: bool,
    /// The number of appends that wait.
    waiting: usize,
    pub(crate) is_gone: bool,
    /// The free room that it reports, in bytes.
    pub(crate) room: u64,
    /// The fates of the next appends; those after them work.
    fates: Vec<AppendFate>,
    /// The errors of the next openings; those after them work.
    pub(crate) refusals: Vec<OpenError>,
    /// True if each opening finds an empty journal.
    pub(crate) is_emptied: bool,
    /// The number of appends so far, whatever their fate.
    pub(crate) appends: usize,
    pub(crate) seals: usize,
}

impl TroubledDisk {
    /// Creates a disk whose journal runs in the task of its writer.
    pub(crate) fn new() -> Self {
        let trouble = DiskTrouble { room: ROOM_BYTES, ..DiskTrouble::default() };
        Self { memory: MemoryStore::new(), state: Arc::new((Mutex::new(trouble), Condvar::new())), has_thread: false }
    }

    /// Creates a disk whose journal has a thread.
    pub(crate) fn with_thread() -> Self {
        Self { has_thread: true, ..Self::new() }
    }

    /// Returns the store on this disk.
    pub(crate) fn store(&self) -> Intercepted<Self> {
        Intercepted::new(Box::new(self.memory.clone()), self.clone())
    }

    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut DiskTrouble) -> T) -> T {
        let done = act(&mut self.lock());
        self.state.1.notify_all();
        done
    }

    fn lock(&self) -> MutexGuard<'_, DiskTrouble> {
        self.state.0.lock().expect("no panic")
    }

    pub(crate) fn block(&self) {
        self.with(|trouble| trouble.blocks = true);
    }

    pub(crate) fn unblock(&self) {
        self.with(|trouble| trouble.blocks = false);
    }

    /// Returns whether an append is held up.
    pub(crate) fn holds_one_up(&self) -> bool {
        self.with(|trouble| trouble.waiting > 0)
    }

    /// Sets the fates of the next appends.
    pub(crate) fn decide(&self, fates: &[AppendFate]) {
        self.with(|trouble| trouble.fates = fates.to_vec());
    }

    /// Returns whether every append with a set fate has been made.
    pub(crate) fn has_no_more_fates(&self) -> bool {
        self.with(|trouble| trouble.fates.is_empty())
    }

    /// Lets this many of the next openings fail.
    pub(crate) fn fail_openings(&self, count: usize) {
        let gone = OpenError::Io { place: "data".to_owned(), cause: "no such device".to_owned() };
        self.with(|trouble| trouble.refusals = vec![gone; count]);
    }

    /// Returns what the journal alone holds.
    pub(crate) fn recovered(&self) -> Recovered {
        let mut memory = self.memory.copy();
        recover(&mut memory, &Owner::new("an auditor"), &Config::default(), u64::MAX, &mut |_| {}).expect("it is sound")
    }

    /// Returns the status of an event by the journal alone.
    pub(crate) fn status(&self, id: &str) -> Option<Status> {
        let (records, key) = (self.recovered().replay.state().records, Key::new("", id).expect("a key"));
        records.into_iter().find(|record| record.key == key).map(|record| record.status)
    }

    /// Returns the fate of one append, once the disk does not block.
    fn fate(&self) -> AppendFate {
        let mut trouble = self.lock();
        trouble.appends += 1;
        trouble.waiting += 1;
        trouble = self.state.1.wait_while(trouble, |trouble| trouble.blocks).expect("no panic");
        trouble.waiting -= 1;
        if trouble.fates.is_empty() { AppendFate::Works } else { trouble.fates.remove(0) }
    }
}

impl Intercept for TroubledDisk {
    fn open(&mut self, store: &mut dyn JournalStore, owner: &Owner) -> Result<Box<dyn Journal>, OpenError> {
        let (refusal, is_emptied) = self.with(|trouble| {
            let refusal = (!trouble.refusals.is_empty()).then(|| trouble.refusals.remove(0));
            (refusal, trouble.is_emptied)
        });
        match refusal {
            Some(refusal) => Err(refusal),
            None if is_emptied => MemoryStore::new().open(owner),
            None => store.open(owner),
        }
    }

    fn blocks(&self, _: &dyn JournalStore) -> bool {
        self.has_thread
    }

    fn room(&self, _: &dyn Journal) -> FreeSpace {
        FreeSpace(self.with(|trouble| trouble.room))
    }

    fn reach(&self, _: &dyn Journal) -> Result<(), WriteError> {
        let gone = || WriteError::Unreachable { cause: "data: no such directory".to_owned() };
        self.with(|trouble| if trouble.is_gone { Err(gone()) } else { Ok(()) })
    }

    fn append(&mut self, journal: &mut dyn Journal, expected: Sequence, frame: &[u8]) -> Result<(), WriteError> {
        self.reach(journal)?;
        let unknown = || WriteError::Unknown { cause: "the cable is loose".to_owned() };
        match self.fate() {
            AppendFate::Works => journal.append(expected, frame),
            AppendFate::FailsBefore => Err(unknown()),
            AppendFate::FailsAfter => journal.append(expected, frame).and(Err(unknown())),
            AppendFate::Full => Err(WriteError::Full),
            AppendFate::Fenced => Err(WriteError::Fenced),
            AppendFate::Panics => panic!("a bug in the journal"),
        }
    }

    fn seal(&mut self, journal: &mut dyn Journal) -> Result<(), WriteError> {
        self.with(|trouble| trouble.seals += 1);
        journal.seal()
    }
}
