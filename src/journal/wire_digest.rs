//! The encoding of digests, a part of the format of [`wire`](super::wire).

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::engine::{Algorithm, Digest, Event, Key};

/// The algorithm of a digest.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) enum WireAlgorithm {
    Sha256,
    Sha256OfParts,
}

/// The digest of an event that is written whole: made again from its payload where that is possible.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) enum WireDigest {
    Sha256,
    OfParts([u8; 32]),
}

impl WireAlgorithm {
    pub(super) const fn of(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256,
            Algorithm::Sha256OfParts => Self::Sha256OfParts,
        }
    }

    pub(super) const fn into_algorithm(self) -> Algorithm {
        match self {
            Self::Sha256 => Algorithm::Sha256,
            Self::Sha256OfParts => Algorithm::Sha256OfParts,
        }
    }
}

impl WireDigest {
    pub(super) const fn of(digest: &Digest) -> Self {
        match digest.algorithm() {
            Algorithm::Sha256 => Self::Sha256,
            Algorithm::Sha256OfParts => Self::OfParts(*digest.as_bytes()),
        }
    }

    /// Returns the event with this digest.
    pub(super) fn of_event(self, key: Key, payload: Bytes) -> Event {
        match self {
            Self::Sha256 => Event::new(key, payload),
            Self::OfParts(bytes) => Event::with_digest(key, payload, Digest::new(Algorithm::Sha256OfParts, bytes)),
        }
    }
}
