//! Digests, by which two payloads are compared.

use core::fmt;
use sha2::{Digest as _, Sha256};

/// The digest of a payload: 32 bytes and the algorithm that made them.
///
/// Two events with one key are the same event when their digests are equal, else a conflict.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest {
    algorithm: Algorithm,
    bytes: [u8; 32],
}

/// The algorithm of a [`Digest`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Algorithm {
    /// SHA-256, FIPS 180-4.
    Sha256,
    /// SHA-256 of what of the payload counts, which the submitter knows: it cannot be made again from the payload.
    Sha256OfParts,
}

impl Digest {
    /// The SHA-256 of `payload`.
    pub fn of(payload: &[u8]) -> Self {
        Self { algorithm: Algorithm::Sha256, bytes: Sha256::digest(payload).into() }
    }

    /// The digest with these bytes, which were made like this.
    pub const fn new(algorithm: Algorithm, bytes: [u8; 32]) -> Self {
        Self { algorithm, bytes }
    }

    /// Returns the algorithm that made it.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The digest's bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.bytes
    }
}

/// The algorithm, a colon, and 64 hexadecimal digits: `sha256:9f86d0…`, `sha256-of-parts:9f86d0…`.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.algorithm {
            Algorithm::Sha256 => f.write_str("sha256:")?,
            Algorithm::Sha256OfParts => f.write_str("sha256-of-parts:")?,
        }
        self.bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn it_names_its_algorithm() {
        assert_eq!(
            Digest::of(b"test").to_string(),
            "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
        );
    }

    #[test]
    fn its_parts_are_its_text() {
        let digest = Digest::of(b"test");
        assert_eq!(digest.algorithm(), Algorithm::Sha256);
        assert_eq!(digest.as_bytes()[..3], [0x9f, 0x86, 0xd0]);
        assert_eq!(alloc::format!("{digest:?}"), digest.to_string());
    }
}
