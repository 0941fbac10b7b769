//! The reasons why an engine is out of use.

use eventful::metrics::{JournalState, NotReady, Stats};

/// Returns the reason why the engine of these numbers is out of use, if it is.
pub(super) fn given_up(stats: &Stats) -> Option<NotReady> {
    match stats.journal? {
        JournalState::Reopening => Some(NotReady::Reopening),
        JournalState::Down => Some(NotReady::JournalDown),
        JournalState::Working | JournalState::Stalled { .. } | JournalState::Full | JournalState::Unreachable | _ => {
            None
        }
    }
}
