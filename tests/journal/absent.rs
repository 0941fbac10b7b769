//! A journal on disk whose directory goes while it is open.

use std::fs;
use std::path::PathBuf;

use eventful::journal::{DiskStore, Journal, JournalStore as _, OpenError, Owner, WriteError};
use tempfile::TempDir;

/// A directory that can be taken away and brought back, with an open journal in it.
struct MovableDirectory {
    parent: TempDir,
    store: DiskStore,
    journal: Box<dyn Journal>,
}

impl MovableDirectory {
    fn new() -> Self {
        let parent = tempfile::tempdir().expect("a directory");
        let mut store = DiskStore::new(parent.path().join("data"));
        let mut journal = store.open(&Owner::new("a test")).expect("a journal");
        let first = journal.extent().end;
        journal.append(first, b"first").expect("room");
        Self { parent, store, journal }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.parent.path().join(name)
    }

    fn append(&mut self) -> Result<(), WriteError> {
        let next = self.journal.extent().end;
        self.journal.append(next, b"another")
    }

    /// Returns why the journal cannot be reached, without the name of the directory that it was made in.
    fn cause(&mut self) -> String {
        let unreachable = self.append().expect_err("it cannot be reached");
        assert_eq!(self.journal.reach(), Err(unreachable.clone()));
        let WriteError::Unreachable { cause } = unreachable else { panic!("{unreachable}") };
        cause.replace(&self.parent.path().display().to_string(), "DIR")
    }
}

#[test]
fn journal_whose_directory_is_moved_away_writes_when_it_is_back() {
    let mut home = MovableDirectory::new();
    fs::rename(home.path("data"), home.path("elsewhere")).expect("a move");
    assert_eq!(home.cause(), "DIR/data/LOCK: No such file or directory (os error 2)");

    fs::rename(home.path("elsewhere"), home.path("data")).expect("a move");
    assert_eq!((home.journal.reach(), home.append()), (Ok(()), Ok(())));
}

#[test]
fn journal_in_whose_place_is_another_file_is_not_written() {
    let mut home = MovableDirectory::new();
    fs::rename(home.path("data"), home.path("elsewhere")).expect("a move");
    fs::create_dir(home.path("data")).expect("a directory");
    fs::write(home.path("data/LOCK"), "another").expect("a file");
    assert_eq!(home.cause(), "DIR/data: another directory has taken the place of the journal that is open");
    assert_eq!(fs::read_dir(home.path("data")).expect("a directory").count(), 1, "nothing is written there");
}

#[test]
fn journal_that_was_open_is_not_made_again_in_an_empty_place() {
    let mut home = MovableDirectory::new();
    fs::remove_dir_all(home.path("data")).expect("it goes");
    let refused = home.store.open(&Owner::new("a test")).map(drop);
    let Err(OpenError::Io { cause, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!(cause, "the journal that was in it is gone: bring it back");
    assert!(!home.path("data").exists(), "nothing is made");
}
