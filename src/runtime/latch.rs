//! An event in time that happens once, and that many tasks may wait for.

use core::sync::atomic::Ordering;

use super::notifications::notify_all_guarded;
use crate::sync::{AtomicBool, Notify};

/// Closed at first; once opened, it stays open.
#[derive(Debug, Default)]
pub(super) struct Latch {
    open: AtomicBool,
    opened: Notify,
}

/// A run that can be cancelled.
pub(super) trait Cancel: Send + Sync {
    /// Asks the run to stop.
    fn cancel(&self);
}

impl Latch {
    pub(super) fn open(&self) {
        // Before the notification, so that a waiter which it wakes finds it set.
        self.open.store(true, Ordering::Release);
        notify_all_guarded(&self.opened);
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// Waits until it is open.
    pub(super) async fn wait(&self) {
        loop {
            // Created before the check, so that no opening between them is missed.
            let opened = self.opened.notified();
            if self.is_open() {
                return;
            }
            opened.await;
        }
    }
}
