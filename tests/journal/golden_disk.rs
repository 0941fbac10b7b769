//! A directory of format 2 as it was written when the format was made, file by file.

use std::fmt::Write as _;

use eventful::journal::{Journal, JournalStore as _, OpenError, Owner, Sequence};

use crate::image::{Files, Holdings, Image};

/// One line for each file: its name, and its bytes.
const GOLDEN: &str = include_str!("golden/disk-2.txt");

#[test]
fn directory_of_format_2_is_written_as_it_was() {
    let written = lines(&write().files());
    assert_eq!(written, GOLDEN, "a change of the format needs a number of its own");
}

#[test]
fn directory_of_format_2_is_read() {
    let files = files();
    let segments = files.keys().filter(|name| name.starts_with("log-")).count();
    assert!(segments >= 2 && files.contains_key("snapshot-00000000000000000004"), "{:?}", files.keys());

    let mut journal = open(&Image::of(files)).expect("a sound journal");

    let held = Holdings::of(&mut *journal).expect("a sound journal");
    assert_eq!((held.extent.first, held.extent.end), (Sequence::new(3), Sequence::new(8)));
    assert_eq!(held.frames, (3..8).map(frame).collect::<Vec<_>>());
    assert_eq!(held.snapshots, [(Sequence::new(4), vec![b"a part".to_vec(), b"another part".to_vec()])]);
    journal.append(Sequence::new(8), &frame(8)).expect("room");
}

#[test]
fn directory_of_format_2_with_any_byte_changed_is_refused_or_holds_the_same() {
    let sound = Holdings::of(&mut *open(&Image::of(files())).expect("a sound journal")).expect("a sound journal");
    let mut refused = 0;
    for (name, bytes) in files().iter().filter(|(name, _)| *name != "FORMAT") {
        for at in 0..bytes.len() {
            let mut rotten = files();
            rotten.get_mut(name).expect("a file")[at] ^= 0x11;
            match open(&Image::of(rotten)).map(|mut journal| Holdings::of(&mut *journal)) {
                Ok(Ok(held)) => assert!(held == sound, "{name} at byte {at}"),
                Ok(Err(_)) | Err(OpenError::Corrupt(_)) => refused += 1,
                Err(error) => panic!("{name} at byte {at}: {error}"),
            }
        }
    }
    assert!(refused > 500, "{refused}");
}

/// A journal with a trim, a snapshot, several segments and a seal, whose process was killed.
fn write() -> Image {
    let image = Image::default();
    let mut journal = open(&image).expect("a new journal");
    (1..7).for_each(|number| append(&mut *journal, number));
    journal.put_snapshot(Sequence::new(4), 0, b"a part", false).expect("room");
    journal.put_snapshot(Sequence::new(4), 1, b"another part", true).expect("room");
    journal.trim(Sequence::new(3)).expect("room");
    append(&mut *journal, 7);
    journal.seal().expect("room");
    image.refuse(Some(std::io::ErrorKind::Other));
    drop(journal);
    image
}

fn open(image: &Image) -> Result<Box<dyn Journal>, OpenError> {
    image.store().segment_bytes(400, 400).open(&Owner::new("a test"))
}

fn append(journal: &mut dyn Journal, number: u64) {
    journal.append(Sequence::new(number), &frame(number)).expect("room");
}

fn frame(number: u64) -> Vec<u8> {
    vec![number as u8; 50 + number as usize]
}

fn lines(files: &Files) -> String {
    let mut lines = String::new();
    for (name, bytes) in files {
        lines.push_str(name);
        lines.push(' ');
        bytes.iter().for_each(|byte| write!(lines, "{byte:02x}").expect("memory"));
        lines.push('\n');
    }
    lines
}

fn files() -> Files {
    let byte = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).expect("digits"), 16).expect("digits");
    let file = |line: &str| {
        let (name, digits) = line.split_once(' ').expect("a name and bytes");
        (name.to_owned(), digits.as_bytes().chunks(2).map(byte).collect())
    };
    GOLDEN.lines().map(file).collect()
}
