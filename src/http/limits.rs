//! What clients may take.

use core::time::Duration;

/// What clients may take from the server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Connections at the same time; more wait to be accepted. 1,024 by default.
    pub max_connections: usize,
    /// How long a client may take for the head of a request, and stay idle before it. 30 s by
    /// default.
    pub header_timeout: Duration,
    /// How long a client may take for the body of a request; in a batch, for the next part of it.
    /// 30 s by default.
    pub body_timeout: Duration,
    /// How long a client may take nothing of an answer that waits for it. 30 s by default.
    pub write_timeout: Duration,
    /// How long open requests may take when the server is stopped. 5 s by default.
    pub close_grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 1024,
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            close_grace: Duration::from_secs(5),
        }
    }
}
