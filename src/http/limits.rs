//! What clients may take.

use core::time::Duration;
use std::vec::Vec;

use super::hosts::Host;

/// What clients may take from the server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Connections at the same time. 1,024 by default.
    ///
    /// Up to [`Limits::RESERVED_CONNECTIONS`] more are accepted, for probes: on them `/livez` and
    /// `/readyz` are served, and every other call is answered 503.
    pub max_connections: usize,
    /// Bytes of request bodies that are arriving, and of answers that wait to be read, over all
    /// connections; at least one event of the largest size. 64 MiB by default. Past it a body is refused with
    /// 503 before it is read.
    ///
    /// The buffers of connections come on top, see [`Limits::buffer_bytes`].
    pub max_inflight_bytes: usize,
    /// What is buffered of a connection in each direction; the head of a request must fit in. 64 KiB by
    /// default, 8 KiB at least.
    pub buffer_bytes: usize,
    /// Bytes of answers to one batch that wait to be read. 4 MiB by default, some 40,000 answers.
    pub max_unread_bytes: usize,
    /// How long a batch waits when as many answers wait, and its client takes none of them. Then it is
    /// ended with an answer that says how far it came. 5 s by default: a client that sends all
    /// before it reads loses as much, and one on a slow line reads something in that time.
    pub unread_patience: Duration,
    /// How long a connection may be idle before a request, and the head of the request may take. 30 s
    /// by default.
    pub header_timeout: Duration,
    /// How long nothing of the body of a request may arrive. 30 s by default.
    pub body_timeout: Duration,
    /// How long a client may take nothing of an answer that waits for it, and send nothing either.
    /// 30 s by default.
    pub write_timeout: Duration,
    /// How long open requests may take when the server is stopped. 5 s by default.
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
