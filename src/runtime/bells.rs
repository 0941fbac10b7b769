//! What wakes the tasks and callers of one adapter.

use core::sync::atomic::{AtomicU64, Ordering};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::vec::Vec;
use tokio::sync::Notify;

use crate::node::{Lsn, Settled, Waiter};

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
            self.settled[(number % TURNS) as usize].notify_waiters();
        }
    }

    /// Rings for all who wait for anything.
    pub(super) fn wake_everyone(&self) {
        self.settled.iter().chain([&self.idle]).for_each(Notify::notify_waiters);
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
            ring(&woken);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    fn wake_all(&self) {
        let woken: Vec<_> = self.lock().values().cloned().collect();
        ring(&woken);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Waiter, Arc<Notify>>> {
        self.bells.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Rings them, with no lock held: a waker may come back from here.
fn ring(bells: &[Arc<Notify>]) {
    bells.iter().for_each(|bell| bell.notify_one());
}
