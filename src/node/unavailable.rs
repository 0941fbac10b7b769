//! The reason why nothing is decided.

use super::horizon::Unsynced;

/// The reason why the engine gives no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Unavailable {
    /// A thread panicked while it held the engine, so no result of it can be trusted.
    #[error("the engine is broken: an earlier call panicked inside it; restart the process")]
    Broken,
    /// The journal failed before the result was durable, or did not respond within its `answer_timeout`. Whether the
    /// call has taken effect, or keeps it, is unknown; repeating it is safe, since no event is accepted twice.
    #[error(
        "the journal failed or did not respond before this was durable, so whether it took effect is unknown: try again"
    )]
    Unknown,
    /// The journal has failed, and is being opened again. Nothing was done.
    #[error("the journal has failed and is being opened again: try again soon")]
    Reopening,
    /// The journal has failed permanently; the log says why. Nothing was done.
    #[error("the journal cannot be used any more: see the log for the reason, and restart the process")]
    JournalDown,
}

impl Unavailable {
    /// Returns whether trying again later helps without a restart.
    pub const fn is_temporary(self) -> bool {
        match self {
            Self::Unknown | Self::Reopening => true,
            Self::Broken | Self::JournalDown => false,
        }
    }
}

impl From<Unsynced> for Unavailable {
    fn from(unsynced: Unsynced) -> Self {
        match unsynced {
            Unsynced::Lost | Unsynced::Late => Self::Unknown,
        }
    }
}
