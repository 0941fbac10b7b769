//! The body of a request, read with limits.

use core::time::Duration;
use std::sync::Arc;
use std::vec::Vec;

use axum::body::HttpBody;
use bytes::Bytes;
use http_body_util::BodyExt as _;

use super::budget::{Budget, Share};
use super::problem::{Problem, ProblemKind};
use super::timeouts::Timeouts;

/// The whole body, in bytes of its own: they may stay for long, and must not keep the
/// connection's buffer with them. A body that arrives slowly is waited for as long as it does arrive.
///
/// # Errors
///
/// It stops arriving for `timeout`, ends early, or finds no room in the budget; none represents more
/// than `limit_bytes`.
pub(super) async fn read(
    mut body: impl HttpBody<Data = Bytes> + Unpin,
    limit_bytes: usize,
    (timeout, timeouts): (Duration, &Timeouts),
    budget: &Arc<Budget>,
) -> Result<Bytes, Option<Problem>> {
    let expected = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    // Refused by its announced length, before a byte is read.
    if expected > limit_bytes {
        return Err(None);
    }
    if !budget.fits(expected) {
        return Err(Some(Problem::crowded(budget.total())));
    }
    let mut whole = Whole { bytes: Vec::new(), share: Arc::clone(budget).share(), limit_bytes };
    while let Some(part) = next(&mut body, timeout, timeouts).await? {
        whole.add(&part, expected)?;
    }
    // From here on it is the engine that counts it: nothing waits before that.
    whole.bytes.shrink_to_fit();
    Ok(whole.bytes.into())
}

/// A body as far as it has arrived. No more is held than has, but for the growth of a buffer.
struct Whole {
    bytes: Vec<u8>,
    share: Share,
    limit_bytes: usize,
}

impl Whole {
    /// None in place of a problem: it is too large.
    fn add(&mut self, part: &[u8], expected: usize) -> Result<(), Option<Problem>> {
        let len = self.bytes.len() + part.len();
        if len > self.limit_bytes {
            return Err(None);
        }
        if len > self.bytes.capacity() {
            // Grows by doubling, so that an announced length that is too high costs no memory.
            let most = if expected > 0 { expected } else { self.limit_bytes };
            let capacity = (self.bytes.capacity() * 2).min(most).max(len);
            // Held before it is allocated.
            if !self.share.hold(capacity) {
                return Err(Some(Problem::crowded(self.share.total())));
            }
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        self.bytes.extend_from_slice(part);
        Ok(())
    }
}

/// Reads the rest of a body, and keeps none of it.
pub(super) async fn read_away(mut body: impl HttpBody<Data = Bytes> + Unpin, timeout: Duration) {
    let timeouts = Timeouts::default();
    while let Ok(Some(_)) = next(&mut body, timeout, &timeouts).await {}
}

/// The next part of a body; none at its end.
///
/// # Errors
///
/// It does not come within `timeout`, or the body ends early.
pub(super) async fn next(
    body: &mut (impl HttpBody<Data = Bytes> + Unpin),
    timeout: Duration,
    timeouts: &Timeouts,
) -> Result<Option<Bytes>, Problem> {
    match timeouts.within(timeout, part(body)).await {
        Some(part) => part.transpose(),
        None => Err(too_slow()),
    }
}

async fn part(body: &mut (impl HttpBody<Data = Bytes> + Unpin)) -> Option<Result<Bytes, Problem>> {
    loop {
        match body.frame().await? {
            // Trailers carry nothing for us.
            Ok(frame) => {
                if let Ok(data) = frame.into_data() {
                    return Some(Ok(data));
                }
            }
            Err(_) => return Some(Err(Problem::invalid("the body ended early: send it whole").closing())),
        }
    }
}

fn too_slow() -> Problem {
    Problem::new(ProblemKind::Timeout, "nothing of the body arrived for too long: send it without pauses").closing()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use http_body_util::Full;
    use std::vec;

    const TIMEOUT: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn body_keeps_nothing_of_the_buffer_that_it_came_in() {
        let buffer = Bytes::from(vec![b'x'; 100_000]);
        let part = buffer.slice(50_000..50_003);
        let budget = Budget::new(1000);
        let whole =
            read(Body::new(Full::new(part)), 100, (TIMEOUT, &Timeouts::default()), &budget).await.expect("it is read");
        let own = whole.try_into_mut().expect("no one else has it");
        assert_eq!((&own[..], own.capacity()), (&b"xxx"[..], 3));
        assert!(budget.fits(1000), "it is given back");
    }

    #[tokio::test]
    async fn body_without_room_is_refused_before_it_is_read() {
        let budget = Budget::new(1000);
        let mut other = Arc::clone(&budget).share();
        assert!(other.hold(998));
        let body = || Body::new(Full::new(Bytes::from_static(b"xxx")));
        let refused = read(body(), 100, (TIMEOUT, &Timeouts::default()), &budget)
            .await
            .expect_err("there is no room")
            .expect("a problem");
        assert_eq!(refused.kind(), ProblemKind::Overloaded);
        drop(other);
        assert!(read(body(), 100, (TIMEOUT, &Timeouts::default()), &budget).await.is_ok());
        assert!(
            read(body(), 2, (TIMEOUT, &Timeouts::default()), &budget).await.expect_err("it is too large").is_none()
        );
    }
}
