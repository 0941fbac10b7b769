//! Frames: the units of a journal, each with a proof that it is whole and in its place.
//!
//! ```text
//! bytes   0      4        6      8      16        24        40   44
//!         ┌──────┬────────┬──────┬──────┬─────────┬─────────┬────┬──────
//!         │length│version │shard │epoch │sequence │previous │crc │ body …
//!         └──────┴────────┴──────┴──────┴─────────┴─────────┴────┴──────
//! ```
//!
//! Numbers are little-endian. `length` counts the bytes of the body. `crc` is the CRC32C (RFC 3720)
//! of everything else, header and body. `previous` is the [`FrameHash`] of the header of the frame
//! before, which has the checksum of its body, so that a frame of another history does not fit, however whole it is.

use core::fmt;
use std::vec::Vec;

use siphasher::sip128::SipHasher13;

use super::sequence::Sequence;
use crate::engine::{Epoch, Shard};

/// The format of frames of facts, and of the parts of old snapshots.
pub const VERSION: u16 = 1;

/// The format of the parts of snapshots. It is the newest one that this program reads.
pub const SNAPSHOT_VERSION: u16 = 2;

/// Bytes of a header.
pub const HEADER_BYTES: usize = 44;

/// The place of the checksum in the header.
const CRC_AT: usize = HEADER_BYTES - 4;

/// A hash that links a frame to the header of the frame before, and a segment to the head of the segment before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FrameHash([u8; 16]);

impl FrameHash {
    /// The link of the first frame.
    pub const NONE: Self = Self([0; 16]);

    /// Creates a hash from its bytes.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns its bytes.
    pub const fn bytes(self) -> [u8; 16] {
        self.0
    }

    /// Returns the SipHash-1-3 of these bytes with 128 bits, under a key of zeros.
    pub fn of(bytes: &[u8]) -> Self {
        Self(SipHasher13::new().hash(bytes).as_bytes())
    }
}

/// The header of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Always 0 in a journal: each shard has one of its own, whose directory says which it is. For later use.
    pub shard: Shard,
    /// The opening in which it was written.
    pub epoch: Epoch,
    /// The number of the frame.
    pub sequence: Sequence,
    /// The hash of the header of the frame before.
    pub previous: FrameHash,
}

/// A decoded frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The header.
    pub header: Header,
    /// The facts in it, encoded.
    pub body: &'a [u8],
    /// The format of the body.
    pub version: u16,
    /// The hash of the header, to which the next frame links.
    pub link: FrameHash,
}

/// The reason why bytes are not a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The bytes are fewer than the frame should have.
    #[error("it is cut short: {found} bytes of {wanted}")]
    Short {
        /// The number of bytes found.
        found: usize,
        /// The number of bytes that there should be.
        wanted: usize,
    },
    /// The bytes are more than the frame should have.
    #[error("{surplus} bytes follow its end")]
    Long {
        /// The number of bytes too many.
        surplus: usize,
    },
    /// The bytes are not those that were written.
    #[error("its checksum does not fit")]
    Checksum,
    /// A newer program wrote them.
    #[error("it has format {found}, this program reads formats up to {SNAPSHOT_VERSION}")]
    TooNew {
        /// The format that was found.
        found: u16,
    },
}

/// Appends a frame to `out`.
///
/// # Errors
///
/// [`BodyTooLong`] when the body has more bytes than a header can count; `out` is as before.
pub fn encode(header: &Header, body: &[u8], out: &mut Vec<u8>) -> Result<FrameHash, BodyTooLong> {
    encode_with(VERSION, header, out, |out| out.extend_from_slice(body))
}

/// Appends a frame to `out`, with the body of this format that `write` appends to its header: large contents are
/// copied once.
pub(super) fn encode_with(
    version: u16,
    header: &Header,
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>),
) -> Result<FrameHash, BodyTooLong> {
    let start = out.len();
    // The header is written last, when the length of the body is known.
    out.resize(start + HEADER_BYTES, 0);
    write(out);
    let (head, body) = out[start..].split_at_mut(HEADER_BYTES);
    let bytes = body.len();
    let Ok(length) = u32::try_from(bytes) else {
        // A body that is refused must leave no trace in the group's buffer.
        out.truncate(start);
        return Err(BodyTooLong { bytes });
    };
    let mut rest = &mut *head;
    put(&mut rest, &length.to_le_bytes());
    put(&mut rest, &version.to_le_bytes());
    put(&mut rest, &header.shard.number().to_le_bytes());
    put(&mut rest, &header.epoch.number().to_le_bytes());
    put(&mut rest, &header.sequence.number().to_le_bytes());
    put(&mut rest, &header.previous.bytes());
    let crc = checksum(&head[..CRC_AT], body);
    head[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
    Ok(FrameHash::of(head))
}

/// Writes a field to the start of the rest of a header. A header has as many bytes as its fields.
fn put(rest: &mut &mut [u8], field: &[u8]) {
    if let Some(place) = rest.split_off_mut(..field.len()) {
        place.copy_from_slice(field);
    }
}

/// The error for a body with more bytes than a header can count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body is too large: {bytes} bytes, a frame takes {max}", max = u32::MAX)]
#[non_exhaustive]
pub struct BodyTooLong {
    /// The number of bytes of the body.
    pub bytes: usize,
}

/// Decodes `bytes`, which must be exactly one frame.
///
/// # Errors
///
/// [`FrameError`]
pub fn decode(bytes: &[u8]) -> Result<Frame<'_>, FrameError> {
    let short = FrameError::Short { found: bytes.len(), wanted: HEADER_BYTES };
    let (head, body) = bytes.split_at_checked(HEADER_BYTES).ok_or(short)?;
    let mut fields = Fields(head);
    let length = u32::from_le_bytes(fields.take()) as usize;
    let version = u16::from_le_bytes(fields.take());
    // Before the lengths and the checksum: another format may have them elsewhere.
    if version > SNAPSHOT_VERSION {
        return Err(FrameError::TooNew { found: version });
    }
    if body.len() < length {
        return Err(FrameError::Short { found: bytes.len(), wanted: HEADER_BYTES.saturating_add(length) });
    }
    if body.len() > length {
        return Err(FrameError::Long { surplus: body.len() - length });
    }
    let header = Header {
        shard: Shard::new(u16::from_le_bytes(fields.take())),
        epoch: Epoch::new(u64::from_le_bytes(fields.take())),
        sequence: Sequence::new(u64::from_le_bytes(fields.take())),
        previous: FrameHash::new(fields.take()),
    };
    // Version 0 was never written; zeros are the likeliest damage.
    if u32::from_le_bytes(fields.take()) != checksum(&head[..CRC_AT], body) || version == 0 {
        return Err(FrameError::Checksum);
    }
    Ok(Frame { header, body, version, link: FrameHash::of(head) })
}

fn checksum(head: &[u8], body: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(head), body)
}

/// The fields of a header that are not read yet.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    /// Returns the next `N` bytes. A header has as many bytes as its fields, so they are there.
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut field = [0; N];
        if let Some((taken, rest)) = self.0.split_at_checked(N) {
            field.copy_from_slice(taken);
            self.0 = rest;
        }
        field
    }
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "frame {} of epoch {}", self.sequence, self.epoch.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        let (epoch, sequence) = (Epoch::new(1_700_000_000_000_000), Sequence::new(7));
        Header { shard: Shard::new(3), epoch, sequence, previous: FrameHash::new(*b"0123456789abcdef") }
    }

    fn frame(body: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(&header(), body, &mut bytes).expect("a short body");
        bytes
    }

    #[test]
    fn what_was_written_is_read() {
        let bytes = frame(b"facts");
        let read = decode(&bytes).expect("a frame");
        assert_eq!(
            (read.header, read.body, read.link),
            (header(), &b"facts"[..], FrameHash::of(&bytes[..HEADER_BYTES]))
        );
    }

    #[test]
    fn a_flipped_bit_is_found_wherever_it_is() {
        let bytes = frame(b"facts");
        for bit in 0..bytes.len() * 8 {
            let mut rotten = bytes.clone();
            rotten[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&rotten).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn frame_that_is_cut_short_or_too_long_is_reported_as_such() {
        let mut bytes = frame(b"facts");
        assert_eq!(decode(&bytes[..10]), Err(FrameError::Short { found: 10, wanted: 44 }));
        assert_eq!(decode(&bytes[..48]), Err(FrameError::Short { found: 48, wanted: 49 }));
        bytes.extend([0; 7]);
        assert_eq!(decode(&bytes), Err(FrameError::Long { surplus: 7 }));
    }

    #[test]
    fn a_newer_format_is_refused_by_its_number() {
        let mut bytes = frame(b"");
        bytes[4] = 3;
        assert_eq!(decode(&bytes), Err(FrameError::TooNew { found: 3 }));
    }

    #[test]
    fn frames_that_differ_have_different_links() {
        let [a, b] = [frame(b"a"), frame(b"b")];
        let [a, b] = [&a, &b].map(|bytes| decode(bytes).expect("a frame").link);
        assert!(a != b && a != FrameHash::NONE);
    }
}
