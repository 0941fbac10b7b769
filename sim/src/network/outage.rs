//! How a process of the server ends, as data.

use serde::{Deserialize, Serialize};

/// How the server's process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs, reason = "the docs of the variants name the fields")]
pub enum Outage {
    /// Without warning.
    Crash,
    /// With the machine: what the journal has not synced is there in part. Without a journal, a
    /// crash.
    PowerCut,
    /// Without warning, before the change of the disk that follows after so many more, with the machine or without.
    /// Without a journal, a crash.
    CrashWriting { in_changes: u8, power: bool },
    /// By a shutdown, which may wait for runs for so long.
    Shutdown { timeout_ms: u32 },
    /// By two shutdowns at a time, each of which may wait for runs for so long.
    ShutdownTwice { timeout_ms: u32, second_ms: u32 },
    /// By a shutdown that nobody waits for, and that may wait for runs for so long.
    ShutdownUnawaited { timeout_ms: u32 },
}
