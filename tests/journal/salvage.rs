//! What is salvaged of a damaged journal on disk, and what is said of the rest.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use eventful::journal::{
    DiskStore, JournalStore as _, Log, Lost, MaintainError, Owner, Salvaged, Sequence, WriteError, recover,
};
use eventful::{Change, Config, Epoch, Event, Fact, Key, Status, Timestamp};
use proptest::prelude::*;
use proptest::sample::Index;
use tempfile::TempDir;

use crate::script::cases;

#[test]
fn salvage_does_not_call_the_newest_frame_nothing_when_it_is_damaged() {
    let home = Home::with_events(20);
    home.damage("payload 19.");

    let salvaged = home.salvage().expect("a target");

    assert_eq!(
        (salvaged.frames, salvaged.end, salvaged.lost),
        (20, Sequence::new(21), Lost::Through(Sequence::new(21)))
    );
}

#[test]
fn salvage_finds_a_trace_of_the_newest_frame_where_the_database_cannot_be_opened() {
    let home = Home::with_events(20);
    home.damage("payload 19.");
    home.overwrite(0, &[7; 512]);

    assert_eq!(home.salvage().expect("a target").lost, Lost::Through(Sequence::new(21)));
}

#[test]
fn salvage_says_that_it_cannot_tell_whether_the_last_commit_rotted_or_was_torn() {
    let home = Home::with_events(20);
    let killed = home.killed_after("payload 20.");
    assert_eq!(killed.salvage().expect("a target").lost, Lost::Nothing);
    killed.damage("payload 20.");

    let salvaged = killed.salvage().expect("a target");

    assert_eq!((salvaged.end, salvaged.lost), (Sequence::new(22), Lost::Unknown));
}

#[test]
fn salvage_loses_nothing_of_sound_journals_and_makes_up_no_frames() {
    for events in [0, 1, 2, 7, 60, 61, 62, 400] {
        let home = Home::with_events(events);
        let salvaged = home.salvage().expect("a target");
        assert_eq!((salvaged.end.number(), salvaged.lost), (events + 2, Lost::Nothing), "{events}");
        assert!(salvaged.records.contains(&(Status::Received, events)), "{events}: {:?}", salvaged.records);
        let killed = home.killed_after("payload and more");
        assert_eq!(killed.salvage().expect("a target").lost, Lost::Nothing, "{events}, killed");
        for home in [home, killed] {
            home.overwrite(0, &[7; 512]);
            assert_eq!(home.salvage().expect("a target").lost, Lost::Unknown, "{events}, without a head");
        }
    }
}

/// The file of a journal of thirty events.
static THIRTY_EVENTS: LazyLock<Vec<u8>> = LazyLock::new(|| fs::read(Home::with_events(30).file()).expect("a file"));

proptest! {
    #![proptest_config(cases("salvage"))]

    #[test]
    fn salvage_never_calls_nothing_what_any_flipped_bit_has_lost(at in any::<Index>(), bit in 0u8..8) {
        let home = Home(tempfile::tempdir().expect("a directory"));
        let mut bytes = THIRTY_EVENTS.clone();
        *at.get_mut(&mut bytes) ^= 1 << bit;
        fs::create_dir(home.directory()).expect("a directory");
        fs::write(home.directory().join("FORMAT"), "eventful journal, format 1\n").expect("a file");
        fs::write(home.file(), bytes).expect("a file");

        let salvaged = home.salvage().expect("a target");

        let (end, lost) = (salvaged.end.number(), salvaged.lost);
        prop_assert!(end == 32 || lost != Lost::Nothing, "{end}");
        prop_assert!(end <= 32 && !matches!(lost, Lost::Through(last) if last.number() > 31), "{lost:?}");
    }
}

#[test]
fn salvage_believes_no_damaged_number_at_either_end_of_a_page() {
    let home = Home::with_events(30);
    let whole = fs::read(home.file()).expect("a file");
    for frame in [1u64, 16, 31] {
        let key = [frame, 0].map(u64::to_le_bytes).concat();
        let places: Vec<_> = (0..whole.len() - key.len()).filter(|at| whole[*at..].starts_with(&key)).collect();
        assert!(!places.is_empty(), "it is there");
        for (place, bit) in places.into_iter().flat_map(|place| (0..64).map(move |bit| (place, bit))) {
            let mut bytes = whole.clone();
            bytes[place + bit / 8] ^= 1 << (bit % 8);
            fs::write(home.file(), bytes).expect("a file");

            let salvaged = home.salvage().expect("a target");

            let (end, lost) = (salvaged.end.number(), salvaged.lost);
            assert!(end == 32 || lost != Lost::Nothing, "frame {frame} at {place}, bit {bit}: {end}");
            let too_far = matches!(lost, Lost::Through(last) if last.number() > 31);
            assert!(end <= 32 && !too_far, "frame {frame} at {place}, bit {bit}: {lost:?}");
        }
    }
}

#[test]
fn salvage_of_a_compacted_journal_knows_of_what_its_snapshot_stood_for() {
    let home = Home::with_events(20);
    home.store().compact(&owner(), &Config::default()).expect("room");
    assert_eq!(home.salvage().expect("a target").lost, Lost::Nothing);
    home.damage("payload 7.");

    assert_eq!(home.salvage().expect("a target").lost, Lost::Through(Sequence::new(21)));
}

#[test]
fn a_file_in_which_no_journal_can_be_read_is_refused_and_leaves_no_target() {
    let home = Home::with_events(20);
    let whole = fs::read(home.file()).expect("a file");
    let mut seed = 1u32;
    let mut random = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as u8
    };
    for bytes in [whole[..4096].to_vec(), (0..100_000).map(|_| random()).collect(), vec![0; 3 << 20]] {
        fs::write(home.file(), bytes).expect("a file");
        let refused = home.salvage().expect_err("nothing to save").to_string();
        assert_eq!(refused, format!("{}: it holds no journal that can be read", home.file().display()));
        assert!(!home.target().exists());
    }
}

#[test]
fn a_salvage_for_which_there_is_no_room_leaves_no_target() {
    let home = Home::with_events(20);
    let salvage = || {
        let mut target = DiskStore::new(home.target()).max_bytes(6000);
        home.store().salvage(&mut target, &owner(), &Config::default()).map(|salvaged| salvaged.frames)
    };
    assert_eq!(salvage(), Err(MaintainError::Write(WriteError::Full)));
    assert!(!home.target().exists());

    fs::create_dir(home.target()).expect("a directory");
    assert_eq!(salvage(), Err(MaintainError::Write(WriteError::Full)));
    assert_eq!(fs::read_dir(home.target()).expect("it is left").count(), 0, "and nothing is in it");
}

#[test]
fn a_salvage_that_was_killed_is_not_served_and_can_be_done_again() {
    let home = Home::with_events(20);
    let stage = home.target().join("salvage.new");
    fs::create_dir_all(&stage).expect("directories");
    fs::write(stage.join("journal.redb"), "half of it").expect("a file");
    let open = || DiskStore::new(home.target()).open(&owner()).map(drop);

    let refused = open().expect_err("it is not there yet").to_string();
    assert!(refused.ends_with("saved: a journal was being salvaged into it, which did not end: salvage it again"));
    let again = home.store().salvage(&mut DiskStore::new(home.target()), &owner(), &Config::default());

    assert_eq!(again.expect("a target").frames, 21);
    assert_eq!(open(), Ok(()));
    assert!(!stage.exists());
}

#[test]
fn a_salvage_takes_the_place_of_no_journal() {
    let home = Home::with_events(20);
    drop(open(&home.target()));

    let refused = home.store().salvage(&mut DiskStore::new(home.target()), &owner(), &Config::default());

    let words = format!("{}: it holds a journal already", home.target().display());
    assert_eq!(refused.expect_err("it is taken").to_string(), words);
    assert!(!home.target().join("salvage.new").exists());
}

/// A directory with a journal, and a place for another one.
struct Home(TempDir);

impl Home {
    /// So many events in a frame each, behind the frame of an epoch.
    fn with_events(events: u64) -> Self {
        let home = Self(tempfile::tempdir().expect("a directory"));
        let mut log = home.open();
        log.append(&[fact(Change::Epoch(Epoch::new(1)))]).expect("room");
        (0..events).for_each(|n| log.append(&[accepted(&format!("payload {n}."))]).expect("room"));
        home
    }

    /// What this holds and one more event, after a kill.
    fn killed_after(&self, payload: &str) -> Self {
        let killed = Self(tempfile::tempdir().expect("a directory"));
        let mut log = self.open();
        log.append(&[accepted(payload)]).expect("room");
        fs::create_dir(killed.directory()).expect("a directory");
        fs::copy(self.file(), killed.file()).expect("a copy");
        killed
    }

    fn directory(&self) -> PathBuf {
        self.0.path().join("data")
    }

    fn file(&self) -> PathBuf {
        self.directory().join("journal.redb")
    }

    fn target(&self) -> PathBuf {
        self.0.path().join("saved")
    }

    fn store(&self) -> DiskStore {
        DiskStore::new(self.directory())
    }

    fn open(&self) -> Log {
        open(&self.directory())
    }

    /// Salvages into a new target.
    fn salvage(&self) -> Result<Salvaged, MaintainError> {
        if self.target().exists() {
            fs::remove_dir_all(self.target()).expect("a directory");
        }
        self.store().salvage(&mut DiskStore::new(self.target()), &owner(), &Config::default())
    }

    /// Changes a bit of this text wherever it is in the file.
    fn damage(&self, text: &str) {
        let mut bytes = fs::read(self.file()).expect("a file");
        let places: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(text.as_bytes())).collect();
        assert!(!places.is_empty(), "it is there");
        places.iter().for_each(|at| bytes[*at] ^= 1);
        fs::write(self.file(), bytes).expect("a file");
    }

    fn overwrite(&self, at: usize, with: &[u8]) {
        let mut bytes = fs::read(self.file()).expect("a file");
        bytes[at..at + with.len()].copy_from_slice(with);
        fs::write(self.file(), bytes).expect("a file");
    }
}

fn open(directory: &Path) -> Log {
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
