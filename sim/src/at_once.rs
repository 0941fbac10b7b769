//! Futures that have nothing to wait for.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// What a future gives at its first poll: an adapter without a journal answers at once.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("there is no journal to wait for"),
    }
}
