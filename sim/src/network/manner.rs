//! Behaviour of clients.

use serde::{Deserialize, Serialize};

/// The behaviour of a client in one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs, reason = "the docs of the variants name the fields")]
pub enum ClientManner {
    /// Waits for the response, and keeps the connection for the next request.
    KeepsConnection,
    /// Waits for the response, with a connection for each request.
    OneConnection,
    /// Closes the connection before the response, this long after the request.
    HangsUp { after_ms: u32 },
    /// Sends half of the request, and closes the connection this long after that.
    SendsHalf { after_ms: u32 },
    /// Closes its sending side behind the request, and waits for the response.
    ClosesSending,
    /// Sends a whole batch, its items this many times, over a connection with small buffers, before it reads any of
    /// the response.
    SendsAllFirst { copies: u8 },
}
