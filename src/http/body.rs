//! The body of a request, read with limits.

use core::time::Duration;
use std::vec::Vec;

use axum::body::{Body, HttpBody as _};
use bytes::Bytes;
use http_body_util::BodyExt as _;

use super::problem::{Kind, Problem};

/// The whole body, in bytes of its own: they may stay for long, and must not keep the
/// connection's buffer with them.
///
/// # Errors
///
/// It takes longer than `timeout` or ends early; none stands for more than `limit_bytes`.
pub(super) async fn read(mut body: Body, limit_bytes: usize, timeout: Duration) -> Result<Bytes, Option<Problem>> {
    let whole = tokio::time::timeout(timeout, collect(&mut body, limit_bytes)).await;
    whole.unwrap_or_else(|_| Err(Some(too_slow())))
}

/// The next part of a body; none at its end.
///
/// # Errors
///
/// It does not come within `timeout`, or the body ends early.
pub(super) async fn next(body: &mut Body, timeout: Duration) -> Result<Option<Bytes>, Problem> {
    match tokio::time::timeout(timeout, part(body)).await {
        Ok(part) => part.transpose(),
        Err(_) => Err(too_slow()),
    }
}

/// None in place of a problem: it is too large.
async fn collect(body: &mut Body, limit_bytes: usize) -> Result<Bytes, Option<Problem>> {
    let expected = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if expected > limit_bytes {
        return Err(None);
    }
    let mut whole = Vec::with_capacity(expected);
    while let Some(part) = part(body).await {
        let part = part?;
        if whole.len() + part.len() > limit_bytes {
            return Err(None);
        }
        whole.extend_from_slice(&part);
    }
    whole.shrink_to_fit();
    Ok(whole.into())
}

async fn part(body: &mut Body) -> Option<Result<Bytes, Problem>> {
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
    Problem::new(Kind::Timeout, "the body did not arrive in time: send it faster, or in smaller parts").closing()
}
