//! The status of an event.

use core::fmt;

/// The status of an event.
///
/// ```text
///                                     Submit
///                                       │
///             ┌──────── Redrive ──▶ Received ──Start──▶ Processing ──Done──▶ Completed
///             │                                          │      ▲
///          Failed ◀── charged ≥ max / Permanent ─────────┤    Start
///                                                        ▼      │
///    (Discard ends any non-Completed record)          FailedRetry
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// Accepted, and not started since it was accepted or redriven.
    Received,
    /// A run is in flight.
    Processing,
    /// A run has ended without success, and another will start.
    FailedRetry,
    /// A run has ended with success.
    Completed,
    /// Failed: it is not started again unless it is redriven.
    Failed,
    /// Ended by an operator.
    Discarded,
}

impl Status {
    /// Every status, in the order of an event's life.
    pub const ALL: [Self; 6] =
        [Self::Received, Self::Processing, Self::FailedRetry, Self::Completed, Self::Failed, Self::Discarded];

    /// Returns whether it waits for a run: `Received` or `FailedRetry`.
    pub const fn is_waiting(self) -> bool {
        matches!(self, Self::Received | Self::FailedRetry)
    }

    /// Returns whether it has ended: `Completed`, `Failed` or `Discarded`.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Discarded)
    }

    /// Its name in snake case, as JSON and metrics show it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Processing => "processing",
            Self::FailedRetry => "failed_retry",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Discarded => "discarded",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString as _;

    #[test]
    fn its_names_are_those_that_clients_read() {
        let names = ["received", "processing", "failed_retry", "completed", "failed", "discarded"];
        assert_eq!(Status::ALL.map(Status::as_str), names);
        assert_eq!(Status::ALL.map(|status| status.to_string()), names);
    }

    #[test]
    fn status_waits_is_in_flight_or_has_ended() {
        let kinds = Status::ALL.map(|status| (status.is_waiting(), status == Status::Processing, status.is_terminal()));
        let (waits, runs, over) = ((true, false, false), (false, true, false), (false, false, true));
        assert_eq!(kinds, [waits, runs, waits, over, over, over]);
    }
}
