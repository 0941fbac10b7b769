//! The service of one connection.

use core::convert::Infallible;
use core::future::{Future, ready};
use core::net::IpAddr;
use core::pin::Pin;
use std::boxed::Box;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::Method;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper::{Request, http};
use hyper_util::service::TowerToHyperService;

use super::door::Door;
use super::front::Front;
use super::request_spans::{RequestRoute, RequestSpan};
use super::timeouts::Timeouts;

/// The calls of one connection.
///
/// Single events go to their call at once: half of what a router and its layers cost a request is in their boxes, and
/// these requests are nearly all that there are.
#[derive(Debug)]
pub(super) struct ConnectionCalls {
    pub(super) door: Arc<Door>,
    pub(super) peer: Option<IpAddr>,
    /// Absent where single events are not taken.
    pub(super) front: Option<Arc<Front>>,
    pub(super) others: Router,
    pub(super) timeouts: Timeouts,
}

type Answer = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

impl Service<Request<Incoming>> for ConnectionCalls {
    type Response = Response;
    type Error = Infallible;
    type Future = Answer;

    fn call(&self, mut request: Request<Incoming>) -> Answer {
        let guest = match self.door.admit(self.peer, &mut request) {
            Ok(guest) => guest,
            Err(response) => return Box::pin(ready(Ok(*response))),
        };
        let span = self.front.as_ref().and_then(|front| begin_span(front, &mut request));
        match &self.front {
            Some(front) if is_single_event(&request) => {
                let (front, timeouts) = (Arc::clone(front), self.timeouts.clone());
                Box::pin(async move { Ok(guest.see_off(ended(span, front.submit(request, &timeouts).await))) })
            }
            _ => {
                let call = TowerToHyperService::new(self.others.clone()).call(request.map(Body::new));
                Box::pin(async move { Ok(guest.see_off(ended(span, call.await?))) })
            }
        }
    }
}

fn begin_span(front: &Front, request: &mut Request<Incoming>) -> Option<Box<dyn RequestSpan>> {
    let tracer = front.tracer.as_ref()?;
    let route = RequestRoute::of(request)?;
    Some(tracer.begin(route, request.headers_mut()))
}

fn ended(span: Option<Box<dyn RequestSpan>>, response: Response) -> Response {
    if let Some(span) = span {
        span.end(response.status());
    }
    response
}

fn is_single_event(request: &http::Request<Incoming>) -> bool {
    request.method() == Method::POST && request.uri().path() == "/v1/events"
}
