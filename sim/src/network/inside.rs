//! What the server's own program does beside the front, as data.

use serde::{Deserialize, Serialize};

/// What the server's own program does, beside serving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Inside {
    /// Before it serves the next time, it starts an engine in a runtime that is dropped before any task
    /// was polled.
    UnpolledStart,
    /// Callers submit events of their own, wait for room, and then go away.
    Submitters {
        /// The key of the first one's event; the others have those that follow.
        first: u8,
        /// How many.
        count: u8,
        /// How long each waits for its answer.
        for_ms: u32,
    },
}
