//! The media to which groups of facts are written: the journal, a raw file.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use eventful::journal::{DiskStore, JournalLog, Owner, Recovered, Shard, frame, recover, wire};
use eventful::{
    Config,
    engine::{Epoch, facts::Fact},
};
use rustix::fs::FallocateFlags;
use tempfile::TempDir;

/// Something that makes groups durable, one after the other.
pub(crate) trait DurableMedium {
    fn write(&mut self, group: &RawGroup);
}

/// A group as facts, and as its bytes on a raw medium.
pub(crate) struct RawGroup {
    pub(crate) facts: Vec<Fact>,
    pub(crate) bytes: Vec<u8>,
}

impl RawGroup {
    pub(crate) fn new(facts: Vec<Fact>) -> Self {
        let (mut body, mut bytes) = (Vec::new(), Vec::new());
        facts.iter().for_each(|fact| wire::encode(fact, &mut body));
        let (sequence, previous) = (eventful::journal::Sequence::FIRST, frame::FrameHash::NONE);
        let header = frame::Header { shard: Shard::default(), epoch: Epoch::new(1), sequence, previous };
        frame::encode(&header, &body, &mut bytes).expect("a short body");
        Self { facts, bytes }
    }
}

/// A directory on the disk that is measured, gone when dropped.
pub(crate) fn directory() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory")
}

/// Opens the journal in this directory.
pub(crate) fn open(directory: &Path) -> JournalLog {
    let Recovered { log, .. } =
        recover(&mut store(directory), &Owner::new("a bench"), &config(), u64::MAX, &mut |_| {})
            .expect("a sound journal");
    log
}

pub(crate) fn store(directory: &Path) -> DiskStore {
    DiskStore::new(directory.join("journal"))
}

pub(crate) fn config() -> Config {
    let mut config = Config::default();
    config.max_records = 100_000_000;
    config.max_pending = 100_000_000;
    config.max_bytes = usize::MAX;
    config
}

impl DurableMedium for JournalLog {
    fn write(&mut self, group: &RawGroup) {
        self.append(&group.facts).expect("room");
    }
}

/// The preparation of a raw file before it is measured.
#[derive(Clone, Copy)]
pub(crate) enum Before {
    /// Zeros are written to all of it: the measured writes overwrite them, and change no metadata.
    Zeroed,
    /// Its blocks are allocated only, like those of a segment with large records.
    Allocated,
}

/// A file that was made before.
pub(crate) struct Raw {
    file: File,
    at: u64,
}

impl Raw {
    /// Creates a file with room for this many bytes.
    pub(crate) fn create(directory: &Path, bytes: u64, before: Before) -> Self {
        let file = tempfile::tempfile_in(directory).expect("a file");
        let zeros = vec![0; 1 << 20];
        match before {
            Before::Zeroed => (0..=bytes >> 20).for_each(|part| file.write_all_at(&zeros, part << 20).expect("a disk")),
            Before::Allocated => rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, bytes).expect("a disk"),
        }
        file.sync_all().expect("a disk");
        Self { file, at: 0 }
    }
}

impl DurableMedium for Raw {
    fn write(&mut self, group: &RawGroup) {
        self.file.write_all_at(&group.bytes, self.at).and_then(|()| self.file.sync_data()).expect("a disk");
        self.at += group.bytes.len() as u64;
    }
}
