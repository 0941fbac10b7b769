//! Rules of snapshots.

use std::vec::Vec;

use super::steps::{MakeJournal, SIZES, append, bytes, is_unknown, open, parts, put, snapshot, snapshots};
use crate::journal::sequence::Sequence;

pub(super) fn a_snapshot_exists_once_its_last_part_was_put(make: MakeJournal<'_>) {
    let mut journal = open(&mut *make());
    append(&mut *journal, b"frame");
    put(&mut *journal, 2, 0, b"one", false);
    put(&mut *journal, 2, 1, b"two", false);
    assert_eq!(snapshots(&mut *journal), Vec::<u64>::new(), "an unfinished snapshot does not exist");
    assert_eq!(journal.snapshot(Sequence::new(2), 0), Ok(None), "an unfinished snapshot has no parts");
    // Parts of a snapshot are put between appends.
    append(&mut *journal, b"another frame");
    put(&mut *journal, 2, 2, b"three", true);
    assert_eq!(snapshots(&mut *journal), [2], "a finished snapshot exists");
    assert_eq!(parts(&mut *journal, 2), [&b"one"[..], b"two", b"three"], "a snapshot has the parts that were put");
    assert_eq!(journal.snapshot(Sequence::new(1), 0), Ok(None), "a snapshot that was never put has no parts");
}

pub(super) fn a_snapshot_of_any_size_is_read_as_it_was_put(make: MakeJournal<'_>) {
    let mut store = make();
    let mut journal = open(&mut *store);
    let put: Vec<_> = (0..).zip(SIZES).map(|(part, size)| bytes(part, size)).collect();
    snapshot(&mut *journal, 1, &put);
    assert!(parts(&mut *journal, 1) == put, "parts are read as they were put");
    drop(journal);
    assert!(parts(&mut *open(&mut *store), 1) == put, "parts are read after reopening as they were put");
}

pub(super) fn an_unfinished_snapshot_vanishes(make: MakeJournal<'_>) {
    let mut store = make();
    let mut journal = open(&mut *store);
    put(&mut *journal, 1, 0, &bytes(1, 9000), false);
    put(&mut *journal, 1, 1, &bytes(2, 9000), false);
    drop(journal);
    let mut journal = open(&mut *store);
    assert_eq!(snapshots(&mut *journal), Vec::<u64>::new(), "an unfinished snapshot vanishes");
    snapshot(&mut *journal, 1, &[b"short"]);
    drop(journal);
    assert_eq!(parts(&mut *open(&mut *store), 1), [b"short"], "nothing is left of an unfinished snapshot");
}

pub(super) fn part_0_begins_a_snapshot_again(make: MakeJournal<'_>) {
    let mut store = make();
    let mut journal = open(&mut *store);
    put(&mut *journal, 1, 0, &bytes(1, 9000), false);
    put(&mut *journal, 1, 1, &bytes(2, 9000), false);
    snapshot(&mut *journal, 1, &[&bytes(3, 9000)[..], b"new"]);
    assert!(parts(&mut *journal, 1) == [bytes(3, 9000), b"new".to_vec()], "part 0 begins a snapshot again");
    put(&mut *journal, 1, 0, b"newer", false);
    assert_eq!(snapshots(&mut *journal), Vec::<u64>::new(), "a snapshot that is begun again takes its own place");
    put(&mut *journal, 1, 1, b"newest", true);
    drop(journal);
    assert_eq!(parts(&mut *open(&mut *store), 1), [&b"newer"[..], b"newest"], "it is the one that was put last");
}

pub(super) fn a_part_follows_the_one_before_it_of_its_snapshot(make: MakeJournal<'_>) {
    for (at, part) in [(2, 1), (1, 2)] {
        let mut store = make();
        let mut journal = open(&mut *store);
        append(&mut *journal, b"frame");
        put(&mut *journal, 1, 0, b"part 0", false);
        let refused = journal.put_snapshot(Sequence::new(at), part, b"a part of another", true);
        assert!(is_unknown(&refused), "part {part} of snapshot {at} does not follow part 0 of snapshot 1: {refused:?}");
        drop(journal);
        assert_eq!(snapshots(&mut *open(&mut *store)), Vec::<u64>::new(), "no snapshot is made of such parts");
    }
}
