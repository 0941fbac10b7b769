//! Ends of the server's process, as data.

use serde::{Deserialize, Serialize};

/// The way in which the server's process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs, reason = "the docs of the variants name the fields")]
pub enum Outage {
    /// Ends without warning.
    Crash,
    /// Ends with the machine: unsynced bytes of the journal survive in part. Without a journal, a crash.
    PowerCut,
    /// Ends without warning, this many changes of the disk later, with the machine or without. Without a journal, a
    /// crash.
    CrashWriting { in_changes: u8, power: bool },
    /// Ends by a shutdown with this timeout.
    Shutdown { timeout_ms: u32 },
    /// Ends by two concurrent shutdowns, each with its timeout.
    ShutdownTwice { timeout_ms: u32, second_ms: u32 },
    /// Ends by a shutdown with this timeout, whose caller does not wait for it.
    ShutdownUnawaited { timeout_ms: u32 },
}
