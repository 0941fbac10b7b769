//! A journal on disk.

use eventful::journal::{DiskStore, JournalStore as _, Owner, Sequence};

#[test]
fn what_was_appended_is_read_after_reopening() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut store = DiskStore::new(directory.path().join("data"));
    let mut journal = store.open(&Owner::new("a test")).expect("a journal");
    for (number, size) in [0, 1, 4067, 4068, 5000, 1 << 20].into_iter().enumerate() {
        journal.append(Sequence::new(number as u64 + 1), &vec![7; size]).expect("room");
    }
    drop(journal);
    let mut journal = store.open(&Owner::new("a test")).expect("a journal");
    let mut sizes = Vec::new();
    let mut next = Sequence::FIRST;
    while next < journal.extent().end {
        next = journal.read(next, 1000, &mut |_, frame| sizes.push(frame.len())).expect("frames");
    }
    assert_eq!(sizes, [0, 1, 4067, 4068, 5000, 1 << 20]);
}
