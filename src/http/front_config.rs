//! The configuration of a front.

use core::net::SocketAddr;
use std::string::String;
use std::sync::Arc;
use std::vec::Vec;

use super::access::Access;
use super::cors::{Cors, Origin};
use super::door::Door;
use super::hosts::HostCheck;
use super::limits::Limits;
use super::proxies::{Network, Proxies};
use super::request_spans::RequestTracer;
use super::sources::Source;
use super::targets::Targets;
use crate::broker::IntakeMonitor;
use crate::runtime::LeaseDesk;

/// The configuration of a front: what clients may use, who may call what, and who sends in a form of their own.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct FrontConfig {
    /// Limits on what clients may use.
    pub limits: Limits,
    /// Senders that are received from at `/in/NAME`. Of two with one name the last one counts.
    pub sources: Vec<Source>,
    /// Tokens and roles. All calls are open by default.
    pub access: Access,
    /// Targets of the handler, to be shown and operated. None by default.
    pub targets: Option<Targets>,
    /// Consumers of brokers by their names, to be shown. None by default.
    pub intakes: Vec<(String, IntakeMonitor)>,
    /// The desk at which workers take events, when it is the handler of the engine. None by default.
    pub leases: Option<LeaseDesk>,
    /// Sites whose pages may call (CORS). None by default: a page of another site is refused by its `Origin`.
    pub cors_origins: Vec<Origin>,
    /// Proxies that are believed. None by default.
    ///
    /// What they send as `X-Forwarded-Host` is the host that a request is for, and the last of `X-Forwarded-For` that is
    /// none of them is its client. From all others such headers, and `Forwarded`, are removed. Of connections that
    /// [`serve`](super::serve) accepts only: a [`router`](super::router) does not know who calls.
    pub trusted_proxies: Vec<Network>,
    /// The tracer of requests that bring events. None by default. Of connections that [`serve`](super::serve)
    /// accepts only: around a [`router`](super::router) a layer can do it.
    pub tracer: Option<Arc<dyn RequestTracer>>,
    /// True where the page for operators is served at `/ui/`. It is text without data, and makes its calls with the token
    /// of its reader. False by default; the program serves it.
    pub ui: bool,
}

impl FrontConfig {
    /// The checks at the door of a server that is bound there.
    pub(super) fn door(&self, bound: Option<SocketAddr>) -> Door {
        Door {
            hosts: HostCheck::new(&self.limits.allowed_hosts, bound),
            access: self.access.clone(),
            cors: Cors(self.cors_origins.clone()),
            proxies: Proxies(self.trusted_proxies.clone()),
        }
    }
}

impl From<Limits> for FrontConfig {
    fn from(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }
}
