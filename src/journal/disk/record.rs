//! Records: the units that the files of a journal consist of. `docs/ARCHITECTURE.md` shows their bytes.

use std::vec;
use std::vec::Vec;

/// Bytes of a record before its body.
pub(super) const HEAD_BYTES: usize = 24;

/// The number of bytes of which the start of a record is a multiple: a sector, which is what a disk writes at once. So
/// no write touches the bytes of a record that is durable, and none needs the cache of the operating system.
pub(super) const ALIGN_BYTES: usize = 512;

/// The place of the checksum of the body, and of that of the head.
const BODY_CRC_AT: usize = 16;
const HEAD_CRC_AT: usize = 20;

/// The kind of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RecordKind {
    /// The first record of a segment; its number is the segment's.
    Head = 1,
    /// A frame; its number is the frame's.
    Frame,
    /// A watermark without a frame; its number is the next frame's.
    Seal,
    /// The first frame that is kept.
    Trim,
    /// The segment continues in the one with this number.
    End,
    /// A part of a snapshot, with its number.
    Part,
    /// The last part of a snapshot, with its number.
    LastPart,
}

impl RecordKind {
    const ALL: [Self; 7] = [Self::Head, Self::Frame, Self::Seal, Self::Trim, Self::End, Self::Part, Self::LastPart];

    fn of(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// The place of a record: the number of its file, and the byte at which it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordPlace {
    pub(super) file: u64,
    pub(super) at: u64,
}

/// The head of a record, as read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordHead {
    pub(super) kind: RecordKind,
    pub(super) number: u64,
    /// The bytes of the body.
    pub(super) length: usize,
    body_crc: u32,
}

/// Returns the bytes of a record with a body of this size.
pub(super) const fn bytes_of(body: usize) -> usize {
    (HEAD_BYTES + body).next_multiple_of(ALIGN_BYTES)
}

/// Memory for one record after the other, at an address that a disk can read from directly.
#[derive(Debug, Default)]
pub(super) struct RecordBuffer {
    memory: Vec<u8>,
    start: usize,
    len: usize,
}

impl RecordBuffer {
    /// Returns the record in it.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.len]
    }

    /// Makes room for a record of this many bytes, with any contents.
    fn begin(&mut self, len: usize) -> &mut [u8] {
        if self.memory.len() < len + ALIGN_BYTES {
            // Half as much again, so that records which grow slowly allocate rarely; and a sector, to align the start.
            self.memory = vec![0; len + len / 2 + ALIGN_BYTES];
        }
        // Bounded, as `align_offset` may give up, and returns `usize::MAX` then.
        (self.start, self.len) = (self.memory.as_ptr().align_offset(ALIGN_BYTES).min(ALIGN_BYTES), len);
        &mut self.memory[self.start..self.start + len]
    }
}

/// Writes into `out` the record for this place.
pub(super) fn encode(kind: RecordKind, number: u64, body: &[u8], place: RecordPlace, out: &mut RecordBuffer) {
    let record = out.begin(bytes_of(body.len()));
    let (head, rest) = record.split_at_mut(HEAD_BYTES);
    let (target, padding) = rest.split_at_mut(body.len());
    // A body is at most `LIMIT_BYTES` long.
    let length = body.len() as u32;
    head[..4].copy_from_slice(&[kind as u8, 0, 0, 0]);
    head[4..8].copy_from_slice(&length.to_le_bytes());
    head[8..BODY_CRC_AT].copy_from_slice(&number.to_le_bytes());
    head[BODY_CRC_AT..HEAD_CRC_AT].copy_from_slice(&crc32c::crc32c(body).to_le_bytes());
    let crc = head_crc(head, place);
    head[HEAD_CRC_AT..].copy_from_slice(&crc.to_le_bytes());
    target.copy_from_slice(body);
    // The memory held other records, and readers refuse a record with other bytes than zeros behind its body.
    padding.fill(0);
}

/// Returns the head of the record in this place, if `bytes` begin with one that was written there.
pub(super) fn decode_head(bytes: &[u8], place: RecordPlace) -> Option<RecordHead> {
    let head = bytes.get(..HEAD_BYTES)?;
    let kind = RecordKind::of(head[0]).filter(|_| head[1..4] == [0, 0, 0])?;
    if number_at::<4>(head, HEAD_CRC_AT) != u64::from(head_crc(&head[..HEAD_CRC_AT], place)) {
        return None;
    }
    let length = usize::try_from(number_at::<4>(head, 4)).ok()?;
    let body_crc = u32::try_from(number_at::<4>(head, BODY_CRC_AT)).ok()?;
    Some(RecordHead { kind, number: number_at::<8>(head, 8), length, body_crc })
}

impl RecordHead {
    /// Returns the bytes of the whole record.
    pub(super) const fn record_bytes(&self) -> usize {
        bytes_of(self.length)
    }

    /// Returns the body of the record in `bytes`, if it is the one that was written.
    pub(super) fn body<'b>(&self, bytes: &'b [u8]) -> Option<&'b [u8]> {
        let (body, rest) = bytes.get(HEAD_BYTES..self.record_bytes())?.split_at(self.length);
        let is_whole = crc32c::crc32c(body) == self.body_crc && rest.iter().all(|byte| *byte == 0);
        is_whole.then_some(body)
    }
}

/// Returns the number of `N` bytes, 8 at most, at `at`; zero where there are too few.
pub(super) fn number_at<const N: usize>(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0; 8];
    if let Some(field) = bytes.get(at..).and_then(|rest| rest.get(..N)) {
        number[..N].copy_from_slice(field);
    }
    u64::from_le_bytes(number)
}

fn head_crc(head: &[u8], place: RecordPlace) -> u32 {
    let mut bytes = [0; 16 + HEAD_CRC_AT];
    bytes[..8].copy_from_slice(&place.file.to_le_bytes());
    bytes[8..16].copy_from_slice(&place.at.to_le_bytes());
    bytes[16..].copy_from_slice(&head[..HEAD_CRC_AT]);
    crc32c::crc32c(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: RecordPlace = RecordPlace { file: 3, at: 512 };

    fn record() -> Vec<u8> {
        let mut record = RecordBuffer::default();
        encode(RecordKind::Frame, 6, &[7; 700], PLACE, &mut record);
        encode(RecordKind::Frame, 7, b"facts", PLACE, &mut record);
        record.bytes().to_vec()
    }

    fn read(bytes: &[u8], place: RecordPlace) -> Option<(RecordKind, u64, &[u8])> {
        let head = decode_head(bytes, place)?;
        Some((head.kind, head.number, head.body(bytes)?))
    }

    #[test]
    fn record_is_read_where_it_was_written_and_nowhere_else() {
        let bytes = record();
        assert_eq!((read(&bytes, PLACE), bytes.len()), (Some((RecordKind::Frame, 7, &b"facts"[..])), ALIGN_BYTES));
        assert_eq!(read(&bytes, RecordPlace { file: 4, ..PLACE }), None);
        assert_eq!(read(&bytes, RecordPlace { at: 1024, ..PLACE }), None);
        assert!(
            (0..ALIGN_BYTES).all(|cut| read(&bytes[..cut], PLACE).is_none()),
            "without its padding it is torn, too"
        );
    }

    #[test]
    fn flipped_bit_of_a_record_is_found_wherever_it_is() {
        let bytes = record();
        for bit in 0..bytes.len() * 8 {
            let mut rotten = bytes.clone();
            rotten[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read(&rotten, PLACE), None, "bit {bit}");
        }
    }
}
