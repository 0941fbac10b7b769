//! Errors of a journal.

use std::string::{String, ToString as _};

use super::frame::BodyTooLong;

/// The reason why a journal was not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has it.
    #[error("the journal is in use by {owner}: stop that one, or use another directory")]
    InUse {
        /// The owner, by its own description.
        owner: String,
    },
    /// The journal does not hold what was written to it.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
    /// A newer program wrote it, and this one cannot read it.
    #[error(transparent)]
    TooNew(#[from] TooNew),
    /// A journal was there, and has vanished.
    #[error(
        "{place}: a journal was here, and {problem}: restore it from a copy; to begin with a new one, remove {marker} \
         first"
    )]
    Gone {
        /// The directory.
        place: String,
        /// The contents that are there instead.
        problem: String,
        /// The file that shows that a journal was there.
        marker: String,
    },
    /// An unreleased version of this program made it, in a format that no version reads any more.
    #[error(
        "{place}: the journal there has a former format, which no released version has written: name another directory, \
         or move this one away"
    )]
    Former {
        /// The directory.
        place: String,
    },
    /// The place is for another number of shards.
    #[error(
        "{place} has the journals of {found} shards, and {wanted} were asked for: start with {found}, since the number cannot \
         be changed, or name another place"
    )]
    OtherShards {
        /// The directory or the database.
        place: String,
        /// The number of shards for which it is.
        found: u16,
        /// The number of shards that were asked for.
        wanted: u16,
    },
    /// The operating system refused.
    #[error("{place}: {cause}")]
    Io {
        /// The file or directory.
        place: String,
        /// The error of the operating system.
        cause: String,
    },
}

/// Damage: a journal does not hold what was written to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at} is damaged ({problem}): restore the journal from a copy, or salvage what is left of it")]
#[non_exhaustive]
pub struct Corrupt {
    /// The place: the file, and the position in it.
    pub at: String,
    /// The problem at that place.
    pub problem: String,
}

impl Corrupt {
    /// Creates the error for damage at this place.
    pub fn new(at: impl core::fmt::Display, problem: impl core::fmt::Display) -> Self {
        Self { at: at.to_string(), problem: problem.to_string() }
    }
}

/// Contents of a journal that a newer version of this program wrote. They are whole as far as can be seen: neither
/// salvage nor a copy would help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{at} was written by a newer version of this program ({found}): use a newer program, and leave the journal as it is"
)]
#[non_exhaustive]
pub struct TooNew {
    /// The place: the file, and the position in it.
    pub at: String,
    /// The contents that are unknown here.
    pub found: String,
}

impl TooNew {
    /// Creates the error for contents that are unknown here, at this place.
    pub fn new(at: impl core::fmt::Display, found: impl core::fmt::Display) -> Self {
        Self { at: at.to_string(), found: found.to_string() }
    }

    /// Creates the error for a format whose number is higher than the known ones.
    pub fn format(at: impl core::fmt::Display, found: u64, known: u16) -> Self {
        Self::new(at, format_args!("format {found}, this program reads formats up to {known}"))
    }
}

/// The reason why something was not written. After [`WriteError::Unknown`] the journal takes no more calls: only
/// opening it again shows what it holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The journal has another owner by now. Nothing was written.
    #[error("another owner has opened the journal: this one must end")]
    Fenced,
    /// The journal has no free space. Nothing was written.
    #[error("the journal has no room: free some on its disk, or raise its max_bytes")]
    Full,
    /// The directory or disk of the journal is not there, or does not respond. Nothing was written.
    #[error("the journal cannot be reached ({cause}): bring its directory or disk back")]
    Unreachable {
        /// The error of the medium.
        cause: String,
    },
    /// The bytes are more than can be written at once. Nothing was written.
    #[error("the frame is too large: {bytes} bytes, the journal takes {limit_bytes}; lower max_event_bytes")]
    TooLarge {
        /// The number of bytes.
        bytes: usize,
        /// The number of bytes that is allowed.
        limit_bytes: usize,
    },
    /// The write may have happened, or not.
    #[error("whether it was written is unknown ({cause}): open the journal again")]
    Unknown {
        /// The error of the medium.
        cause: String,
    },
}

impl From<BodyTooLong> for WriteError {
    fn from(BodyTooLong { bytes }: BodyTooLong) -> Self {
        Self::TooLarge { bytes, limit_bytes: u32::MAX as usize }
    }
}

/// The reason why something was not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The bytes there are not those that were written.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
    /// The operating system refused.
    #[error("{place}: {cause}")]
    Io {
        /// The file or directory.
        place: String,
        /// The error of the operating system.
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

/// The reason why a snapshot was not made. Nothing was trimmed; it is tried again later.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MaintainError {
    /// The bytes that were read are not those that were written.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The snapshot could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl From<ReadError> for MaintainError {
    fn from(error: ReadError) -> Self {
        Self::Open(error.into())
    }
}
