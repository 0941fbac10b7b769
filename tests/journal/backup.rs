//! A copy of a journal: its contents, and the report of it.

use eventful::Config;
use eventful::journal::{DiskStore, JournalLog, JournalStore as _, Owner, recover};

use crate::image::Holdings;
use crate::script::accepted;

/// The bytes of the record that ends a segment.
const END_BYTES: u64 = 512;

#[test]
fn backup_reports_what_it_has_copied() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = || DiskStore::new(directory.path().join("data")).segment_bytes(4096, 8192);
    let copy = || DiskStore::new(directory.path().join("copy"));
    let recovered = recover(&mut store(), &owner(), &Config::default(), u64::MAX, &mut |_| {});
    let mut log = recovered.expect("a new journal").log;
    log.append(&accepted("order-0")).expect("room");
    let mut snapshots = 0;
    for orders in [1..30, 30..60, 60..90] {
        append(&mut log, orders);
        snapshots += u64::from(log.snapshot().is_ok());
    }
    append(&mut log, 90..120);
    assert_eq!(snapshots, 3);

    let reported = store().backup(&copy(), &owner()).expect("room");

    let held = |store: DiskStore| {
        let mut journal = store.read_only().open(&owner()).expect("a journal");
        Holdings::of(&mut *journal).expect("it is sound")
    };
    let (source, target) = (held(store()), held(copy()));
    assert!(target == source, "{:?} of {:?}", target.extent, source.extent);
    assert_eq!((reported.extent, reported.snapshots), (source.extent, source.snapshots.len()));
    assert_eq!((reported.end(), source.snapshots.len()), (log.next(), 2));
    // The segments of the copy, but for the newest, have an end, which is no part of the contents.
    let copied = std::fs::read_dir(directory.path().join("copy")).expect("a directory");
    let names = copied.map(|file| file.expect("a file").file_name());
    let ended = names.filter(|name| name.as_encoded_bytes().starts_with(b"log-")).count() as u64 - 1;
    assert!(ended > 3, "{ended} segments");
    assert_eq!(reported.bytes, copy().size_bytes().expect("a disk") - ended * END_BYTES);
}

/// Appends one frame for each of these orders.
fn append(log: &mut JournalLog, orders: std::ops::Range<u32>) {
    orders.for_each(|order| log.append(&accepted(&format!("order-{order}"))[1..]).expect("room"));
}

fn owner() -> Owner {
    Owner::new("a test")
}
