//! How clients behave.

use serde::{Deserialize, Serialize};

/// How a client behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs, reason = "the docs of the variants name the fields")]
pub enum ClientManner {
    /// Waits for the answer, and keeps the connection for the next request.
    KeepsConnection,
    /// Waits for the answer, and has a connection for each request.
    OneConnection,
    /// Goes away before the answer, so long after it asked.
    HangsUp { after_ms: u32 },
    /// Sends half of the request, and goes away so long after that.
    SendsHalf { after_ms: u32 },
    /// Closes its sending side behind the request, and waits for the answer.
    ClosesSending,
    /// Sends a whole batch, its items so many times, over a connection with small buffers, before it reads any of
    /// the answer.
    SendsAllFirst { copies: u8 },
}
