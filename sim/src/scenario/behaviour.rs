//! The behaviour of a handler in one attempt, other than plain success.

use serde::{Deserialize, Serialize};

use super::EventNumber;

/// The behaviour of a handler, or of the worker around it, in one attempt. Durations are microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs, reason = "the docs of the variants name the fields")]
pub enum Behaviour {
    /// Fails, and may be tried again, `after` that at the earliest.
    Retry {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<u64>,
    },
    /// Fails permanently.
    Permanent,
    /// Asks to be called later.
    Snooze { delay: u64 },
    /// Lacks a resource of its process, such as a descriptor: snoozes with that reason.
    Shortage { delay: u64 },
    /// Succeeds after this time, unless it is cancelled before.
    Slow { lasts: u64 },
    /// Succeeds after this time, and blocks its thread until then: its task does nothing else.
    Blocks { lasts: u64 },
    /// Succeeds after this time, with a heartbeat at the interval `every`.
    Beating { lasts: u64, every: u64 },
    /// Is not called: its task dies before, and the other runs of the task are given back.
    NotCalled,
    /// Panics before its side effect.
    PanicBefore,
    /// Panics after its side effect.
    PanicAfter,
    /// Waits until it is cancelled.
    Hang,
    /// Ignores cancellation, succeeds after this time, and reports that, however late.
    Deaf { lasts: u64 },
    /// Ignores cancellation and never ends: its permit is lost permanently.
    Stuck,
    /// Succeeds, and reports that twice.
    ReportsTwice,
    /// Succeeds, and reports a run of another opening of the engine too.
    ReportsForeign,
    /// Succeeds with follow-ups: as many events as `count`, from the one with the number `first` on, with this payload.
    Follows { first: EventNumber, count: u8, payload: u8 },
    /// Kills the process, before its side effect. Drawn only with a journal.
    KillsProcess,
}
