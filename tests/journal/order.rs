//! Whole records and segments of a journal on disk, which must follow each other.

use eventful::journal::{Journal, OpenError, Sequence};

use crate::image::{Files, Image};

/// The bytes of a record without a body, and of the sector at which a record begins.
const SECTOR_BYTES: usize = 512;

/// The first segment of a journal.
const SEGMENT: &str = "log-00000000000000000001";

/// Kinds of records, as `docs/ARCHITECTURE.md` numbers them.
const HEAD: u8 = 1;
const FRAME: u8 = 2;
const SEAL: u8 = 3;
const TRIM: u8 = 4;
const END: u8 = 5;
const PART: u8 = 6;
const LAST_PART: u8 = 7;

#[test]
fn record_that_does_not_follow_is_refused() {
    let (files, end) = killed();
    for (kind, numbers) in [
        (HEAD, &[1, 2][..]),
        (FRAME, &[5, 7]),
        (SEAL, &[5, 7]),
        (TRIM, &[2, 7]),
        (END, &[1, 3]),
        (PART, &[0]),
        (LAST_PART, &[0]),
    ] {
        for number in numbers {
            let refused = Image::of(with_record(&files, end, kind, *number)).open().map(drop);
            let Err(OpenError::Corrupt(corrupt)) = refused else { panic!("kind {kind}, {number}: {refused:?}") };
            assert_eq!(
                (corrupt.at, corrupt.problem),
                (format!("the image/{SEGMENT} at byte {end}"), "what stands there does not follow".into()),
                "kind {kind}, {number}"
            );
        }
    }
}

#[test]
fn record_that_follows_is_taken() {
    let (files, end) = killed();
    for (kind, number, first, next) in
        [(FRAME, 6, 3, 7), (SEAL, 6, 3, 6), (TRIM, 3, 3, 6), (TRIM, 4, 4, 6), (TRIM, 6, 6, 6)]
    {
        let journal = Image::of(with_record(&files, end, kind, number)).open().expect("it follows");
        let (first, end) = (Sequence::new(first), Sequence::new(next));
        assert_eq!(journal.extent(), eventful::journal::Extent { first, end }, "kind {kind}, {number}");
    }
}

#[test]
fn segment_names_the_one_that_follows_it_however_it_ended() {
    let full = Image::default();
    let mut journal = full.open().expect("a journal");
    (1..=5).for_each(|frame| append(&mut *journal, frame, 10_000));
    drop(journal);
    let reopened = Image::default();
    for frame in 1..=3 {
        let mut journal = reopened.open().expect("a journal");
        append(&mut *journal, frame, 100);
    }
    for image in [full, reopened] {
        let mut files = image.files();
        let (newest, _) = files.pop_last().expect("a snapshot or segment");
        assert!(newest.starts_with("log-") && newest != SEGMENT, "{newest}");
        let before = files.last_key_value().map(|(name, _)| name.clone()).expect("a segment");

        let refused = Image::of(files).open().map(drop);

        let Err(OpenError::Corrupt(corrupt)) = refused else { panic!("{refused:?}") };
        assert_eq!(
            (corrupt.at, corrupt.problem),
            (format!("the image/{newest} at byte 0"), format!("it is missing, though {before} ends with it"))
        );
    }
}

/// The files of a journal with frames 3 to 5 whose process was killed, and the byte at which its records end.
fn killed() -> (Files, usize) {
    let image = Image::default();
    let mut journal = image.open().expect("a journal");
    (1..=5).for_each(|frame| append(&mut *journal, frame, 100));
    journal.trim(Sequence::new(3)).expect("room");
    let files = image.files();
    let last = files[SEGMENT].iter().rposition(|byte| *byte != 0).expect("a record");
    (files, (last + 1).next_multiple_of(SECTOR_BYTES))
}

/// Returns these files with one more record, without a body, at this byte of the first segment.
fn with_record(files: &Files, at: usize, kind: u8, number: u64) -> Files {
    let place = [1u64.to_le_bytes(), (at as u64).to_le_bytes()].concat();
    let head = [&[kind, 0, 0, 0, 0, 0, 0, 0][..], &number.to_le_bytes(), &crc32c::crc32c(&[]).to_le_bytes()].concat();
    let crc = crc32c::crc32c_append(crc32c::crc32c(&place), &head);
    let record = [head, crc.to_le_bytes().to_vec()].concat();
    let mut files = files.clone();
    files.get_mut(SEGMENT).expect("a segment")[at..at + record.len()].copy_from_slice(&record);
    files
}

fn append(journal: &mut dyn Journal, frame: u64, size: usize) {
    journal.append(Sequence::new(frame), &vec![7; size]).expect("room");
}
