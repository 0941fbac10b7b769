//! What wakes the tasks and callers of one adapter.

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

/// Bells that groups take turns at. Two groups are on their way as a rule, and more when they are full: then
/// the bell of one may wake who waits for a later one, and goes back to waiting.
const TURNS: u64 = 8;

/// One bell for each action of the node that wakes.
#[derive(Debug, Default)]
pub(super) struct Bells {
    /// For the dispatcher.
    pub(super) dispatch: Notify,
    /// For the sweeper.
    pub(super) timer: Notify,
    /// For who sees to the end.
    pub(super) end: Notify,
    /// For the supervisor of the dispatcher.
    pub(super) replace_dispatcher: Notify,
    /// For all who wait until no event is pending.
    pub(super) idle: Notify,
    /// For all who wait for an LSN, by its number.
    settled: [Notify; TURNS as usize],
    pub(super) waiters: Waiters,
}

impl Bells {
    /// The bell that rings when this LSN is settled.
    pub(super) fn of(&self, lsn: Lsn) -> &Notify {
        &self.settled[(lsn.number() % TURNS) as usize]
    }

    /// Rings for all who wait for these LSNs.
    pub(super) fn settle(&self, Settled { after, up_to }: Settled) {
        let (first, last) = (after.number() + 1, up_to.number());
        for number in first..=last.min(first.saturating_add(TURNS - 1)) {
            ring_for_all(&self.settled[(number % TURNS) as usize]);
        }
    }

    /// Rings for all who wait for anything.
    pub(super) fn wake_everyone(&self) {
        self.settled.iter().chain([&self.idle]).for_each(ring_for_all);
        self.waiters.wake_all();
    }
}

/// The waiters that the node knows by a number.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    last: AtomicU64,
    bells: Mutex<BTreeMap<Waiter, Arc<Notify>>>,
}

impl Waiters {
    /// A name for one who may have to wait.
    pub(super) fn name(&self) -> Waiter {
        Waiter::new(self.last.fetch_add(1, Ordering::Relaxed))
    }

    /// Adds one who waits, until [`Waiters::remove`]. To be called while the node is locked that has it
    /// wait: then no wake-up is missed.
    pub(super) fn add(&self, waiter: Waiter) -> Arc<Notify> {
        let bell = Arc::new(Notify::new());
        self.lock().insert(waiter, Arc::clone(&bell));
        bell
    }

    pub(super) fn remove(&self, waiter: Waiter) {
        self.lock().remove(&waiter);
    }

    pub(super) fn wake(&self, waiters: &[Waiter]) {
        if !waiters.is_empty() {
            let bells = self.lock();
            let woken: Vec<_> = waiters.iter().filter_map(|waiter| bells.get(waiter).cloned()).collect();
            drop(bells);
            woken.iter().for_each(|bell| ring_for_one(bell));
        }
    }

    #[cfg(any(test, feature = "sim"))]
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    fn wake_all(&self) {
        let woken: Vec<_> = self.lock().values().cloned().collect();
        woken.iter().for_each(|bell| ring_for_one(bell));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Waiter, Arc<Notify>>> {
        self.bells.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Rings for one who waits, now or later. To be called with no lock held: a waker may come back from here.
pub(super) fn ring_for_one(bell: &Notify) {
    ring(|| bell.notify_one());
}

/// Rings for all who wait now. To be called with no lock held: a waker may come back from here.
pub(super) fn ring_for_all(bell: &Notify) {
    ring(|| bell.notify_waiters());
}

/// A waker is code of who waits, and its panic no fault of who rings, which may be a worker or the writer of
/// the journal. With a bell that many share, it must be [`guarded`] as well.
fn ring(ringing: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(ringing)).is_err() {
        tracing::error!("a waker panicked: the task that it belongs to may wait without end");
    }
}

/// Waits for a bell that others may wait for, too. A waker that panics in it would keep them from being
/// woken, so it is wrapped.
pub(super) async fn guarded<F: Future>(bell: F) -> F::Output {
    let mut bell = pin!(bell);
    poll_fn(|cx| {
        let waker = Waker::from(Arc::new(Guarded(cx.waker().clone())));
        bell.as_mut().poll(&mut Context::from_waker(&waker))
    })
    .await
}

/// A waker that does not panic.
struct Guarded(Waker);

impl Wake for Guarded {
    fn wake(self: Arc<Self>) {
        ring(|| self.0.wake_by_ref());
    }
}
