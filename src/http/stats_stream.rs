//! The numbers as JSON: once, or every second as server-sent events, which all that follow share.

use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::format;
use std::sync::Arc;

use axum::body::{Body, HttpBody};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, VARY};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body::Frame;
use tokio::time::{Interval, MissedTickBehavior};

use super::exposition;
use super::front::Front;
use super::last_event::ComputedEvent;
use super::problem::Problem;
use crate::engine::Phase;

/// The time between two of them: rates over a shorter one jump about, and an operator who waits for a longer one wonders.
const EVERY: Duration = Duration::from_secs(1);

/// `GET /v1/stats`
pub(super) async fn stats(State(front): State<Arc<Front>>, headers: HeaderMap) -> Result<Response, Problem> {
    let stats = front.eventful.stats()?;
    if is_wanted(&headers) {
        return Ok(respond(front));
    }
    let text = exposition::stats_json(&front, &stats);
    Ok(([(CONTENT_TYPE, "application/json"), (VARY, "accept")], text).into_response())
}

/// Returns whether server-sent events are what a client names first.
fn is_wanted(headers: &HeaderMap) -> bool {
    let first =
        headers.get(ACCEPT).and_then(|value| value.to_str().ok()).and_then(|value| value.split([',', ';']).next());
    first.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream"))
}

/// The numbers now and every second, until the engine has stopped.
fn respond(front: Arc<Front>) -> Response {
    let mut ticks = tokio::time::interval(EVERY);
    // A client that was slow has no use for numbers of the past.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store"), (VARY, "accept")];
    (headers, Body::new(StatsStream { front, ticks, has_ended: false })).into_response()
}

fn compute(front: &Front) -> Option<ComputedEvent> {
    let stats = front.eventful.stats().ok()?;
    let text = format!("event: stats\ndata: {}\n\n", exposition::stats_json(front, &stats));
    Some(ComputedEvent { text: text.into(), is_last: stats.phase == Phase::Stopped })
}

struct StatsStream {
    front: Arc<Front>,
    ticks: Interval,
    has_ended: bool,
}

impl HttpBody for StatsStream {
    type Data = Bytes;
    type Error = core::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        ready!(self.ticks.poll_tick(cx));
        // By half the time no stream shows numbers twice, nor any that are older than what it could have shown before.
        let Some(event) = self.front.last_stats.get(EVERY / 2, || compute(&self.front)) else {
            return Poll::Ready(None);
        };
        self.has_ended = event.is_last;
        Poll::Ready(Some(Ok(Frame::data(event.text))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Event;
    use crate::http::front_config::FrontConfig;
    use crate::http::timeouts::now;
    use crate::runtime::{Attempt, Eventful, Failure};
    use axum::http::HeaderValue;
    use core::future::poll_fn;
    use std::string::String;
    use std::vec::Vec;

    #[tokio::test(start_paused = true)]
    async fn numbers_come_at_once_and_then_every_second() {
        let handle = async |_: Event, _: Attempt| Ok::<_, Failure>(());
        let eventful = Eventful::builder().start(handle).expect("it starts");
        let mut body = respond(Arc::new(Front::new(eventful.clone(), FrontConfig::default()))).into_body();
        let began = now();
        let mut next = async || {
            let frame = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await?;
            let data = frame.expect("no error").into_data().expect("data");
            Some((began.elapsed().as_secs(), String::from_utf8(data.into()).expect("text")))
        };
        let mut seconds = Vec::new();
        for _ in 0..3 {
            let (second, text) = next().await.expect("numbers");
            assert!(text.starts_with("event: stats\ndata: {") && text.ends_with("}\n\n"), "{text}");
            seconds.push(second);
        }
        assert_eq!(seconds, [0, 1, 2]);
        eventful.shutdown(None).await;
        let (_, text) = next().await.expect("the last");
        assert!(text.contains("\"stopped\":1"), "{text}");
        assert_eq!(next().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn streams_share_what_one_of_them_has_computed() {
        let handle = async |_: Event, _: Attempt| Ok::<_, Failure>(());
        let eventful = Eventful::builder().start(handle).expect("it starts");
        let front = Arc::new(Front::new(eventful, FrontConfig::default()));
        let mut bodies: Vec<_> = (0..5).map(|_| respond(Arc::clone(&front)).into_body()).collect();
        let mut computed = Vec::new();
        for _ in 0..3 {
            let mut seen = Vec::new();
            for body in &mut bodies {
                let frame = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await.expect("numbers");
                seen.push(frame.expect("no error").into_data().expect("data"));
            }
            // Where the bytes are says whether they are the same ones, and none is freed while it is compared.
            assert!(seen.iter().all(|event| event.as_ptr() == seen[0].as_ptr()), "each stream has bytes of its own");
            computed.push(seen.swap_remove(0));
        }
        assert!(computed.windows(2).all(|pair| pair[0].as_ptr() != pair[1].as_ptr()), "each second has new numbers");
    }

    #[test]
    fn numbers_are_a_stream_for_clients_that_ask_for_one_first() {
        let wanted = |accept| is_wanted(&HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]));
        assert!(wanted("text/event-stream") && wanted("Text/Event-Stream;q=1, */*"));
        assert!(!wanted("*/*") && !wanted("application/json, text/event-stream") && !is_wanted(&HeaderMap::new()));
    }
}
