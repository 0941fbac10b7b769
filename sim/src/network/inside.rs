//! What the server's own program does beside the front, as data.

use serde::{Deserialize, Serialize};

/// What the server's own program does, beside serving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs, reason = "the docs of the variants name the fields")]
pub enum Inside {
    /// Before it serves the next time, it starts an engine in a runtime that is dropped before any task
    /// was polled.
    UnpolledStart,
    /// Callers submit events of their own, wait for room, and then go away.
    Submitters { first: u8, count: u8, for_ms: u32 },
}
