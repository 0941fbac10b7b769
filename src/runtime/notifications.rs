//! The notifications that wake the tasks and callers of one adapter.

use core::future::{Future, poll_fn};
use core::pin::pin;
use core::sync::atomic::Ordering;
use core::task::{Context, Waker};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::task::Wake;
use std::vec::Vec;

use crate::node::{Lsn, Settled, Waiter};
use crate::sync::{AtomicU64, Mutex, MutexGuard, Notify};

/// The number of notifications among which LSNs are divided. As a rule two groups are under way, and more when they
/// are full: then the notification of one LSN also wakes callers that wait for a later one, and they wait again. More
/// would only take more memory.
const TURNS: u64 = 8;

/// One notification for each action of the node that wakes.
#[derive(Debug, Default)]
pub(super) struct Notifications {
    /// For the dispatcher.
    pub(super) dispatch: Notify,
    /// For the sweeper.
    pub(super) timer: Notify,
    /// For the task or thread that drives the end.
    pub(super) end: Notify,
    /// For the supervisor of the dispatcher.
    pub(super) replace_dispatcher: Notify,
    /// For all that wait until no event is pending.
    pub(super) idle: Notify,
    /// For all that wait for an LSN, by its number.
    settled: [Notify; TURNS as usize],
    pub(super) waiters: Waiters,
}

impl Notifications {
    /// Returns the notification for this LSN.
    pub(super) fn of(&self, lsn: Lsn) -> &Notify {
        &self.settled[(lsn.number() % TURNS) as usize]
    }

    /// Notifies all that wait for these LSNs.
    pub(super) fn settle(&self, Settled { after, up_to }: Settled) {
        let (first, last) = (after.number() + 1, up_to.number());
        // Each notification once, however many LSNs are settled together.
        for number in first..=last.min(first.saturating_add(TURNS - 1)) {
            notify_all_guarded(&self.settled[(number % TURNS) as usize]);
        }
    }

    /// Notifies all that wait for anything.
    pub(super) fn wake_everyone(&self) {
        self.settled.iter().chain([&self.idle]).for_each(notify_all_guarded);
        self.waiters.wake_all();
    }
}

/// The waiters that the node knows by a number.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    last: AtomicU64,
    notifications: Mutex<BTreeMap<Waiter, Arc<Notify>>>,
}

impl Waiters {
    /// Returns a name for a caller that may have to wait.
    pub(super) fn name(&self) -> Waiter {
        // Relaxed is enough: all that matters is that no two are equal.
        Waiter::new(self.last.fetch_add(1, Ordering::Relaxed))
    }

    /// Adds a waiting caller, until [`Waiters::remove`]. To be called under the lock under which the node lets the
    /// caller wait: then no wake-up is missed.
    pub(super) fn add(&self, waiter: Waiter) -> Arc<Notify> {
        let notify = Arc::new(Notify::new());
        self.add_with(waiter, &notify);
        notify
    }

    /// Does the same for a caller that also waits elsewhere, for which it is notified by the same notification.
    pub(super) fn add_with(&self, waiter: Waiter, notify: &Arc<Notify>) {
        self.lock().insert(waiter, Arc::clone(notify));
    }

    pub(super) fn remove(&self, waiter: Waiter) {
        self.lock().remove(&waiter);
    }

    pub(super) fn wake(&self, waiters: &[Waiter]) {
        if !waiters.is_empty() {
            let notifications = self.lock();
            // Cloned, so that the lock is free when wakers run: they may call back here.
            let woken: Vec<_> = waiters.iter().filter_map(|waiter| notifications.get(waiter).cloned()).collect();
            drop(notifications);
            woken.iter().for_each(|notify| notify_one_guarded(notify));
        }
    }

    #[cfg(any(test, feature = "sim"))]
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    fn wake_all(&self) {
        let woken: Vec<_> = self.lock().values().cloned().collect();
        woken.iter().for_each(|notify| notify_one_guarded(notify));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Waiter, Arc<Notify>>> {
        self.notifications.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notifies one waiter, now or later. To be called with no lock held: its waker may call back.
pub(super) fn notify_one_guarded(notify: &Notify) {
    wake(|| notify.notify_one());
}

/// Notifies all that wait now. To be called with no lock held: their wakers may call back.
pub(super) fn notify_all_guarded(notify: &Notify) {
    wake(|| notify.notify_waiters());
}

/// Runs code that calls a waker, and catches its panic: a waker is the code of the waiting task, and its panic is no
/// fault of the notifier, which may be a worker or the writer of the journal. For a notification that many share, the
/// waiter must be [`guarded`] as well.
fn wake(waking: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(waking)).is_err() {
        tracing::error!("a waker panicked: its task may wait without end; correct the executor of that task");
    }
}

/// Waits for a notification that others may wait for, too. A waker that panics in it would keep them from being woken,
/// so it is wrapped.
pub(super) async fn guarded<F: Future>(notify: F) -> F::Output {
    let mut notify = pin!(notify);
    poll_fn(|cx| {
        let waker = Waker::from(Arc::new(Guarded(cx.waker().clone())));
        notify.as_mut().poll(&mut Context::from_waker(&waker))
    })
    .await
}

/// A waker that does not panic.
struct Guarded(Waker);

impl Wake for Guarded {
    fn wake(self: Arc<Self>) {
        wake(|| self.0.wake_by_ref());
    }
}
