//! A directory of format 3 as it was written when the format was made, file by file.

use std::fmt::Write as _;

use eventful::journal::{Journal, JournalStore as _, OpenError, Owner, Sequence};

use crate::image::{Files, Holdings, Image};

const SECTOR_BYTES: usize = 512;

/// For each file its name and its length, then a line for each sector that is not all zeros: the byte at which it begins, and
/// its bytes without the zeros at its end.
const GOLDEN: &str = include_str!("golden/disk-3.txt");

#[test]
fn directory_of_format_3_is_written_as_it_was() {
    let written = lines(&write().files());
    assert_eq!(written, GOLDEN, "a change of the format needs a number of its own");
}

#[test]
fn directory_of_format_3_is_read() {
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
fn format_3_with_any_byte_changed_is_refused_or_reads_the_same() {
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
    image.store().segment_bytes(4096, 4096).open(&Owner::new("a test"))
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
        writeln!(lines, "{name} {}", bytes.len()).expect("memory");
        for (number, sector) in bytes.chunks(SECTOR_BYTES).enumerate() {
            let Some(last) = sector.iter().rposition(|byte| *byte != 0) else { continue };
            write!(lines, "  {} ", number * SECTOR_BYTES).expect("memory");
            sector[..=last].iter().for_each(|byte| write!(lines, "{byte:02x}").expect("memory"));
            lines.push('\n');
        }
    }
    lines
}

fn files() -> Files {
    let byte = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).expect("digits"), 16).expect("digits");
    let (mut files, mut name) = (Files::default(), "");
    for line in GOLDEN.lines() {
        let (first, second) = line.trim_start().split_once(' ').expect("two words");
        if line.starts_with(' ') {
            let (at, bytes) = (first.parse().expect("a number"), second.as_bytes().chunks(2).map(byte));
            let file: &mut Vec<u8> = files.get_mut(name).expect("a file");
            file.iter_mut().skip(at).zip(bytes).for_each(|(target, byte)| *target = byte);
        } else {
            name = first;
            files.insert(name.to_owned(), vec![0; second.parse().expect("a number")]);
        }
    }
    files
}
