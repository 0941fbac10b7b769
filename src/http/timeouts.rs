//! Timeouts that hardly ever come.

use core::future::Future;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::boxed::Box;
use std::sync::{Arc, Mutex, PoisonError};

use hyper::rt::{self, Timer};
use tokio::time::{self, Instant};

/// The timeouts of one connection, which share one entry of the runtime's timer.
///
/// A request has two timeouts, for its head and its body, and nearly none comes. To register and remove both for each
/// request costs as much as all that is decided about its event. So an entry stays registered when a wait ends, and
/// the next wait moves it only when it fires too early: once in a timeout, not once in a request.
#[derive(Debug, Clone, Default)]
pub(super) struct Timeouts(Arc<Mutex<Option<Pin<Box<time::Sleep>>>>>);

impl Timeouts {
    /// Returns the output of `future`; `None` when that takes longer than `limit`.
    pub(super) async fn within<F: Future>(&self, limit: Duration, future: F) -> Option<F::Output> {
        tokio::pin!(future);
        let mut timeout = None;
        core::future::poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Some(output));
            }
            let timeout = timeout.get_or_insert_with(|| self.after(limit));
            Pin::new(timeout).poll(cx).map(|()| None)
        })
        .await
    }

    fn after(&self, limit: Duration) -> Timeout {
        self.at(now().checked_add(limit))
    }

    /// A wait that never ends when the time is beyond what a clock can show.
    fn at(&self, at: Option<Instant>) -> Timeout {
        // Taken out: two waits at the same time each need an entry.
        let entry = mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        Timeout { at, entry, home: self.clone() }
    }
}

/// Returns the time by the clock of the runtime's timer, which timeouts are compared with.
#[expect(clippy::disallowed_methods, reason = "the one place where the front asks this clock; paused in tests")]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// A wait until its time.
#[derive(Debug)]
struct Timeout {
    at: Option<Instant>,
    /// Registered for an earlier time, or for this one.
    entry: Option<Pin<Box<time::Sleep>>>,
    home: Timeouts,
}

impl Future for Timeout {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = self.at else { return Poll::Pending };
        let entry = self.entry.get_or_insert_with(|| Box::pin(time::sleep_until(at)));
        // Registered for later than this wait needs it.
        if entry.deadline() > at {
            entry.as_mut().reset(at);
        }
        loop {
            ready!(entry.as_mut().poll(cx));
            // The entry fired for the wait before, which had an earlier time.
            if entry.deadline() >= at {
                return Poll::Ready(());
            }
            entry.as_mut().reset(at);
        }
    }
}

impl Drop for Timeout {
    fn drop(&mut self) {
        // Kept registered for the next wait, which moves it only when it fires too early.
        if let Some(entry) = self.entry.take() {
            *self.home.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(entry);
        }
    }
}

impl rt::Sleep for Timeout {}

/// For the heads of requests.
impl Timer for Timeouts {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(self.after(duration))
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(self.at(Some(deadline.into())))
    }

    fn now(&self) -> std::time::Instant {
        now().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::future::{pending, ready};

    const LIMIT: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn wait_ends_at_its_limit_whatever_was_waited_for_before() {
        let timeouts = Timeouts::default();
        for (limit, begun) in [(LIMIT, 0), (LIMIT, 7), (LIMIT / 10, 7), (LIMIT, 29), (LIMIT * 3, 1)] {
            assert_eq!(timeouts.within(LIMIT, time::sleep(Duration::from_secs(begun))).await, Some(()));
            let start = now();
            assert_eq!(timeouts.within(limit, pending::<()>()).await, None);
            let took = start.elapsed();
            assert!(took >= limit && took < limit + Duration::from_millis(2), "{took:?} of {limit:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn event_that_has_ended_registers_no_waiter() {
        let timeouts = Timeouts::default();
        assert_eq!(timeouts.within(LIMIT, ready(1)).await, Some(1));
        assert!(timeouts.0.lock().expect("no panic").is_none());
        assert_eq!(timeouts.within(LIMIT, time::sleep(LIMIT / 2)).await, Some(()));
        assert!(timeouts.0.lock().expect("no panic").is_some(), "kept for the next wait");
        assert_eq!(timeouts.within(Duration::MAX, time::sleep(LIMIT * 9)).await, Some(()));
    }
}
