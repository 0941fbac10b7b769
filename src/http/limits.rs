//! Limits on what clients may use.

use core::time::Duration;
use std::vec::Vec;

use super::hosts::Host;

/// Limits on what clients may use of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Connections at the same time. 1,024 by default.
    ///
    /// Up to [`Limits::RESERVED_CONNECTIONS`] more are accepted, for probes: on them `/livez` and
    /// `/readyz` are served, and every other call gets a 503.
    pub max_connections: usize,
    /// Bytes of request bodies that are arriving, and of results of batches that wait to be read, over all connections; of
    /// HTTP/2, whose clients may have a hundred open, all responses past 64 KiB. At least one event of the largest size;
    /// 64 MiB by default. Past it a body is refused with 503 before it is read, and a response is replaced by a 503. A page
    /// of a list over HTTP/1.1, of which a connection has one, has up to 8 MiB beside it.
    ///
    /// The buffers of connections come on top, see [`Limits::buffer_bytes`].
    pub max_inflight_bytes: usize,
    /// The buffer of a connection in each direction; the head of a request must fit in. 64 KiB by default, 8 KiB at
    /// least.
    pub buffer_bytes: usize,
    /// Bytes of results of one batch that wait to be read. 4 MiB by default, some 40,000 results.
    pub max_unread_bytes: usize,
    /// The longest time for which a batch waits while so many results wait and its client reads none of them. Then it
    /// ends with a result that says how far it came. 5 s by default: a client that sends all before it reads loses as
    /// much, and one on a slow line reads something in that time.
    pub unread_patience: Duration,
    /// The longest time for which a connection may be idle before a request, and the head of the request may take. 30
    /// s by default.
    pub header_timeout: Duration,
    /// The longest time in which nothing of the body of a request arrives. 30 s by default.
    pub body_timeout: Duration,
    /// The longest time in which a client reads nothing of a response that waits for it, and sends nothing either. 30
    /// s by default.
    pub write_timeout: Duration,
    /// The longest time that open requests may take when the server is stopped. 5 s by default.
    pub close_grace: Duration,
    /// Hosts that requests may be for, as their `Host` says. None by default.
    ///
    /// When there are any, or the server is bound to a loopback address, other hosts are refused but
    /// `localhost`, loopback addresses and the address that it is bound to: else a page of any site could
    /// have the name of its own host resolved to that address, and call the server (DNS rebinding).
    pub allowed_hosts: Vec<Host>,
}

impl Limits {
    /// Connections that are accepted for probes when [`Limits::max_connections`] are open.
    pub const RESERVED_CONNECTIONS: usize = 16;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 1024,
            max_inflight_bytes: 64 << 20,
            buffer_bytes: 64 << 10,
            max_unread_bytes: 4 << 20,
            unread_patience: Duration::from_secs(5),
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            close_grace: Duration::from_secs(5),
            allowed_hosts: Vec::new(),
        }
    }
}
