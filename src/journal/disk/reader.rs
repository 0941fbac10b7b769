//! Records, read from a file one after the other with bounded memory.

use std::boxed::Box;
use std::io;
use std::sync::Arc;
use std::vec::Vec;

use super::record::{ALIGN_BYTES, HEAD_BYTES, RecordHead, RecordPlace, decode_head};
use super::volume::VolumeFile;

/// Bytes that are read at once; more for a larger record. Enough that calls cost little, and few enough for memory, as
/// each reader has a buffer of its own.
const CHUNK_BYTES: u64 = 1 << 20;

/// An open file whose handle is shared.
pub(super) type SharedFile = Arc<Box<dyn VolumeFile>>;

/// The result of reading the next record of a file.
#[derive(Debug)]
pub(super) enum RecordRead<'r> {
    /// A whole record, and the byte at which it begins.
    Record { at: u64, head: RecordHead, body: &'r [u8] },
    /// Bytes that are no record.
    Unsound,
    /// The end.
    End,
}

/// A position in a file of records. It reads ahead, but never past the limit that a call names.
#[derive(Debug)]
pub(super) struct RecordReader {
    file: SharedFile,
    number: u64,
    at: u64,
    /// Bytes of the file from `start` on.
    buffer: Vec<u8>,
    start: u64,
}

impl RecordReader {
    /// Creates a reader of the file with this number, from this byte on.
    pub(super) const fn new(file: SharedFile, number: u64, at: u64) -> Self {
        Self { file, number, at, buffer: Vec::new(), start: at }
    }

    /// Returns the byte behind the last record.
    pub(super) const fn at(&self) -> u64 {
        self.at
    }

    /// Reads the next record, of a file that ends at `limit`.
    pub(super) fn next(&mut self, limit: u64) -> io::Result<RecordRead<'_>> {
        let at = self.at;
        if at >= limit {
            return Ok(RecordRead::End);
        }
        let place = RecordPlace { file: self.number, at };
        let Some(head) = self.bytes(at, HEAD_BYTES, limit)?.and_then(|bytes| decode_head(bytes, place)) else {
            return Ok(RecordRead::Unsound);
        };
        // Only now, when the checksum of the head fits: a length that has rotted must not decide how much is read.
        let length = head.record_bytes();
        if self.bytes(at, length, limit)?.and_then(|bytes| head.body(bytes)).is_none() {
            return Ok(RecordRead::Unsound);
        }
        self.at = at + length as u64;
        let from = usize::try_from(at - self.start).unwrap_or(usize::MAX).saturating_add(HEAD_BYTES);
        Ok(RecordRead::Record { at, head, body: &self.buffer[from..from + head.length] })
    }

    /// Passes over a record whose head is sound, and returns that head.
    pub(super) fn skip(&mut self, limit: u64) -> io::Result<Option<RecordHead>> {
        let place = RecordPlace { file: self.number, at: self.at };
        let head = self.bytes(self.at, HEAD_BYTES, limit)?.and_then(|bytes| decode_head(bytes, place));
        let fits = |head: &RecordHead| self.at + head.record_bytes() as u64 <= limit;
        let head = head.filter(fits);
        if let Some(head) = &head {
            self.at += head.record_bytes() as u64;
        }
        Ok(head)
    }

    /// Moves to the next place from here on, below the limit, at which a head of a record stands. Returns whether
    /// there was one.
    pub(super) fn seek(&mut self, limit: u64) -> io::Result<bool> {
        while self.at + HEAD_BYTES as u64 <= limit {
            let place = RecordPlace { file: self.number, at: self.at };
            if self.bytes(self.at, HEAD_BYTES, limit)?.is_some_and(|bytes| decode_head(bytes, place).is_some()) {
                return Ok(true);
            }
            // Records begin at sectors, so no place between them is tried.
            self.at += ALIGN_BYTES as u64;
        }
        Ok(false)
    }

    /// Moves to this byte.
    pub(super) const fn go_to(&mut self, at: u64) {
        self.at = at;
    }

    /// Returns whether all bytes from here to the limit are zeros.
    pub(super) fn is_blank(&mut self, limit: u64) -> io::Result<bool> {
        while self.at < limit {
            let length = usize::try_from((limit - self.at).min(CHUNK_BYTES)).unwrap_or(usize::MAX);
            let at = self.at;
            if self.bytes(at, length, limit)?.is_none_or(|bytes| bytes.iter().any(|byte| *byte != 0)) {
                return Ok(false);
            }
            self.at += length as u64;
        }
        Ok(true)
    }

    /// Returns this many bytes from `at` on; none when the file ends before that.
    fn bytes(&mut self, at: u64, length: usize, limit: u64) -> io::Result<Option<&[u8]>> {
        if at.checked_add(length as u64).is_none_or(|end| end > limit) {
            return Ok(None);
        }
        let have = self.start + self.buffer.len() as u64;
        if at < self.start || at + length as u64 > have {
            self.fill(at, length, limit)?;
        }
        let from = usize::try_from(at - self.start).unwrap_or(usize::MAX);
        Ok(self.buffer.get(from..).and_then(|bytes| bytes.get(..length)))
    }

    fn fill(&mut self, at: u64, length: usize, limit: u64) -> io::Result<()> {
        let wanted = (limit - at).min(CHUNK_BYTES).max(length as u64);
        self.buffer.clear();
        self.start = at;
        let mut bytes = core::mem::take(&mut self.buffer);
        bytes.resize(usize::try_from(wanted).unwrap_or(usize::MAX), 0);
        let read = self.file.read_at(at, &mut bytes);
        // After an error the buffer stays empty: bytes that were not read must not count as the file's.
        if read.is_ok() {
            self.buffer = bytes;
        }
        read
    }
}
