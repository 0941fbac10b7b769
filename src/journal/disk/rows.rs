//! Rows: what the database keeps. A frame, or a part of a snapshot, is one row or several.
//!
//! ```text
//! bytes   0     4      5
//!         ┌─────┬──────┬───────
//!         │ crc │ last │ piece …
//!         └─────┴──────┴───────
//! ```
//!
//! `crc` is the CRC32C of everything else and of the row's place, so that a row is good only where
//! it was put. `last` is 1 in the row that ends its frame or part, else 0.

use redb::{Table, TableDefinition};
use std::vec::Vec;

use super::super::error::Corrupt;
use super::fault::Fault;

/// What a row is found by: a frame's number, and a place in it.
pub(super) type Key = (u64, u64);

/// A table of rows.
pub(super) type Rows<'a> = TableDefinition<'a, Key, &'static [u8]>;

/// Bytes of a page of the database.
pub(super) const PAGE_BYTES: usize = 4096;

/// Bytes that the database adds to a row that has a page of its own: a head, and the row's key and end.
const PLACE_BYTES: usize = 4 + 16 + 4;

/// Bytes before the piece.
const HEAD_BYTES: usize = 5;

/// Bytes of the largest piece.
pub(super) const PIECE_BYTES: usize = PAGE_BYTES - PLACE_BYTES - HEAD_BYTES;

/// What a row is a piece of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Frame = 1,
    Snapshot = 2,
}

impl Kind {
    /// Its table.
    pub(super) const fn rows(self) -> Rows<'static> {
        TableDefinition::new(self.table())
    }

    /// Its table's name.
    pub(super) const fn table(self) -> &'static str {
        match self {
            Self::Frame => "frames",
            Self::Snapshot => "snapshots",
        }
    }
}

/// Puts bytes into rows from this place on, in the place of those that are there.
pub(super) fn put(
    table: &mut Table<'_, Key, &'static [u8]>,
    kind: Kind,
    first: Key,
    bytes: &[u8],
) -> Result<Change, Fault> {
    let mut row = Vec::with_capacity(PAGE_BYTES.min(HEAD_BYTES + bytes.len()));
    let (mut rest, mut key, mut change) = (bytes, first, Change::default());
    loop {
        let (piece, behind) = rest.split_at(rest.len().min(PIECE_BYTES));
        encode(kind, key, behind.is_empty(), piece, &mut row);
        change.taken += room_of_row(row.len());
        if let Some(replaced) = table.insert(key, row.as_slice())? {
            change.given_back += room_of_row(replaced.value().len());
        }
        if behind.is_empty() {
            return Ok(change);
        }
        (rest, key.1) = (behind, key.1 + 1);
    }
}

/// How the room that rows take changes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Change {
    pub(super) taken: u64,
    pub(super) given_back: u64,
}

pub(super) fn encode(kind: Kind, key: Key, last: bool, piece: &[u8], row: &mut Vec<u8>) {
    row.clear();
    row.extend_from_slice(&checksum(kind, key, last.into(), piece).to_le_bytes());
    row.push(last.into());
    row.extend_from_slice(piece);
}

/// The piece in a row, and whether it is the last one. Nothing when it is not what was written.
pub(super) fn decode(kind: Kind, key: Key, row: &[u8]) -> Option<(&[u8], bool)> {
    let (crc, rest) = row.split_first_chunk()?;
    let (last, piece) = rest.split_first()?;
    let sound = checksum(kind, key, *last, piece) == u32::from_le_bytes(*crc) && *last <= 1;
    sound.then_some((piece, *last == 1))
}

fn checksum(kind: Kind, (number, place): Key, last: u8, piece: &[u8]) -> u32 {
    let mut head = [0; 18];
    head[0] = kind as u8;
    head[1] = last;
    head[2..10].copy_from_slice(&number.to_le_bytes());
    head[10..].copy_from_slice(&place.to_le_bytes());
    crc32c::crc32c_append(crc32c::crc32c(&head), piece)
}

/// Bytes that the rows of this many bytes take at most.
pub(super) fn room_of(bytes: usize) -> u64 {
    let full = (bytes / PIECE_BYTES) as u64;
    full * room_of_row(HEAD_BYTES + PIECE_BYTES) + room_of_row(HEAD_BYTES + bytes % PIECE_BYTES)
}

/// Bytes that a row takes at most. Small ones share pages, and two that follow each other fill more
/// than one page, or they would be in one.
pub(super) fn room_of_row(row: usize) -> u64 {
    (2 * (row + PLACE_BYTES)).min(PAGE_BYTES) as u64
}

/// Rows that are read one after the other, as what they are pieces of.
#[derive(Debug)]
pub(super) struct Assembly<'a> {
    kind: Kind,
    place: &'a str,
    /// The next row.
    key: Key,
    bytes: Vec<u8>,
}

impl<'a> Assembly<'a> {
    pub(super) const fn new(kind: Kind, place: &'a str, key: Key) -> Self {
        Self { kind, place, key, bytes: Vec::new() }
    }

    /// Takes the next row, and hands what it completes to `visit`. Answers whether it did.
    pub(super) fn add(&mut self, key: Key, row: &[u8], visit: &mut dyn FnMut(&[u8])) -> Result<bool, Corrupt> {
        if key != self.key {
            return Err(self.missing());
        }
        let (piece, last) =
            decode(self.kind, key, row).ok_or_else(|| Corrupt::new(self.at(), "its checksum does not fit"))?;
        match (self.bytes.is_empty(), last) {
            (true, true) => visit(piece),
            (false, true) => {
                self.bytes.extend_from_slice(piece);
                visit(&self.bytes);
                self.bytes.clear();
            }
            (_, false) => self.bytes.extend_from_slice(piece),
        }
        self.key.1 += 1;
        Ok(last)
    }

    /// Goes on with the frame of this number.
    pub(super) fn go_on(&mut self, number: u64) {
        self.key = (number, 0);
    }

    /// The damage that the next row is not there.
    pub(super) fn missing(&self) -> Corrupt {
        Corrupt::new(self.at(), "it is missing")
    }

    fn at(&self) -> std::string::String {
        place_of(self.kind, self.place, self.key)
    }
}

/// Whether the row with this key can be the next one of its table.
pub(super) fn follows(kind: Kind, before: Key, (number, place): Key) -> bool {
    let next_row = (number, place) == (before.0, before.1.wrapping_add(1));
    next_row
        || match kind {
            Kind::Frame => place == 0 && number == before.0.wrapping_add(1),
            Kind::Snapshot => {
                let next_part = number == before.0 && place == ((before.1 >> 32) + 1) << 32;
                next_part || place == 0 && number > before.0
            }
        }
}

/// A row's place, in words.
pub(super) fn place_of(kind: Kind, file: &str, (number, place): Key) -> std::string::String {
    match kind {
        Kind::Frame => std::format!("{file}, frame {number}, row {place}"),
        Kind::Snapshot => {
            let (part, row) = (place >> 32, place & u64::from(u32::MAX));
            std::format!("{file}, snapshot before frame {number}, part {part}, row {row}")
        }
    }
}
