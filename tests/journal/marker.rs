//! A directory that had a journal is not taken for a new one.

use std::fs;
use std::path::{Path, PathBuf};

use eventful::Config;
use eventful::journal::{DiskStore, JournalStore as _, OpenError, Owner, Progress, Sequence, TooNew, recover};
use tempfile::TempDir;

#[test]
fn journal_whose_file_is_empty_or_missing_is_refused() {
    for damage in [empty as fn(&Path), zero, remove] {
        let home = Home::with_a_frame();
        damage(&home.file());
        for mut store in [home.store(), home.store().read_only()] {
            let refused = store.open(&owner()).map(drop);
            let Err(OpenError::Gone { place, marker, .. }) = refused else { panic!("{refused:?}") };
            let paths = (home.file().display().to_string(), home.marker().display().to_string());
            assert_eq!((place, marker), paths);
        }
        assert!(matches!(DiskStore::is_in(home.0.path()), Err(OpenError::Gone { .. })));
        let to = home.0.path().join("saved");
        let salvaged = home.store().salvage(&mut DiskStore::new(&to), &owner(), &Config::default());
        assert!(salvaged.is_err_and(|error| error.to_string().contains("a journal was here")));
        assert!(!to.exists());
    }
}

#[test]
fn journal_that_is_gone_makes_way_for_a_new_one_without_its_marker() {
    let home = Home::with_a_frame();
    empty(&home.file());
    fs::remove_file(home.marker()).expect("a file");

    let journal = home.store().open(&owner()).expect("a new journal");

    assert_eq!(journal.extent().end, Sequence::FIRST);
}

#[test]
fn marker_comes_only_after_the_journal_is_whole() {
    let home = Home(tempfile::tempdir().expect("a directory"));
    for begun in [vec![], vec![7; 300], vec![0; 73_728]] {
        fs::write(home.file(), begun).expect("a file");
        assert!(!home.marker().exists(), "a journal in the making has none");
        assert_eq!(DiskStore::is_in(home.0.path()), Ok(false));
        let look = home.store().read_only().open(&owner()).map(drop);
        let words = look.expect_err("there is nothing to look at").to_string();
        assert_eq!(words, format!("{}: there is no journal in it", home.0.path().display()));

        drop(home.store().open(&owner()).expect("a new journal"));

        assert_eq!(fs::read_to_string(home.marker()).expect("a file"), "eventful journal, format 1\n");
        [home.file(), home.marker()].iter().for_each(|file| fs::remove_file(file).expect("a file"));
    }
}

#[test]
fn journal_from_before_there_were_markers_is_opened_and_marked() {
    let home = Home::with_a_frame();
    fs::remove_file(home.marker()).expect("a file");
    drop(home.store().read_only().open(&owner()).expect("it is there"));
    assert!(!home.marker().exists(), "a look changes nothing");

    drop(home.store().open(&owner()).expect("it is there"));

    assert!(home.marker().exists());
}

#[test]
fn marker_that_cannot_be_written_refuses_a_new_journal_only() {
    let home = Home(tempfile::tempdir().expect("a directory"));
    fs::create_dir(home.0.path().join("FORMAT.new")).expect("a directory");
    assert!(matches!(home.store().open(&owner()).map(drop), Err(OpenError::Io { .. })));

    let home = Home::with_a_frame();
    fs::remove_file(home.marker()).expect("a file");
    fs::create_dir(home.0.path().join("FORMAT.new")).expect("a directory");
    assert_eq!(home.store().open(&owner()).map(drop), Ok(()));
}

#[test]
fn marker_of_a_newer_program_refuses_to_open_and_to_salvage() {
    let home = Home::with_a_frame();
    fs::write(home.marker(), "eventful journal, format 2\n").expect("a file");
    let newer = OpenError::from(TooNew::format(home.marker().display(), 2, 1));
    for mut store in [home.store(), home.store().read_only()] {
        assert_eq!(store.open(&owner()).map(drop), Err(newer.clone()));
    }
    let to = home.0.path().join("saved");
    let salvaged = home.store().salvage(&mut DiskStore::new(&to), &owner(), &Config::default());
    assert_eq!(salvaged.expect_err("a newer one").to_string(), newer.to_string());
    assert!(!to.exists());

    fs::write(home.marker(), "eventful").expect("a file");
    assert!(matches!(home.store().open(&owner()).map(drop), Err(OpenError::Corrupt(_))));
}

#[test]
fn salvage_needs_only_one_sound_word_of_the_format() {
    let home = Home::with_a_frame();
    let to = home.0.path().join("saved");
    let salvage = || home.store().salvage(&mut DiskStore::new(&to), &owner(), &Config::default());
    home.write_format(3);
    assert_eq!(salvage().expect("the marker is sound").frames, 1);
    fs::remove_dir_all(&to).expect("a directory");

    let newer = TooNew::format(home.0.path().join("journal.redb").display(), 3, 1);
    fs::write(home.marker(), "eventful").expect("a file");
    assert_eq!(salvage().expect_err("a newer one").to_string(), newer.to_string());
    fs::remove_file(home.marker()).expect("a file");
    assert_eq!(salvage().expect_err("a newer one").to_string(), newer.to_string());
    assert!(!to.exists());

    home.write_format(1);
    fs::write(home.marker(), "eventful").expect("a file");
    assert_eq!(salvage().expect("the database is sound").frames, 1);
}

#[test]
fn salvaged_journal_is_marked() {
    let home = Home::with_a_frame();
    let to = home.0.path().join("saved");

    home.store().salvage(&mut DiskStore::new(&to), &owner(), &Config::default()).expect("a sound journal");

    assert!(to.join("FORMAT").exists());
}

#[test]
fn recovery_says_whether_the_journal_is_new_and_how_many_records_it_has() {
    let home = Home(tempfile::tempdir().expect("a directory"));
    let open = || {
        let mut last = None;
        let opened = recover(&mut home.store(), &owner(), &Config::default(), 9, &mut |progress| last = Some(progress));
        (opened.expect("a journal").log, last)
    };
    let (mut log, found) = open();
    assert_eq!(found, Some(Progress { read: 0, total: 0, records: 0 }));
    log.append(&crate::script::accepted("order-17")).expect("room");
    drop(log);
    assert_eq!(open().1, Some(Progress { read: 1, total: 1, records: 1 }));
}

fn empty(file: &Path) {
    fs::write(file, "").expect("a file");
}

/// As a crash leaves it that kept a database from being made.
fn zero(file: &Path) {
    fs::write(file, vec![0; 73_728]).expect("a file");
}

fn remove(file: &Path) {
    fs::remove_file(file).expect("a file");
}

fn owner() -> Owner {
    Owner::new("a test")
}

/// A directory.
struct Home(TempDir);

impl Home {
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

    fn file(&self) -> PathBuf {
        self.0.path().join("journal.redb")
    }

    fn marker(&self) -> PathBuf {
        self.0.path().join("FORMAT")
    }

    fn write_format(&self, format: u64) {
        crate::image::write_format(&self.file(), format);
    }
}
