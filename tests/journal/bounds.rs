//! The bytes that the files of a journal on disk take, counted from the files.

use std::collections::BTreeMap;

use eventful::journal::{JournalStore as _, Owner, Sequence, WriteError};

use crate::image::Image;

/// The bytes of the parts that are put.
const PART_BYTES: usize = 10_000;

#[test]
fn files_stay_in_their_bound_while_a_segment_is_prepared() {
    for max_bytes in [500_000, 700_000, 1_000_000] {
        let image = Image::default();
        let mut journal = image.store().max_bytes(max_bytes).open(&Owner::new("a test")).expect("room");
        let (mut next, mut part, mut prepared) = (Sequence::FIRST, 0, false);
        while !prepared {
            journal.append(next, &[7; 3000]).expect("room");
            next = next.next();
            prepared = image.files().contains_key("log.new");
        }
        let at = next;
        loop {
            match journal.put_snapshot(at, part, &[7; PART_BYTES], false) {
                Ok(()) => part += 1,
                Err(error) => break assert_eq!(error, WriteError::Full),
            }
            assert_bounded(&image, max_bytes);
        }
        let room = journal.room().0;
        assert!(room < PART_BYTES as u64 + 512, "a part is refused at {room} bytes of room");
        while journal.append(next, &[7; 3000]).is_ok() {
            next = next.next();
            assert_bounded(&image, max_bytes);
        }
        assert!(u64::from(part) > max_bytes / PART_BYTES as u64 / 2, "{part} parts");
    }
}

#[test]
fn records_do_not_make_a_segment_longer() {
    for frames in 20..=40 {
        let image = Image::default();
        let mut journal = image.open().expect("a journal");
        let mut allocated = BTreeMap::new();
        let mut check = |after: &str, number: u64| {
            for (name, bytes) in image.files().iter().filter(|(name, _)| name.starts_with("log-")) {
                let most = *allocated.entry(name.clone()).or_insert(bytes.len());
                assert!(bytes.len() <= most, "{name} has grown after {after} {number} of {frames} frames");
            }
        };
        for frame in 1..=frames {
            journal.append(Sequence::new(frame), &[7; 100]).expect("room");
            check("frame", frame);
        }
        for below in 2..=frames {
            journal.seal().expect("a disk");
            journal.trim(Sequence::new(below)).expect("a disk");
            check("a trim at", below);
        }
    }
}

fn assert_bounded(image: &Image, max_bytes: u64) {
    let files = image.files();
    let bytes: usize = files.iter().filter(|(name, _)| *name != "FORMAT").map(|(_, bytes)| bytes.len()).sum();
    assert!(bytes as u64 <= max_bytes, "{bytes} bytes of {max_bytes}");
}
