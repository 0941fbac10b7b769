//! Salvage of a damaged journal on disk: what is saved, and what is reported of the rest.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use eventful::journal::{
    DiskStore, JournalLog, JournalStore as _, LostFrames, MaintainError, OpenError, Owner, Salvaged, Sequence,
    WriteError, recover,
};
use eventful::{
    Config, Event, Key, Status, Timestamp,
    engine::{
        Epoch,
        facts::{Change, Fact},
    },
};
use proptest::prelude::*;
use proptest::sample::Index;
use tempfile::TempDir;

use crate::script::cases;

#[test]
fn salvage_reports_a_damaged_newest_frame() {
    let home = SalvageDirectory::with_events(20);
    home.damage("payload 19.");

    let salvaged = home.salvage().expect("a target");

    assert_eq!(
        (salvaged.frames, salvaged.end, salvaged.lost),
        (20, Sequence::new(21), LostFrames::Through(Sequence::new(21)))
    );
}

#[test]
fn salvage_reports_unknown_loss_of_a_damaged_last_group() {
    let home = SalvageDirectory::with_events(20);
    let killed = home.killed_after("payload 20.");
    assert_eq!(killed.salvage().expect("a target").lost, LostFrames::Nothing);
    killed.damage("payload 20.");

    let salvaged = killed.salvage().expect("a target");

    assert_eq!((salvaged.end, salvaged.lost), (Sequence::new(22), LostFrames::Unknown));
}

#[test]
fn salvage_of_sound_journals_loses_and_invents_no_frame() {
    for events in [0, 1, 2, 7, 60, 61, 62, 400] {
        let home = SalvageDirectory::with_events(events);
        let salvaged = home.salvage().expect("a target");
        assert_eq!((salvaged.end.number(), salvaged.lost), (events + 2, LostFrames::Nothing), "{events}");
        assert!(salvaged.records.contains(&(Status::Received, events)), "{events}: {:?}", salvaged.records);
        let killed = home.killed_after("payload and more");
        assert_eq!(killed.salvage().expect("a target").lost, LostFrames::Nothing, "{events}, killed");
        home.overwrite(0, &[7; 72]);
        let headless = home.salvage().expect("a target");
        assert_eq!(
            (headless.end.number(), headless.lost),
            (events + 3, LostFrames::Nothing),
            "{events}, without a head"
        );
    }
}

#[test]
fn salvage_says_what_was_in_a_segment_that_has_vanished() {
    let home = SalvageDirectory::with_segments();
    let segments = home.segments();
    assert!(segments.len() > 3, "{segments:?}");
    fs::remove_file(&segments[1]).expect("a file");

    let salvaged = home.salvage().expect("a target");

    assert!(salvaged.end < Sequence::new(100) && salvaged.end > Sequence::FIRST, "{salvaged:?}");
    assert_eq!(salvaged.lost, LostFrames::Through(Sequence::new(101)));
    assert!(salvaged.stranded.len() > 10, "{:?}", salvaged.stranded);
}

#[test]
fn salvage_is_unsure_when_the_newest_segment_has_vanished() {
    let home = SalvageDirectory::with_segments();
    fs::remove_file(home.segments().pop().expect("a segment")).expect("a file");

    assert_eq!(home.salvage().expect("a target").lost, LostFrames::Unknown);
}

#[test]
fn salvage_reports_a_last_frame_of_which_only_the_head_is_left() {
    for kept in [2, 5] {
        let home = SalvageDirectory::with_segments();
        let segments = home.segments();
        segments[kept..].iter().for_each(|segment| fs::remove_file(segment).expect("a file"));
        let last = home.salvage().expect("a target").end.previous();
        // The epoch has the first frame.
        home.damage(&format!("payload {}.", last.number() - 2));

        let salvaged = home.salvage().expect("a target");

        assert_eq!((salvaged.end, salvaged.lost), (last, LostFrames::Through(last)), "of {kept} segments");
    }
}

#[test]
fn salvage_of_a_journal_in_use_is_refused() {
    let home = SalvageDirectory::with_events(20);
    let log = home.open();
    let refused = home.salvage().map(drop);
    assert_eq!(refused, Err(MaintainError::Open(OpenError::InUse { owner: "a test".into() })));
    assert!(!home.target().exists());

    drop(log);
    assert_eq!(home.salvage().map(drop), Ok(()));
}

#[test]
fn salvage_loses_nothing_of_segments_that_have_changed_places() {
    let home = SalvageDirectory::with_segments();
    let segments = home.segments();
    let [one, other] = [0, 2].map(|at| fs::read(&segments[at]).expect("a file"));
    fs::write(&segments[0], other).expect("a file");
    fs::write(&segments[2], one).expect("a file");

    let salvaged = home.salvage().expect("a target");

    assert_eq!((salvaged.end, salvaged.lost), (Sequence::new(102), LostFrames::Nothing));
}

/// The first segment of a journal of thirty events.
static THIRTY_EVENTS: LazyLock<Vec<u8>> =
    LazyLock::new(|| fs::read(SalvageDirectory::with_events(30).file()).expect("a file"));

proptest! {
    #![proptest_config(cases("salvage"))]

    #[test]
    fn salvage_never_calls_nothing_what_any_flipped_bit_has_lost(at in any::<Index>(), bit in 0u8..8) {
        let home = SalvageDirectory(tempfile::tempdir().expect("a directory"));
        let mut bytes = THIRTY_EVENTS.clone();
        *at.get_mut(&mut bytes) ^= 1 << bit;
        fs::create_dir(home.directory()).expect("a directory");
        fs::write(home.directory().join("FORMAT"), "eventful journal, format 3\n").expect("a file");
        fs::write(home.file(), bytes).expect("a file");

        let salvaged = home.salvage().expect("a target");

        let (end, lost) = (salvaged.end.number(), salvaged.lost);
        prop_assert!(end == 32 || lost != LostFrames::Nothing, "{end}");
        prop_assert!(end <= 32 && !matches!(lost, LostFrames::Through(last) if last.number() > 31), "{lost:?}");
    }
}

#[test]
fn salvage_of_a_compacted_journal_reports_its_lost_snapshot() {
    let home = SalvageDirectory::with_events(20);
    home.store().compact(&owner(), &Config::default()).expect("room");
    assert_eq!(home.salvage().expect("a target").lost, LostFrames::Nothing);
    home.damage("payload 7.");

    assert_eq!(home.salvage().expect("a target").lost, LostFrames::Through(Sequence::new(21)));
}

#[test]
fn file_without_a_journal_is_refused_and_leaves_no_target() {
    let home = SalvageDirectory::with_events(20);
    let whole = fs::read(home.file()).expect("a file");
    let mut seed = 1u32;
    let mut random = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as u8
    };
    for bytes in [whole[..64].to_vec(), (0..100_000).map(|_| random()).collect(), vec![0; 3 << 20]] {
        fs::write(home.file(), bytes).expect("a file");
        let refused = home.salvage().expect_err("nothing to save").to_string();
        assert_eq!(refused, format!("{}: it holds no journal that can be read", home.directory().display()));
        assert!(!home.target().exists());
    }
}

#[test]
fn a_salvage_for_which_there_is_no_room_leaves_no_target() {
    let home = SalvageDirectory::with_events(20);
    let salvage = || {
        let target = DiskStore::new(home.target()).max_bytes(4500);
        home.store().salvage(&target, &owner(), &Config::default()).map(|salvaged| salvaged.frames)
    };
    assert_eq!(salvage(), Err(MaintainError::Write(WriteError::Full)));
    assert!(!home.target().exists());

    fs::create_dir(home.target()).expect("a directory");
    assert_eq!(salvage(), Err(MaintainError::Write(WriteError::Full)));
    assert_eq!(fs::read_dir(home.target()).expect("it is left").count(), 0, "and nothing is in it");
}

#[test]
fn killed_salvage_is_not_served_and_can_be_repeated() {
    let home = SalvageDirectory::with_events(20);
    fs::create_dir(home.target()).expect("a directory");
    fs::write(home.target().join("UNFINISHED"), "").expect("a file");
    fs::write(home.target().join("log-00000000000000000009"), "half of it").expect("a file");
    let open = || DiskStore::new(home.target()).open(&owner()).map(drop);

    let refused = open().expect_err("it is not there yet").to_string();
    assert!(refused.ends_with("saved: a journal was being copied or salvaged into it, which did not end: do it again"));
    let again = home.store().salvage(&DiskStore::new(home.target()), &owner(), &Config::default());

    assert_eq!(again.expect("a target").frames, 21);
    assert_eq!(open(), Ok(()));
    assert!(!home.target().join("UNFINISHED").exists());
}

#[test]
fn a_salvage_takes_the_place_of_no_journal() {
    let home = SalvageDirectory::with_events(20);
    drop(open(&home.target()));

    let refused = home.store().salvage(&DiskStore::new(home.target()), &owner(), &Config::default());

    let words = format!("{}: it holds a journal already", home.target().display());
    assert_eq!(refused.expect_err("it is taken").to_string(), words);
    assert!(!home.target().join("UNFINISHED").exists());
}

/// A directory with a journal, and a place for another one.
struct SalvageDirectory(TempDir);

impl SalvageDirectory {
    /// So many events in a frame each, behind the frame of an epoch.
    fn with_events(events: u64) -> Self {
        let home = Self(tempfile::tempdir().expect("a directory"));
        let mut log = home.open();
        log.append(&[fact(Change::Epoch(Epoch::new(1)))]).expect("room");
        (0..events).for_each(|n| log.append(&[accepted(&format!("payload {n}."))]).expect("room"));
        home
    }

    /// Returns a copy with one more event, as after a kill.
    fn killed_after(&self, payload: &str) -> Self {
        let killed = Self(tempfile::tempdir().expect("a directory"));
        fs::create_dir(killed.directory()).expect("a directory");
        let copy = |from: &Path| fs::copy(from, killed.directory().join(from.file_name().expect("a name")));
        let mut log = self.open();
        log.append(&[accepted(payload)]).expect("room");
        self.segments().iter().for_each(|segment| assert!(copy(segment).is_ok()));
        killed
    }

    /// A hundred events in many segments.
    fn with_segments() -> Self {
        let home = Self(tempfile::tempdir().expect("a directory"));
        let mut store = home.store().segment_bytes(2000, 4000);
        let opened = recover(&mut store, &owner(), &Config::default(), u64::MAX, &mut |_| {});
        let mut log = opened.expect("a new journal").log;
        log.append(&[fact(Change::Epoch(Epoch::new(1)))]).expect("room");
        (0..100).for_each(|n| log.append(&[accepted(&format!("payload {n}."))]).expect("room"));
        home
    }

    /// The segments, the oldest first.
    fn segments(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.directory()).expect("a directory").map(|file| file.expect("a file").path());
        let is_segment =
            |path: &PathBuf| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"log-"));
        let mut segments: Vec<_> = files.filter(is_segment).collect();
        segments.sort();
        segments
    }

    fn directory(&self) -> PathBuf {
        self.0.path().join("data")
    }

    fn file(&self) -> PathBuf {
        self.directory().join("log-00000000000000000001")
    }

    fn target(&self) -> PathBuf {
        self.0.path().join("saved")
    }

    fn store(&self) -> DiskStore {
        DiskStore::new(self.directory())
    }

    fn open(&self) -> JournalLog {
        open(&self.directory())
    }

    /// Salvages into a new target.
    fn salvage(&self) -> Result<Salvaged, MaintainError> {
        if self.target().exists() {
            fs::remove_dir_all(self.target()).expect("a directory");
        }
        let target = DiskStore::new(self.target()).segment_bytes(16 << 10, 1 << 20);
        self.store().salvage(&target, &owner(), &Config::default())
    }

    /// Changes a bit of this text wherever it is.
    fn damage(&self, text: &str) {
        let mut changed = 0;
        for file in fs::read_dir(self.directory()).expect("a directory").map(|file| file.expect("a file").path()) {
            let mut bytes = fs::read(&file).expect("a file");
            let places: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(text.as_bytes())).collect();
            places.iter().for_each(|at| bytes[*at] ^= 1);
            changed += places.len();
            fs::write(&file, bytes).expect("a file");
        }
        assert!(changed > 0, "it is there");
    }

    fn overwrite(&self, at: usize, with: &[u8]) {
        let mut bytes = fs::read(self.file()).expect("a file");
        bytes[at..at + with.len()].copy_from_slice(with);
        fs::write(self.file(), bytes).expect("a file");
    }
}

fn open(directory: &Path) -> JournalLog {
    let mut store = DiskStore::new(directory);
    recover(&mut store, &owner(), &Config::default(), u64::MAX, &mut |_| {}).expect("a sound journal").log
}

fn owner() -> Owner {
    Owner::new("a test")
}

fn accepted(payload: &str) -> Fact {
    let key = Key::new("shop", payload).expect("a key");
    fact(Change::Accepted(Event::new(key, payload.to_owned())))
}

fn fact(change: Change) -> Fact {
    Fact { at: Timestamp::from_micros(1_700_000_000_000_000), change }
}
