//! How a process of the server ends, as data.

use serde::{Deserialize, Serialize};

/// How the server's process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Outage {
    /// Without warning.
    Crash,
    /// With the machine: what the journal has not synced is there in part. Without a journal, a
    /// crash.
    PowerCut,
    /// Without warning, between two changes of the disk. Without a journal, a crash.
    CrashWriting {
        /// Before the change that follows after so many more.
        in_changes: u8,
        /// With the machine.
        power: bool,
    },
    /// By a shutdown.
    Shutdown {
        /// How long it may wait for runs.
        timeout_ms: u32,
    },
    /// By two shutdowns at a time.
    ShutdownTwice {
        /// How long the first one may wait.
        timeout_ms: u32,
        /// How long the second one may wait.
        second_ms: u32,
    },
    /// By a shutdown that nobody waits for.
    ShutdownUnawaited {
        /// How long it may wait for runs.
        timeout_ms: u32,
    },
}
