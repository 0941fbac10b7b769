//! tokio's `Notify`: what it promises, and what it does beyond that as of 1.54.

use core::future::Future;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::point;

/// Wakes one task, now or later, or all that wait now.
#[derive(Debug, Default)]
pub struct Notify(Mutex<Rings>);

#[derive(Debug, Default)]
struct Rings {
    /// For the next who waits: it was rung for one, and none waited.
    permit: bool,
    /// How often it was rung for all.
    broadcasts: u64,
    last_place: u64,
    /// Those who wait, by their places, first in, first out.
    queue: VecDeque<(u64, Waker)>,
    /// Those that were rung for and have not seen it, by their places.
    rung: BTreeMap<u64, Ring>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ring {
    One,
    All,
}

impl Notify {
    /// Makes one that holds no permit.
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits to be rung for. It sees every [`notify_waiters`](Self::notify_waiters) from now on, polled or not, and has
    /// a place in the queue from its first poll on.
    pub fn notified(&self) -> Notified<'_> {
        point();
        let seen = self.lock().broadcasts;
        Notified { notify: self, seen, stage: WaitStage::New }
    }

    /// Wakes the first who waits; with none, leaves a permit for the next.
    pub fn notify_one(&self) {
        point();
        let woken = self.lock().ring_one();
        wake(woken);
    }

    /// Wakes all who wait, and leaves no permit.
    pub fn notify_waiters(&self) {
        point();
        let woken = self.lock().ring_all();
        woken.into_iter().map(Some).for_each(wake);
    }

    fn lock(&self) -> MutexGuard<'_, Rings> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Calls the waker with nothing locked, as tokio does: others may run between the ring and the waking.
fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        point();
        waker.wake();
    }
}

impl Rings {
    fn ring_one(&mut self) -> Option<Waker> {
        let first = self.queue.pop_front();
        match first {
            Some((place, waker)) => {
                self.rung.insert(place, Ring::One);
                Some(waker)
            }
            None => {
                self.permit = true;
                None
            }
        }
    }

    fn ring_all(&mut self) -> Vec<Waker> {
        self.broadcasts += 1;
        let Self { queue, rung, .. } = self;
        let woken = queue.drain(..).map(|(place, waker)| {
            rung.insert(place, Ring::All);
            waker
        });
        woken.collect()
    }

    /// The place of one who begins to wait; none when it need not wait.
    fn enter(&mut self, seen: u64, waker: &Waker) -> Option<u64> {
        // A broadcast counts first, and leaves the permit for others.
        if self.broadcasts != seen || mem::take(&mut self.permit) {
            return None;
        }
        self.last_place += 1;
        self.queue.push_back((self.last_place, waker.clone()));
        Some(self.last_place)
    }

    /// Returns whether the one in this place was rung for. If not, this waker is its.
    fn is_rung(&mut self, place: u64, waker: &Waker) -> bool {
        if self.rung.remove(&place).is_some() {
            return true;
        }
        if let Some((_, kept)) = self.queue.iter_mut().find(|(waiting, _)| *waiting == place) {
            kept.clone_from(waker);
        }
        false
    }

    /// Takes one away. A ring that was for this one only is passed on.
    fn leave(&mut self, place: u64) -> Option<Waker> {
        match self.rung.remove(&place) {
            Some(Ring::One) => self.ring_one(),
            Some(Ring::All) => None,
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
    /// The broadcasts that there were before.
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
            let mut rings = self.notify.lock();
            match self.stage {
                WaitStage::New => rings.enter(self.seen, context.waker()).map_or(WaitStage::Done, WaitStage::Waits),
                WaitStage::Waits(place) if rings.is_rung(place, context.waker()) => WaitStage::Done,
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
