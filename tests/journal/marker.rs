//! A directory that had a journal is not taken for a new one.

use std::fs;
use std::path::PathBuf;

use eventful::Config;
use eventful::journal::{DiskStore, JournalStore as _, OpenError, Owner, RecoveryProgress, Sequence, TooNew, recover};
use tempfile::TempDir;

#[test]
fn journal_whose_segments_are_missing_is_refused() {
    let home = MarkerDirectory::with_a_frame();
    fs::remove_file(home.file()).expect("a file");
    for mut store in [home.store(), home.store().read_only()] {
        let refused = store.open(&owner()).map(drop);
        let Err(OpenError::Gone { place, marker, .. }) = refused else { panic!("{refused:?}") };
        let paths = (home.0.path().display().to_string(), home.marker().display().to_string());
        assert_eq!((place, marker), paths);
    }
    assert!(matches!(DiskStore::is_in(home.0.path()), Err(OpenError::Gone { .. })));
    let to = home.0.path().join("saved");
    let salvaged = home.store().salvage(&DiskStore::new(&to), &owner(), &Config::default());
    assert!(salvaged.is_err_and(|error| error.to_string().ends_with("it holds no journal that can be read")));
    assert!(!to.exists());
}

#[test]
fn lost_journal_is_replaced_once_its_marker_is_removed() {
    let home = MarkerDirectory::with_a_frame();
    fs::remove_file(home.file()).expect("a file");
    fs::remove_file(home.marker()).expect("a file");

    let journal = home.store().open(&owner()).expect("a new journal");

    assert_eq!(journal.extent().end, Sequence::FIRST);
}

#[test]
fn journal_of_which_only_a_snapshot_is_left_is_refused() {
    let home = MarkerDirectory(tempfile::tempdir().expect("a directory"));
    let snapshot = home.0.path().join("snapshot-00000000000000000009");
    fs::write(&snapshot, "a snapshot").expect("a file");

    let refused = home.store().open(&owner()).map(drop);

    let Err(OpenError::Gone { marker, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!(marker, snapshot.display().to_string());
}

#[test]
fn marker_comes_only_after_the_first_segment() {
    let home = MarkerDirectory(tempfile::tempdir().expect("a directory"));
    for begun in [vec![], vec![7; 300], vec![0; 73_728]] {
        fs::write(home.0.path().join("log.new"), begun).expect("a file");
        assert_eq!(DiskStore::is_in(home.0.path()), Ok(false), "a journal in the making has no marker");
        let look = home.store().read_only().open(&owner()).map(drop);
        let words = look.expect_err("there is nothing to read").to_string();
        assert_eq!(words, format!("{}: there is no journal in it", home.0.path().display()));

        drop(home.store().open(&owner()).expect("a new journal"));

        assert_eq!(fs::read_to_string(home.marker()).expect("a file"), "eventful journal, format 3\n");
        [home.file(), home.marker()].iter().for_each(|file| fs::remove_file(file).expect("a file"));
    }
}

#[test]
fn journal_without_its_marker_is_opened_and_marked() {
    let home = MarkerDirectory::with_a_frame();
    fs::remove_file(home.marker()).expect("a file");
    drop(home.store().read_only().open(&owner()).expect("it is there"));
    assert!(!home.marker().exists(), "a look changes nothing");

    let journal = home.store().open(&owner()).expect("it is there");

    assert_eq!(journal.extent().end, Sequence::new(2));
    assert!(home.marker().exists());
}

#[test]
fn marker_that_cannot_be_written_refuses_to_open() {
    let home = MarkerDirectory(tempfile::tempdir().expect("a directory"));
    fs::create_dir(home.0.path().join("FORMAT.new")).expect("a directory");
    assert!(matches!(home.store().open(&owner()).map(drop), Err(OpenError::Io { .. })));
}

#[test]
fn marker_of_a_newer_program_refuses_to_open_and_to_salvage() {
    let home = MarkerDirectory::with_a_frame();
    fs::write(home.marker(), "eventful journal, format 4\n").expect("a file");
    let newer = OpenError::from(TooNew::format(home.marker().display(), 4, 3));
    for mut store in [home.store(), home.store().read_only()] {
        assert_eq!(store.open(&owner()).map(drop), Err(newer.clone()));
    }
    let to = home.0.path().join("saved");
    let salvaged = home.store().salvage(&DiskStore::new(&to), &owner(), &Config::default());
    assert_eq!(salvaged.expect_err("a newer one").to_string(), newer.to_string());
    assert!(!to.exists());
}

#[test]
fn marker_without_a_number_is_damage_and_no_matter_to_salvage() {
    let home = MarkerDirectory::with_a_frame();
    let to = home.0.path().join("saved");
    for words in ["eventful", "eventful journal, format 0\n", "eventful journal, format x\n", ""] {
        fs::write(home.marker(), words).expect("a file");
        assert!(matches!(home.store().open(&owner()).map(drop), Err(OpenError::Corrupt(_))), "{words}");

        let salvaged = home.store().salvage(&DiskStore::new(&to), &owner(), &Config::default());

        assert_eq!(salvaged.expect("the frames are sound").frames, 1, "{words}");
        fs::remove_dir_all(&to).expect("a directory");
    }
}

#[test]
fn salvaged_journal_is_marked() {
    let home = MarkerDirectory::with_a_frame();
    let to = home.0.path().join("saved");

    home.store().salvage(&DiskStore::new(&to), &owner(), &Config::default()).expect("a sound journal");

    assert!(to.join("FORMAT").exists() && !to.join("UNFINISHED").exists());
}

#[test]
fn recovery_reports_a_new_journal_and_the_number_of_records() {
    let home = MarkerDirectory(tempfile::tempdir().expect("a directory"));
    let numbers = |RecoveryProgress { read, total, records, .. }: RecoveryProgress| (read, total, records);
    let open = || {
        let mut last = None;
        let opened = recover(&mut home.store(), &owner(), &Config::default(), 9, &mut |progress| last = Some(progress));
        (opened.expect("a journal").log, last.map(numbers))
    };
    let (mut log, found) = open();
    assert_eq!(found, Some((0, 0, 0)));
    log.append(&crate::script::accepted("order-17")).expect("room");
    drop(log);
    assert_eq!(open().1, Some((1, 1, 1)));
}

fn owner() -> Owner {
    Owner::new("a test")
}

/// A directory.
struct MarkerDirectory(TempDir);

impl MarkerDirectory {
    /// With a journal of one frame.
    fn with_a_frame() -> Self {
        let home = Self(tempfile::tempdir().expect("a directory"));
        let opened = recover(&mut home.store(), &owner(), &Config::default(), u64::MAX, &mut |_| {});
        opened.expect("a new journal").log.append(&crate::script::accepted("order-17")).expect("room");
        home
    }

    fn store(&self) -> DiskStore {
        DiskStore::new(self.0.path())
    }

    /// The first segment.
    fn file(&self) -> PathBuf {
        self.0.path().join("log-00000000000000000001")
    }

    fn marker(&self) -> PathBuf {
        self.0.path().join("FORMAT")
    }
}
