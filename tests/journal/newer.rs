//! Data of a newer program is no damage: nothing is salvaged without that program.

use std::fs;
use std::path::PathBuf;

use eventful::journal::frame::{self, FrameHash, Header};
use eventful::journal::{
    DiskStore, Journal, JournalStore as _, MaintainError, MemoryStore, OpenError, Owner, Sequence, Shard, inspect,
    recover, wire,
};
use eventful::{
    Config,
    engine::{Epoch, facts::Fact},
};
use tempfile::TempDir;

/// A way in which data of a newer program is recognised.
#[derive(Debug, Clone, Copy)]
enum Newness {
    /// A frame with a fact that is not known here.
    Fact,
    /// A frame with a format of its own.
    Frame,
    /// A snapshot with an item that is not known here.
    Item,
    /// A part of a snapshot with a format of its own.
    Part,
}

const ALL: [Newness; 4] = [Newness::Fact, Newness::Frame, Newness::Item, Newness::Part];

#[test]
fn journal_of_a_newer_program_is_not_opened_as_damaged() {
    for newness in ALL {
        let mut store = MemoryStore::new();
        newness.write(&mut *store.open(&owner()).expect("memory"));

        let refused = recover(&mut store, &owner(), &Config::default(), u64::MAX, &mut |_| {}).map(drop);

        let Err(OpenError::TooNew(newer)) = refused else { panic!("{newness:?}: {refused:?}") };
        let words = newer.to_string();
        assert!(words.contains("newer version") && words.contains("use a newer program"), "{words}");
        assert!(!words.contains("salvage") && !words.contains("damage"), "{words}");
    }
}

#[test]
fn data_of_a_newer_program_is_not_shown_as_damaged() {
    for newness in ALL {
        let mut store = MemoryStore::new();
        let mut journal = store.open(&owner()).expect("memory");
        newness.write(&mut *journal);

        let facts = inspect::facts(&mut *journal, &mut |_, _| {});
        let mut loads = Vec::new();
        inspect::snapshots(&mut *journal, &Config::default(), &mut |_, loaded| loads.push(loaded.map(drop)))
            .expect("memory");

        let of_snapshot = matches!(newness, Newness::Item | Newness::Part);
        assert_eq!(matches!(facts, Err(OpenError::TooNew(_))), !of_snapshot, "{newness:?}: {facts:?}");
        let shown = loads.iter().any(|loaded| matches!(loaded, Err(OpenError::TooNew(_))));
        assert_eq!(shown, of_snapshot, "{newness:?}: {loads:?}");
    }
}

#[test]
fn salvage_of_a_journal_of_a_newer_program_makes_nothing() {
    for newness in ALL {
        let home = NewerJournal::with(newness);
        assert_refused(&home, newness);
        // Damage elsewhere does not hide it.
        let mut bytes = fs::read(home.file()).expect("a file");
        bytes[..60].fill(7);
        fs::write(home.file(), bytes).expect("a file");
        assert_refused(&home, newness);
    }
}

#[test]
fn compact_of_a_journal_of_a_newer_program_changes_nothing() {
    for newness in ALL {
        let home = NewerJournal::with(newness);
        let before = home.held();
        let refused = home.store().compact(&owner(), &Config::default());
        assert!(matches!(refused, Err(MaintainError::Open(OpenError::TooNew(_)))), "{newness:?}: {refused:?}");
        assert!(home.held() == before, "{newness:?}");
    }
}

fn assert_refused(home: &NewerJournal, newness: Newness) {
    let to = home.0.path().join("saved");
    let refused = home.store().salvage(&DiskStore::new(&to), &owner(), &Config::default()).map(drop);
    assert!(matches!(refused, Err(MaintainError::Open(OpenError::TooNew(_)))), "{newness:?}: {refused:?}");
    assert!(!to.exists(), "{newness:?}");
}

impl Newness {
    /// Writes a sound frame, and then what is newer.
    fn write(self, journal: &mut dyn Journal) {
        let opening = crate::script::accepted("order-17");
        let first = frame_of(Sequence::FIRST, FrameHash::NONE, &body_of(&opening));
        journal.append(Sequence::FIRST, &first).expect("room");
        let (next, link) = (Sequence::FIRST.next(), frame::decode(&first).expect("a frame").link);
        match self {
            Self::Fact => {
                let mut body = body_of(&opening[..1]);
                body.extend([0, 99]);
                journal.append(next, &frame_of(next, link, &body)).expect("room");
            }
            Self::Frame => journal.append(next, &with_version(frame_of(next, link, b"facts"), 3)).expect("room"),
            Self::Item => put(journal, &with_version(frame_of(next, link, &[99, 0]), frame::SNAPSHOT_VERSION)),
            Self::Part => put(journal, &with_version(frame_of(next, link, b"items"), 3)),
        }
    }
}

fn put(journal: &mut dyn Journal, part: &[u8]) {
    journal.put_snapshot(Sequence::FIRST.next(), 0, part, true).expect("room");
}

fn body_of(facts: &[Fact]) -> Vec<u8> {
    let mut body = Vec::new();
    facts.iter().for_each(|fact| wire::encode(fact, &mut body));
    body
}

fn frame_of(sequence: Sequence, previous: FrameHash, body: &[u8]) -> Vec<u8> {
    let header = Header { shard: Shard::default(), epoch: Epoch::new(7), sequence, previous };
    let mut bytes = Vec::new();
    frame::encode(&header, body, &mut bytes).expect("a short body");
    bytes
}

fn with_version(mut bytes: Vec<u8>, version: u16) -> Vec<u8> {
    bytes[4..6].copy_from_slice(&version.to_le_bytes());
    let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[..40]), &bytes[frame::HEADER_BYTES..]);
    bytes[40..44].copy_from_slice(&crc.to_le_bytes());
    bytes
}

fn owner() -> Owner {
    Owner::new("a test")
}

/// A directory with a journal.
struct NewerJournal(TempDir);

impl NewerJournal {
    fn with(newness: Newness) -> Self {
        let home = Self(tempfile::tempdir().expect("a directory"));
        newness.write(&mut *home.store().open(&owner()).expect("a new journal"));
        home
    }

    fn store(&self) -> DiskStore {
        DiskStore::new(self.0.path().join("data"))
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("data/log-00000000000000000001")
    }

    fn held(&self) -> crate::image::Holdings {
        let mut journal = self.store().read_only().open(&owner()).expect("a journal");
        crate::image::Holdings::of(&mut *journal).expect("a sound journal")
    }
}
