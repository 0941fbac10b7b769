//! What commands write to standard error: passed on to ours, and its end kept for their record.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::sync::Semaphore;

use crate::excerpt;

/// How long the end of standard error is waited for after its command has ended: another process may have
/// it open still.
const GRACE: Duration = Duration::from_secs(1);
/// Bytes that are read, and passed on, at once.
const PART_BYTES: usize = 4 << 10;
/// Parts that wait to be written, at most: 256 KiB, more than a pipe holds.
const PARTS: usize = 64;

/// The way to our standard error. What does not get through in time is dropped: its reader may be stuck,
/// and no command waits for that.
#[derive(Debug, Clone)]
pub(crate) struct Outlet {
    parts: SyncSender<Vec<u8>>,
    dropped: Arc<AtomicU64>,
}

impl Outlet {
    /// Starts the thread that writes.
    pub(crate) fn open() -> std::io::Result<Self> {
        let (outlet, parts) = Self::new();
        std::thread::Builder::new().name("eventful-stderr".into()).spawn(move || write_all(&parts))?;
        Ok(outlet)
    }

    fn new() -> (Self, Receiver<Vec<u8>>) {
        let (sender, receiver) = sync_channel(PARTS);
        (Self { parts: sender, dropped: Arc::default() }, receiver)
    }

    fn pass(&self, part: &[u8]) {
        if self.parts.try_send(part.to_vec()).is_err() {
            self.dropped.fetch_add(part.len() as u64, Ordering::Relaxed);
            return;
        }
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            tracing::warn!(dropped, "bytes of standard error of commands were dropped: ours was not read in time");
        }
    }
}

fn write_all(parts: &Receiver<Vec<u8>>) {
    while let Ok(part) = parts.recv() {
        let mut left = &part[..];
        // Without the lock of `std::io::stderr`: whoever else writes must not wait for a reader of this. There
        // may be no reader any more, and commands work without one.
        while !left.is_empty()
            && let Ok(written) = rustix::io::retry_on_intr(|| rustix::io::write(std::io::stderr(), left))
        {
            left = &left[written..];
        }
    }
}

/// The standard error of one command.
pub(crate) struct Complaints {
    last: Arc<Mutex<VecDeque<u8>>>,
    /// Has no permits. It is closed at the end, which wakes whoever waits for it.
    ended: Arc<Semaphore>,
}

impl Complaints {
    /// Reads to the end, in a task of its own: what a command leaves behind may write after it.
    pub(crate) fn follow(mut from: impl AsyncRead + Unpin + Send + 'static, outlet: Outlet) -> Self {
        let complaints = Self { last: Arc::default(), ended: Arc::new(Semaphore::new(0)) };
        let (last, ended) = (Arc::clone(&complaints.last), Arc::clone(&complaints.ended));
        tokio::spawn(async move {
            let mut part = vec![0; PART_BYTES];
            while let Ok(read @ 1..) = from.read(&mut part).await {
                outlet.pass(&part[..read]);
                keep(&mut last.lock().unwrap_or_else(PoisonError::into_inner), &part[..read]);
            }
            ended.close();
        });
        complaints
    }

    /// The last that was written, once the command has ended.
    pub(crate) async fn last(&self) -> Vec<u8> {
        let _ended = tokio::time::timeout(GRACE, self.ended.acquire()).await;
        self.last.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }
}

fn keep(last: &mut VecDeque<u8>, part: &[u8]) {
    last.extend(part);
    last.drain(..last.len().saturating_sub(excerpt::BYTES));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn end_is_kept_and_all_is_passed_on() {
        let (outlet, parts) = Outlet::new();
        let said = [&[b'x'; 5000][..], b"the end"].concat();
        let complaints = Complaints::follow(std::io::Cursor::new(said.clone()), outlet);
        let last = complaints.last().await;
        assert_eq!((last.len(), last.ends_with(b"xthe end")), (excerpt::BYTES, true));
        assert_eq!(parts.try_iter().flatten().collect::<Vec<_>>(), said);
    }

    #[tokio::test]
    async fn reader_that_is_stuck_holds_up_no_command() {
        let (outlet, parts) = Outlet::new();
        let said = vec![b'x'; (PARTS + 10) * PART_BYTES];
        let complaints = Complaints::follow(std::io::Cursor::new(said), outlet.clone());
        assert_eq!(complaints.last().await.len(), excerpt::BYTES);
        assert_eq!(outlet.dropped.load(Ordering::Relaxed), 10 * PART_BYTES as u64);
        assert_eq!(parts.try_iter().count(), PARTS);
    }

    #[tokio::test(start_paused = true)]
    async fn process_left_behind_is_not_waited_for() {
        let (outlet, _parts) = Outlet::new();
        let (mut left_behind, from) = tokio::io::duplex(100);
        let complaints = Complaints::follow(from, outlet);
        tokio::io::AsyncWriteExt::write_all(&mut left_behind, b"before").await.expect("it is taken");
        assert_eq!(complaints.last().await, b"before");
    }
}
