//! Where groups of facts are written: our log, raw redb, a raw file.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use eventful::journal::{DiskStore, Log, Owner, Recovered, Shard, frame, recover, wire};
use eventful::{Config, Epoch, Fact};
use redb::{Database, TableDefinition};
use tempfile::TempDir;

/// Bytes of a row that has a page of redb for itself, as ours.
const ROW_BYTES: usize = 4072;

const ROWS: TableDefinition<'static, u64, &'static [u8]> = TableDefinition::new("rows");

/// Something that makes groups durable, one after the other.
pub(crate) trait Medium {
    fn write(&mut self, group: &Group);
}

/// A group as facts, and as the bytes that stand for it on a raw medium.
pub(crate) struct Group {
    pub(crate) facts: Vec<Fact>,
    pub(crate) bytes: Vec<u8>,
}

impl Group {
    pub(crate) fn new(facts: Vec<Fact>) -> Self {
        let (mut body, mut bytes) = (Vec::new(), Vec::new());
        facts.iter().for_each(|fact| wire::encode(fact, &mut body));
        let (sequence, previous) = (eventful::journal::Sequence::FIRST, frame::Link::NONE);
        let header = frame::Header { shard: Shard::default(), epoch: Epoch::new(1), sequence, previous };
        frame::encode(&header, &body, &mut bytes).expect("a short body");
        Self { facts, bytes }
    }
}

/// A directory on the disk that is measured, gone when dropped.
pub(crate) fn directory() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory")
}

/// Our log in this directory.
pub(crate) fn open(directory: &Path) -> Log {
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

impl Medium for Log {
    fn write(&mut self, group: &Group) {
        self.append(&group.facts).expect("room");
    }
}

/// A file that grows.
pub(crate) struct Raw(File);

impl Raw {
    pub(crate) fn create(directory: &Path) -> Self {
        Self(File::create(directory.join("raw")).expect("a file"))
    }
}

impl Medium for Raw {
    fn write(&mut self, group: &Group) {
        self.0.write_all(&group.bytes).and_then(|()| self.0.sync_data()).expect("a disk");
    }
}

/// A table of redb, with rows in the order of their numbers.
pub(crate) struct Redb {
    database: Database,
    next: u64,
}

impl Redb {
    pub(crate) fn create(directory: &Path) -> Self {
        let file: PathBuf = directory.join("raw.redb");
        let mut builder = Database::builder();
        Self { database: builder.set_cache_size(64 << 20).create(file).expect("a database"), next: 0 }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), redb::Error> {
        let transaction = self.database.begin_write()?;
        let mut table = transaction.open_table(ROWS)?;
        for row in bytes.chunks(ROW_BYTES) {
            table.insert(self.next, row)?;
            self.next += 1;
        }
        drop(table);
        Ok(transaction.commit()?)
    }
}

impl Medium for Redb {
    fn write(&mut self, group: &Group) {
        self.put(&group.bytes).expect("a disk");
    }
}
