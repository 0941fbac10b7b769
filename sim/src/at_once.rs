//! Futures that are ready at their first poll.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Returns the output of a future at its first poll: an adapter without a journal is ready at once.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("a call has to wait, although there is no journal"),
    }
}
