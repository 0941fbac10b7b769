//! The state of the journal.

use crate::engine::Timestamp;

/// The state of the journal, in one word: the first of these that holds, from the last to the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JournalState {
    /// The journal writes what is decided.
    Working,
    /// A result or fact has waited for it for a second or longer.
    Stalled {
        /// The time since when.
        since: Timestamp,
    },
    /// Its disk has no room for the largest event that is allowed, beside the reserve.
    Full,
    /// Its directory or its disk cannot be found, or does not respond.
    Unreachable,
    /// The journal has failed, and is being opened again.
    Reopening,
    /// The journal cannot be used any more.
    Down,
}

impl JournalState {
    /// Every name that [`JournalState::as_str`] returns.
    pub const NAMES: [&'static str; 6] = ["working", "stalled", "full", "unreachable", "reopening", "down"];

    /// Returns its name in snake case, as JSON and metrics show it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Working => Self::NAMES[0],
            Self::Stalled { .. } => Self::NAMES[1],
            Self::Full => Self::NAMES[2],
            Self::Unreachable => Self::NAMES[3],
            Self::Reopening => Self::NAMES[4],
            Self::Down => Self::NAMES[5],
        }
    }
}
