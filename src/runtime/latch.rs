//! Something that happens once, and that many may wait for.

use core::sync::atomic::Ordering;

use super::notifications::notify_all_guarded;
use crate::sync::{AtomicBool, Notify};

/// Closed at first; once opened, it stays open.
#[derive(Debug, Default)]
pub(super) struct Latch {
    open: AtomicBool,
    opened: Notify,
}

/// What can be cancelled.
pub(super) trait Cancel: Send + Sync {
    /// Asks it to stop.
    fn cancel(&self);
}

impl Latch {
    pub(super) fn open(&self) {
        self.open.store(true, Ordering::Release);
        notify_all_guarded(&self.opened);
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// Ends when it is open.
    pub(super) async fn wait(&self) {
        loop {
            // Made before the look, so that no opening between them is missed.
            let opened = self.opened.notified();
            if self.is_open() {
                return;
            }
            opened.await;
        }
    }
}
