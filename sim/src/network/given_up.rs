//! An engine that is not in use any more, or not yet again.

use eventful::metrics::{JournalState, NotReady, Stats};

/// The reason why the engine that gives these numbers is not in use.
pub(super) fn given_up(stats: &Stats) -> Option<NotReady> {
    match stats.journal? {
        JournalState::Reopening => Some(NotReady::Reopening),
        JournalState::Down => Some(NotReady::JournalDown),
        JournalState::Working | JournalState::Stalled { .. } | JournalState::Full | JournalState::Unreachable | _ => {
            None
        }
    }
}
