//! What a handler does in one attempt, when it does not simply succeed.

use serde::{Deserialize, Serialize};

/// What a handler, or the worker around it, does in one attempt. Durations are microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs, reason = "the docs of the variants name the fields")]
pub enum Behaviour {
    /// It fails, and may be tried again, `after` that at the soonest.
    Retry {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<u64>,
    },
    /// It fails for good.
    Permanent,
    /// It asks to be called later.
    Snooze { delay: u64 },
    /// Its process is short of something, of descriptors for example: it says so, and asks to be called
    /// later.
    Shortage { delay: u64 },
    /// It succeeds after this time, heeding its cancellation.
    Slow { lasts: u64 },
    /// It succeeds after this time, and blocks its thread until then: its task does nothing else.
    Blocks { lasts: u64 },
    /// It succeeds after this time, with a heartbeat `every` so often.
    Beating { lasts: u64, every: u64 },
    /// It is not called: its task dies before, and what the task has beside it is given back.
    NotCalled,
    /// It panics before its side effect.
    PanicBefore,
    /// It panics after its side effect.
    PanicAfter,
    /// It waits until it is cancelled.
    Hang,
    /// It hears no cancellation, succeeds after this time, and says so, however late.
    Deaf { lasts: u64 },
    /// It hears no cancellation and never ends: its permit is gone for good.
    Stuck,
    /// It succeeds, and says so twice.
    ReportsTwice,
    /// It succeeds, and reports a run of another opening of the engine too.
    ReportsForeign,
    /// The process dies in it, before its side effect. Drawn only with a journal.
    KillsProcess,
}
