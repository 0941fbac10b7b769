//! Rules of room, which only show on journals that have little.

use super::steps::{MakeJournal, append, bytes, frames, open, trim};
use crate::journal::error::WriteError;
use crate::journal::sequence::Sequence;
use crate::journal::store::Journal;

/// A frame is taken while there is twice the room that its bytes need, and two pages.
pub(super) fn while_there_is_room_appends_are_taken(make: MakeJournal<'_>) {
    let mut journal = open(&mut *make());
    for size in [70_000, 4096, 2100, 300, 1] {
        fill(&mut *journal, size);
        let (end, room) = (journal.extent().end, journal.room().0);
        assert!(room < wanted(size), "a frame of {size} bytes is taken while there is room: {room} bytes");
        assert_eq!(journal.append(end, &bytes(0, size)), Err(WriteError::Full), "no room stays no room");
    }
}

/// A part is put while there is twice the room that its bytes need, and two pages.
pub(super) fn while_there_is_room_parts_are_put(max_bytes: u64, make: MakeJournal<'_>) {
    let mut journal = open(&mut *make());
    append(&mut *journal, b"frame");
    let (mut part, mut put) = (0, 0);
    for size in [70_000, 4096, 2100, 300, 1] {
        loop {
            let (room, bytes) = (journal.room().0, bytes(part.into(), size));
            match journal.put_snapshot(Sequence::new(2), part, &bytes, false) {
                Ok(()) => {
                    (part, put) = (part + 1, put + size as u64);
                    assert!(put <= max_bytes, "there is no room for a part: {put} bytes were put into {max_bytes}");
                }
                Err(WriteError::Full) => {
                    break assert!(room < wanted(size), "a part of {size} bytes is refused at {room} bytes of room");
                }
                Err(error) => panic!("part {part} is put, or there is no room: {error}"),
            }
        }
    }
}

pub(super) fn a_full_journal_takes_frames_again_once_it_is_trimmed(make: MakeJournal<'_>) {
    let mut journal = open(&mut *make());
    for round in 0..3 {
        fill(&mut *journal, 10_000);
        let end = journal.extent().end;
        trim(&mut *journal, end.number());
        // A journal may remove what was trimmed step by step, with each seal.
        while journal.room().0 < wanted(10_000) {
            let before = journal.room();
            journal.seal().unwrap_or_else(|error| panic!("a seal in round {round}: {error}"));
            assert!(journal.room() > before, "what is trimmed becomes room again");
        }
        append(&mut *journal, &bytes(round, 10_000));
    }
}

pub(super) fn a_full_journal_keeps_what_it_has(make: MakeJournal<'_>) {
    let mut store = make();
    let mut journal = open(&mut *store);
    fill(&mut *journal, 10_000);
    let kept = frames(&mut *journal);
    let end = journal.extent().end;
    assert_eq!(journal.put_snapshot(end, 0, &bytes(0, 1 << 20), true), Err(WriteError::Full), "no room for a part");
    drop(journal);
    assert!(frames(&mut *open(&mut *store)) == kept, "what is refused takes nothing away");
}

/// Appends frames of this size until there is no room for another one.
fn fill(journal: &mut dyn Journal, size: usize) {
    loop {
        let (end, room) = (journal.extent().end, journal.room().0);
        match journal.append(end, &bytes(end.number(), size)) {
            Ok(()) => {}
            Err(WriteError::Full) => {
                return assert!(room < wanted(size), "a frame of {size} bytes is refused at {room} bytes of room");
            }
            Err(error) => panic!("frame {end} is appended, or there is no room: {error}"),
        }
    }
}

/// Returns the room at which a frame or a part of this size must be accepted.
const fn wanted(size: usize) -> u64 {
    2 * size as u64 + (8 << 10)
}
