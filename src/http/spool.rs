//! The results of a batch that wait for their client.
//!
//! Most HTTP libraries send the whole of a request before they read any of its response. A server that stops reading
//! until its results are read would wait for such a client, as the client waits for it. So the batch and its results
//! run apart, with this between them.

use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http_body::Frame;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::budget::{Budget, Share};

/// The end of a spool that a batch writes its results to.
#[derive(Debug)]
pub(super) struct Spool {
    parts: UnboundedSender<Bytes>,
    unread: Arc<Unread>,
    limit_bytes: usize,
}

/// The body of the response: the results as far as they are there.
#[derive(Debug)]
pub(super) struct BatchResults {
    parts: UnboundedReceiver<Bytes>,
    unread: Arc<Unread>,
}

#[derive(Debug)]
struct Unread {
    share: Mutex<Share>,
    /// A result has left.
    left: Notify,
    /// The last result is there.
    ended: AtomicBool,
}

impl Unread {
    fn share(&self) -> MutexGuard<'_, Share> {
        self.share.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spool {
    /// A spool of so many bytes, which the budget counts too.
    pub(super) fn new(limit_bytes: usize, budget: Arc<Budget>) -> (Self, BatchResults) {
        let (sender, receiver) = unbounded_channel();
        let share = Mutex::new(budget.share());
        let unread = Arc::new(Unread { share, left: Notify::new(), ended: AtomicBool::new(false) });
        (Self { parts: sender, unread: Arc::clone(&unread), limit_bytes }, BatchResults { parts: receiver, unread })
    }

    /// Puts results in, whether there is room or not. False when the connection is gone.
    pub(super) fn put(&self, results: Bytes) -> bool {
        {
            let mut share = self.unread.share();
            let bytes = share.bytes() + results.len();
            // Added before the part is sent, as its reader subtracts.
            share.set(bytes);
        }
        self.parts.send(results).is_ok()
    }

    pub(super) fn unread_bytes(&self) -> usize {
        self.unread.share().bytes()
    }

    /// Waits until there is room. False when the client has taken nothing for `patience`, or is gone.
    pub(super) async fn has_room(&self, patience: Duration) -> bool {
        while self.is_full() {
            let taken = tokio::select! {
                biased;
                // A client that has gone frees no room any more.
                () = self.parts.closed() => false,
                taken = tokio::time::timeout(patience, self.unread.left.notified()) => taken.is_ok(),
            };
            if !taken {
                return false;
            }
        }
        true
    }

    /// A client that reads all is never in the way of itself, however much others hold of the budget.
    fn is_full(&self) -> bool {
        let share = self.unread.share();
        // An empty spool always takes a part, or a small budget would stop every batch.
        share.bytes() > 0 && (share.bytes() >= self.limit_bytes || !share.has_more())
    }

    /// The last result is in. A spool that is dropped without this ends its response as a broken one.
    pub(super) fn end(self) {
        self.unread.ended.store(true, Ordering::Release);
    }
}

impl http_body::Body for BatchResults {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Some(part) = ready!(self.parts.poll_recv(cx)) else {
            // The sender is gone: at the end of the batch, or because its task died.
            let ended = self.unread.ended.load(Ordering::Acquire);
            return Poll::Ready((!ended).then(|| Err(io::Error::other("the batch was cut off"))));
        };
        {
            let mut share = self.unread.share();
            let bytes = share.bytes() - part.len();
            share.set(bytes);
        }
        self.unread.left.notify_one();
        Poll::Ready(Some(Ok(Frame::data(part))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::future::poll_fn;
    use http_body::Body as _;
    use std::vec;

    const PATIENCE: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn full_spool_has_room_once_some_of_it_is_taken() {
        let (spool, mut results) = Spool::new(4, Budget::new(100));
        assert!(spool.put(part(3)) && spool.has_room(PATIENCE).await);
        assert!(spool.put(part(3)) && spool.unread_bytes() == 6);
        let waits = spool.has_room(PATIENCE);
        let takes = async {
            tokio::time::sleep(PATIENCE / 2).await;
            take(&mut results).await.expect("a part").expect("a result");
        };
        assert!(tokio::join!(waits, takes).0);
    }

    #[tokio::test(start_paused = true)]
    async fn spool_has_no_room_for_a_client_that_reads_nothing() {
        let (spool, results) = Spool::new(1, Budget::new(100));
        assert!(spool.put(part(1)) && !spool.has_room(PATIENCE).await);
        drop(results);
        assert!(!spool.has_room(Duration::MAX).await && !spool.put(part(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn budget_of_all_fills_each_spool_but_an_empty_one() {
        let budget = Budget::new(2);
        let (one, _one) = Spool::new(100, Arc::clone(&budget));
        let (other, _other) = Spool::new(100, budget);
        assert!(one.put(part(2)) && !one.has_room(PATIENCE).await && other.has_room(PATIENCE).await);
        assert!(other.put(part(1)) && !other.has_room(PATIENCE).await);
    }

    #[tokio::test]
    async fn spool_that_is_not_ended_breaks_its_response() {
        let (spool, mut results) = Spool::new(100, Budget::new(100));
        drop(spool);
        assert!(take(&mut results).await.expect("something").is_err());
        let (spool, mut results) = Spool::new(100, Budget::new(100));
        spool.end();
        assert!(take(&mut results).await.is_none());
    }

    fn part(len: usize) -> Bytes {
        vec![b'x'; len].into()
    }

    async fn take(results: &mut BatchResults) -> Option<io::Result<Frame<Bytes>>> {
        poll_fn(|cx| Pin::new(&mut *results).poll_frame(cx)).await
    }
}
