//! The journals of several engines in one directory.

use std::fs;
use std::path::Path;

use eventful::engine::{Shard, ShardCount};
use eventful::journal::{DiskShards, DiskStore, JournalStore, OpenError, Owner, ShardStores as _};
use tempfile::TempDir;

#[test]
fn each_shard_has_a_directory_of_its_own() {
    let home = tempfile::tempdir().expect("a directory");
    let place = home.path().join("data");
    for _ in 0..2 {
        let journals = open(&place, 3).expect("journals");
        assert_eq!(journals.len(), 3);
    }
    let names: Vec<_> =
        fs::read_dir(&place).expect("a directory").map(|entry| entry.expect("an entry").file_name()).collect();
    assert_eq!(names.len(), 3);
    assert!((0..3).all(|shard| names.contains(&format!("shard-{shard}-of-3").into())), "{names:?}");
    assert!(DiskStore::is_in(place.join("shard-2-of-3")).expect("it can be read"));
}

#[test]
fn directory_of_another_number_of_shards_is_refused() {
    let home = with_journals(3);
    for wanted in [1, 2, 4] {
        let refused = open(home.path(), wanted).expect_err("another number");
        let place = home.path().display().to_string();
        assert_eq!(refused, OpenError::OtherShards { place, found: 3, wanted });
        assert!(refused.to_string().contains("start with 3, since the number cannot be changed"), "{refused}");
    }
    assert!(open(home.path(), 3).is_ok(), "a refusal has changed nothing");
}

#[test]
fn journal_of_one_engine_and_those_of_shards_exclude_each_other() {
    let home = tempfile::tempdir().expect("a directory");
    drop(DiskStore::new(home.path()).open(&owner()).expect("a journal"));
    for shards in [1, 4] {
        let refused = open(home.path(), shards).expect_err("there is one journal");
        assert!(matches!(refused, OpenError::OtherShards { found: 1, .. }), "{refused}");
    }
    let home = with_journals(4);
    for mut store in [DiskStore::new(home.path()), DiskStore::new(home.path()).read_only()] {
        let refused = store.open(&owner()).expect_err("there are four");
        assert!(matches!(refused, OpenError::OtherShards { found: 4, wanted: 1, .. }), "{refused}");
    }
}

#[test]
fn shard_whose_directory_is_lost_is_not_begun_again() {
    let home = with_journals(3);
    fs::remove_dir_all(home.path().join("shard-1-of-3")).expect("a directory");
    let refused = open(home.path(), 3).expect_err("one is lost").to_string();
    assert!(refused.contains("shard-1-of-3: a journal was here"), "{refused}");
    assert!(refused.contains("its directory is missing, while shard 0 has its journal"), "{refused}");
    assert!(!home.path().join("shard-1-of-3").exists());
}

#[test]
fn directories_that_a_crash_left_without_journals_are_used() {
    let home = tempfile::tempdir().expect("a directory");
    fs::create_dir(home.path().join("shard-0-of-3")).expect("a directory");
    assert_eq!(open(home.path(), 3).expect("journals").len(), 3);
}

#[test]
fn bound_is_on_all_journals_together() {
    let home = tempfile::tempdir().expect("a directory");
    let capacities = |journals: DiskShards| {
        let stores = Box::new(journals).stores(count(4)).expect("stores");
        stores.iter().map(|store| store.capacity_bytes()).collect::<Vec<_>>()
    };
    assert_eq!(capacities(DiskShards::new(home.path()).max_bytes(1 << 30)), [1 << 28; 4]);
    assert_eq!(capacities(DiskShards::new(home.path())), [u64::MAX; 4]);
}

#[test]
fn directory_that_cannot_be_made_is_refused_with_its_name() {
    let home = tempfile::tempdir().expect("a directory");
    let refused = open(&home.path().join("absent/data"), 2).expect_err("it has no parent").to_string();
    assert!(refused.contains("absent/data") && refused.contains("does not exist"), "{refused}");
    fs::write(home.path().join("shard-1-of-2"), "").expect("a file");
    let refused = open(home.path(), 2).expect_err("there is a file").to_string();
    assert!(refused.contains("shard-1-of-2"), "{refused}");
}

fn with_journals(shards: u16) -> TempDir {
    let home = tempfile::tempdir().expect("a directory");
    open(home.path(), shards).expect("journals");
    home
}

/// Opens each journal, which makes it. Returns the shards.
fn open(place: &Path, shards: u16) -> Result<Vec<Shard>, OpenError> {
    let stores = Box::new(DiskShards::new(place)).stores(count(shards))?;
    let opened = stores.into_iter().zip(count(shards).shards());
    opened.map(|(mut store, shard)| store.open(&owner()).map(|_| shard)).collect()
}

fn count(shards: u16) -> ShardCount {
    ShardCount::new(shards).expect("a count")
}

fn owner() -> Owner {
    Owner::new("a test")
}
