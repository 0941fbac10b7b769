//! tokio's `Notify`: its contract, and its behaviour beyond that as of 1.54.

use core::future::Future;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::point;

/// Wakes one task, now or later, or all that wait now.
#[derive(Debug, Default)]
pub struct Notify(Mutex<NotifyState>);

#[derive(Debug, Default)]
struct NotifyState {
    /// True if `notify_one` was called while no task waited: the next one does not wait.
    permit: bool,
    /// The number of calls of `notify_waiters`.
    broadcasts: u64,
    last_place: u64,
    /// The wakers of waiting tasks by their places, first in, first out.
    queue: VecDeque<(u64, Waker)>,
    /// Tasks that were notified and have not been polled since, by their places.
    notified: BTreeMap<u64, Granted>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Granted {
    One,
    All,
}

impl Notify {
    /// Creates one without a permit.
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits to be notified. The future sees every [`notify_waiters`](Self::notify_waiters) from now on, polled or
    /// not, and has a place in the queue from its first poll on.
    pub fn notified(&self) -> Notified<'_> {
        point();
        let seen = self.lock().broadcasts;
        Notified { notify: self, seen, stage: WaitStage::New }
    }

    /// Wakes the first task that waits; if there is none, leaves a permit for the next.
    pub fn notify_one(&self) {
        point();
        let woken = self.lock().wake_one();
        wake(woken);
    }

    /// Wakes all tasks that wait, and leaves no permit.
    pub fn notify_waiters(&self) {
        point();
        let woken = self.lock().wake_all();
        woken.into_iter().map(Some).for_each(wake);
    }

    fn lock(&self) -> MutexGuard<'_, NotifyState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Calls the waker with nothing locked, as tokio does: other threads may run between the notification and the waking.
fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        point();
        waker.wake();
    }
}

impl NotifyState {
    fn wake_one(&mut self) -> Option<Waker> {
        let first = self.queue.pop_front();
        match first {
            Some((place, waker)) => {
                self.notified.insert(place, Granted::One);
                Some(waker)
            }
            None => {
                self.permit = true;
                None
            }
        }
    }

    fn wake_all(&mut self) -> Vec<Waker> {
        self.broadcasts += 1;
        let Self { queue, notified, .. } = self;
        let woken = queue.drain(..).map(|(place, waker)| {
            notified.insert(place, Granted::All);
            waker
        });
        woken.collect()
    }

    /// Returns the place of a task that begins to wait; none if it need not wait.
    fn enter(&mut self, seen: u64, waker: &Waker) -> Option<u64> {
        // A broadcast counts first, and leaves the permit for others.
        if self.broadcasts != seen || mem::take(&mut self.permit) {
            return None;
        }
        self.last_place += 1;
        self.queue.push_back((self.last_place, waker.clone()));
        Some(self.last_place)
    }

    /// Returns whether the task in this place was notified. If not, keeps the waker for it.
    fn is_notified(&mut self, place: u64, waker: &Waker) -> bool {
        if self.notified.remove(&place).is_some() {
            return true;
        }
        if let Some((_, kept)) = self.queue.iter_mut().find(|(waiting, _)| *waiting == place) {
            kept.clone_from(waker);
        }
        false
    }

    /// Removes a task. A notification that was for this one only is passed on.
    fn leave(&mut self, place: u64) -> Option<Waker> {
        match self.notified.remove(&place) {
            Some(Granted::One) => self.wake_one(),
            Some(Granted::All) => None,
            None => {
                self.queue.retain(|(waiting, _)| *waiting != place);
                None
            }
        }
    }
}

/// Returned by [`Notify::notified`].
#[derive(Debug)]
pub struct Notified<'a> {
    notify: &'a Notify,
    /// The number of broadcasts before.
    seen: u64,
    stage: WaitStage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WaitStage {
    New,
    Waits(u64),
    Done,
}

impl Future for Notified<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        point();
        let next = {
            let mut state = self.notify.lock();
            match self.stage {
                WaitStage::New => state.enter(self.seen, context.waker()).map_or(WaitStage::Done, WaitStage::Waits),
                WaitStage::Waits(place) if state.is_notified(place, context.waker()) => WaitStage::Done,
                stage @ (WaitStage::Waits(_) | WaitStage::Done) => stage,
            }
        };
        self.stage = next;
        if next == WaitStage::Done { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Notified<'_> {
    fn drop(&mut self) {
        if let WaitStage::Waits(place) = self.stage {
            point();
            let woken = self.notify.lock().leave(place);
            wake(woken);
        }
    }
}
