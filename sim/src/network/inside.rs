//! Actions of the server's own program beside the front, as data.

use serde::{Deserialize, Serialize};

/// One action of the server's own program beside the front.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs, reason = "the docs of the variants name the fields")]
pub enum Inside {
    /// Starts an engine, before the next time it serves, in a runtime that is dropped before any task was polled.
    UnpolledStart,
    /// Submits events by callers that wait for room, and leave after this time.
    Submitters { first: u8, count: u8, for_ms: u32 },
}
