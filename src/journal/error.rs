//! What can go wrong with a journal.

use std::string::{String, ToString as _};

use super::frame::BodyTooLong;

/// Why a journal was not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Somebody else has it.
    #[error("the journal is in use by {owner}: stop that one, or use another directory")]
    InUse {
        /// Who.
        owner: String,
    },
    /// What it holds is not what was written to it.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
    /// A newer program wrote it.
    #[error("{place} has format {found}, this program reads formats up to {known}: use a newer program")]
    TooNew {
        /// Where.
        place: String,
        /// The format found.
        found: u16,
        /// The newest format that is known here.
        known: u16,
    },
    /// The operating system refused.
    #[error("{place}: {cause}")]
    Io {
        /// The file or directory.
        place: String,
        /// What it said.
        cause: String,
    },
}

/// What a journal holds is not what was written to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at} is damaged ({problem}): restore the journal from a copy, or salvage what is left of it")]
pub struct Corrupt {
    /// Where: the file, and the position in it.
    pub at: String,
    /// What is wrong there.
    pub problem: String,
}

impl Corrupt {
    /// Damage at this place.
    pub fn new(at: impl core::fmt::Display, problem: impl core::fmt::Display) -> Self {
        Self { at: at.to_string(), problem: problem.to_string() }
    }
}

/// Why something was not written. After [`WriteError::Unknown`] the journal takes no more calls:
/// only opening it again tells what it holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// It has another owner by now. Nothing was written.
    #[error("another owner has opened the journal: this one must end")]
    Fenced,
    /// There is no room. Nothing was written.
    #[error("the journal has no room: make some, or give it more")]
    Full,
    /// It is more than can be written at once. Nothing was written.
    #[error("{bytes} bytes at once are more than the {limit_bytes} that the journal takes")]
    TooLarge {
        /// How many these were.
        bytes: usize,
        /// How many are allowed.
        limit_bytes: usize,
    },
    /// It may have been written, or not.
    #[error("whether it was written is unknown ({cause}): open the journal again")]
    Unknown {
        /// What happened.
        cause: String,
    },
}

impl From<BodyTooLong> for WriteError {
    fn from(BodyTooLong { bytes }: BodyTooLong) -> Self {
        Self::TooLarge { bytes, limit_bytes: u32::MAX as usize }
    }
}

/// Why something was not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// What is there is not what was written.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
    /// The operating system refused.
    #[error("{place}: {cause}")]
    Io {
        /// The file or directory.
        place: String,
        /// What it said.
        cause: String,
    },
}

impl From<ReadError> for OpenError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Corrupt(corrupt) => Self::Corrupt(corrupt),
            ReadError::Io { place, cause } => Self::Io { place, cause },
        }
    }
}
