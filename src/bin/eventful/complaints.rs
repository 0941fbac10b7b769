//! The standard error of commands: passed on to that of the program, and its end kept for the record of the event.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::sync::Semaphore;

use crate::excerpt;

/// Bytes that are read, and passed on, at once.
const PART_BYTES: usize = 4 << 10;
/// The standard error of one command.
pub(crate) struct Complaints {
    last: Arc<Mutex<VecDeque<u8>>>,
    /// A semaphore without permits. It is closed at the end, which wakes all that wait for it.
    ended: Arc<Semaphore>,
}

impl Complaints {
    /// Reads to the end, in a task of its own: other processes that a command has started may write after it.
    pub(crate) fn follow(
        mut from: impl AsyncRead + Unpin + Send + 'static,
        relay: impl Fn(&[u8]) + Send + 'static,
    ) -> Self {
        let complaints = Self { last: Arc::default(), ended: Arc::new(Semaphore::new(0)) };
        let (last, ended) = (Arc::clone(&complaints.last), Arc::clone(&complaints.ended));
        tokio::spawn(async move {
            let mut part = vec![0; PART_BYTES];
            while let Ok(read @ 1..) = from.read(&mut part).await {
                // Relayed at once, so that an operator sees the output of a command that hangs.
                relay(&part[..read]);
                keep(&mut last.lock().unwrap_or_else(PoisonError::into_inner), &part[..read]);
            }
            ended.close();
        });
        complaints
    }

    /// Returns the last bytes that were written, once the command has ended. Another process may have standard error
    /// open still, and is not waited for after the grace.
    pub(crate) async fn last(&self, grace: Duration) -> Vec<u8> {
        let _ended = tokio::time::timeout(grace, self.ended.acquire()).await;
        self.last.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }
}

fn keep(last: &mut VecDeque<u8>, part: &[u8]) {
    last.extend(part);
    // Only the end is kept: an error is most often in the last lines.
    last.drain(..last.len().saturating_sub(excerpt::BYTES));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[tokio::test]
    async fn end_is_kept_and_all_is_passed_on() {
        let said = [&[b'x'; 5000][..], b"the end"].concat();
        let (sender, parts) = channel();
        let pass = move |part: &[u8]| sender.send(part.to_vec()).expect("a receiver");
        let complaints = Complaints::follow(std::io::Cursor::new(said.clone()), pass);
        let last = complaints.last(Duration::from_secs(1)).await;
        assert_eq!((last.len(), last.ends_with(b"xthe end")), (excerpt::BYTES, true));
        assert_eq!(parts.try_iter().flatten().collect::<Vec<_>>(), said);
    }

    #[tokio::test(start_paused = true)]
    async fn process_left_behind_is_not_waited_for() {
        let (mut left_behind, from) = tokio::io::duplex(100);
        let complaints = Complaints::follow(from, |_| {});
        tokio::io::AsyncWriteExt::write_all(&mut left_behind, b"before").await.expect("it is taken");
        assert_eq!(complaints.last(Duration::from_secs(1)).await, b"before");
    }
}
