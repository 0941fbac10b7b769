//! The checks that let a request in.

use axum::http::Request;

use super::access::Access;
use super::coding;
use super::hosts::HostCheck;
use super::problem::Problem;

/// The checks that each request passes before its call is made.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) hosts: HostCheck,
    pub(super) access: Access,
}

impl Door {
    /// Lets in what is for this host, sent by no page of another one, can be read, and has the token that it needs.
    pub(super) fn admit<B>(&self, request: &Request<B>) -> Result<(), Problem> {
        self.hosts.check(request)?;
        coding::refuse_transfer(request.headers())?;
        self.access.check(request.method(), request.uri().path(), request.headers())
    }
}
