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
    /// A newer program wrote it, and this one cannot read it.
    #[error(transparent)]
    TooNew(#[from] TooNew),
    /// A journal was there, and is there no more.
    #[error(
        "{place}: a journal was here, and {problem}: restore it from a copy; to begin with a new one, remove {marker} \
         first"
    )]
    Gone {
        /// The directory.
        place: String,
        /// What is there instead.
        problem: String,
        /// The file that shows that a journal was there.
        marker: String,
    },
    /// An unreleased version of this program made it, in a format that none reads any more.
    #[error(
        "{place}: the journal there has a former format, which no released version has written: name another directory, \
         or move this one away"
    )]
    Former {
        /// The directory.
        place: String,
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

/// What a journal holds was written by a newer version of this program. It is whole as far as can be
/// seen: neither salvage nor a copy would be of use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{at} was written by a newer version of this program ({found}): use a newer program, and leave the journal as it is"
)]
pub struct TooNew {
    /// The place: the file, and the position in it.
    pub at: String,
    /// What is not known here.
    pub found: String,
}

impl TooNew {
    /// What is not known here, at this place.
    pub fn new(at: impl core::fmt::Display, found: impl core::fmt::Display) -> Self {
        Self { at: at.to_string(), found: found.to_string() }
    }

    /// A format with a number that is higher than the ones that are known here.
    pub fn format(at: impl core::fmt::Display, found: u64, known: u16) -> Self {
        Self::new(at, format_args!("format {found}, this program reads formats up to {known}"))
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
    /// Its directory or disk is not there, or cannot be asked. Nothing was written.
    #[error("the journal cannot be reached ({cause}): bring its directory or disk back")]
    Unreachable {
        /// What happened.
        cause: String,
    },
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

/// Why a snapshot was not made. Nothing was trimmed; it is tried again later.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MaintainError {
    /// What was read is not what was written.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It was not written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl From<ReadError> for MaintainError {
    fn from(error: ReadError) -> Self {
        Self::Open(error.into())
    }
}
