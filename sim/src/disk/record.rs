//! Records: what the files of a [`PlainStore`](super::PlainStore) are made of.
//!
//! ```text
//! bytes   0      4    5      8       16    24
//!         ┌──────┬────┬──────┬───────┬─────┬──────────
//!         │length│kind│zeros │number │hash │body … zeros
//!         └──────┴────┴──────┴───────┴─────┴──────────
//! ```
//!
//! Numbers are little-endian; a record has a multiple of eight bytes. The hash is over the place
//! of the record (its file's tag, and the byte at which it begins) and all of its other bytes, so
//! that a record that is read in another place is no record.

use std::hash::Hasher as _;

use crate::mix::Mix;

/// Bytes before the body.
pub(super) const HEAD_BYTES: usize = 24;

/// Where the hash stands.
const HASH_AT: usize = 16;

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The first of a segment; its number is that of the first frame in it, its body the number of
    /// the first frame of the journal. What came before is whole.
    Begin = 1,
    /// A frame.
    Frame,
    /// What comes before it is whole.
    Seal,
    /// A part of a snapshot.
    Part,
    /// The last part of a snapshot.
    LastPart,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Begin, Self::Frame, Self::Seal, Self::Part, Self::LastPart];

    fn of(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// A record, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) kind: Kind,
    pub(super) number: u64,
    pub(super) body: &'a [u8],
}

/// Bytes that a record with such a body takes.
pub(super) const fn bytes_of(body: usize) -> usize {
    (HEAD_BYTES + body).next_multiple_of(8)
}

/// Writes a record that is to stand at byte `at` of the file with this tag.
pub(super) fn encode(record: &Record<'_>, tag: u64, at: u64, out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(&(record.body.len() as u32).to_le_bytes());
    out.extend_from_slice(&[record.kind as u8, 0, 0, 0]);
    out.extend_from_slice(&record.number.to_le_bytes());
    out.extend_from_slice(&hash(out, record.body, tag, at).to_le_bytes());
    out.extend_from_slice(record.body);
    out.resize(bytes_of(record.body.len()), 0);
}

/// The record that these bytes begin with, when it is one that was written there.
pub(super) fn decode(bytes: &[u8], tag: u64, at: u64) -> Option<Record<'_>> {
    let head = bytes.get(..HEAD_BYTES)?;
    let kind = Kind::of(head[4])?;
    let length = u32::from_le_bytes(head[..4].try_into().ok()?) as usize;
    let body = bytes.get(..bytes_of(length))?.get(HEAD_BYTES..HEAD_BYTES + length)?;
    let found = u64::from_le_bytes(head[HASH_AT..].try_into().ok()?);
    let number = u64::from_le_bytes(head[8..HASH_AT].try_into().ok()?);
    (found == hash(&head[..HASH_AT], body, tag, at)).then_some(Record { kind, number, body })
}

/// Whether a sound record begins anywhere in these bytes.
pub(super) fn any(bytes: &[u8], tag: u64, at: u64) -> bool {
    (0..bytes.len()).step_by(8).any(|from| decode(&bytes[from..], tag, at + from as u64).is_some())
}

fn hash(head: &[u8], body: &[u8], tag: u64, at: u64) -> u64 {
    let mut mix = Mix::default();
    mix.word(tag);
    mix.word(at);
    mix.write(head);
    mix.write(body);
    mix.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_where_it_was_written_and_nowhere_else() {
        let record = Record { kind: Kind::Frame, number: 7, body: b"facts" };
        let mut bytes = Vec::new();
        encode(&record, 3, 512, &mut bytes);
        assert_eq!((decode(&bytes, 3, 512), bytes.len()), (Some(record), 32));
        assert_eq!((decode(&bytes, 4, 512), decode(&bytes, 3, 1024)), (None, None));
        assert!((0..32).all(|cut| decode(&bytes[..cut], 3, 512).is_none()), "without its padding it is torn too");
    }

    #[test]
    fn a_flipped_bit_of_a_record_is_found_wherever_it_is() {
        let mut bytes = Vec::new();
        encode(&Record { kind: Kind::Seal, number: 9, body: b"12345678" }, 1, 0, &mut bytes);
        for bit in 0..bytes.len() * 8 {
            let mut rotten = bytes.clone();
            rotten[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&rotten, 1, 0), None, "bit {bit}");
        }
    }
}
