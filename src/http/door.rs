//! The checks that let a request in.

use core::net::IpAddr;
use std::boxed::Box;

use axum::http::{HeaderValue, Request};
use axum::response::{IntoResponse as _, Response};

use super::access::Access;
use super::coding;
use super::cors::Cors;
use super::hosts::HostCheck;
use super::problem::Problem;
use super::proxies::Proxies;

/// The checks that each request passes before its call is made.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) hosts: HostCheck,
    pub(super) access: Access,
    pub(super) cors: Cors,
    pub(super) proxies: Proxies,
}

/// A request that was let in, with what its response needs.
#[derive(Debug)]
pub(super) struct Guest(Option<HeaderValue>);

impl Guest {
    /// Lets the page that has sent the request read its response, if it is one that may call.
    pub(super) fn see_off(self, mut response: Response) -> Response {
        if let Some(origin) = self.0 {
            Cors::show_to(origin, &mut response);
        }
        response
    }
}

impl Door {
    /// Lets in what is for this host, sent by no page of another one, can be read, and has the token that it needs.
    ///
    /// # Errors
    ///
    /// The response to what is not let in, or needs no call.
    pub(super) fn admit<B>(&self, peer: Option<IpAddr>, request: &mut Request<B>) -> Result<Guest, Box<Response>> {
        let client = self.proxies.resolve(peer, request);
        let guest = Guest(self.cors.origin(request.headers()));
        match self.check(&guest, request) {
            Ok(None) => Ok(guest),
            Ok(Some(response)) => Err(Box::new(guest.see_off(response))),
            Err(problem) => {
                tracing::debug!(?client, kind = problem.kind().name(), "a request was not let in");
                Err(Box::new(guest.see_off(problem.into_response())))
            }
        }
    }

    fn check<B>(&self, guest: &Guest, request: &Request<B>) -> Result<Option<Response>, Problem> {
        self.hosts.check_host(request)?;
        if guest.0.is_none() {
            HostCheck::check_origin(request)?;
        } else if let Some(response) = Cors::preflight(request.method(), request.headers()) {
            return Ok(Some(response));
        }
        coding::refuse_transfer(request.headers())?;
        self.access.check(request.method(), request.uri().path(), request.headers())?;
        Ok(None)
    }
}
