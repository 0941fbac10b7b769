//! The time of a model: it stands still, and moves when the model advances it.

use core::cell::{Cell, RefCell};
use core::time::Duration;
use eventful::Timestamp;
use shuttle::sync::Condvar;
use std::sync::Arc;

use crate::runtime::{Clock, Sleep};
use crate::sync::{Notify, thread};

/// The time at which every model begins. Any time after 1970 would do.
const START: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

/// The time of one run of a model. All threads of a run are on one thread of the machine, so it is that thread's.
struct Time {
    now: Cell<Timestamp>,
    moved: RefCell<Arc<Notify>>,
    /// Threads that sleep with a limit: its end, and the condition variable that wakes them.
    sleepers: RefCell<Vec<(Timestamp, Arc<Condvar>)>>,
}

thread_local! {
    static TIME: Time =
        Time { now: Cell::new(START), moved: RefCell::default(), sleepers: RefCell::default() };
}

/// Begins the time of a run.
pub(crate) fn begin() {
    TIME.with(|time| {
        time.now.set(START);
        time.moved.take();
        time.sleepers.take();
    });
}

/// Returns the time of this run.
pub fn now() -> Timestamp {
    TIME.with(|time| time.now.get())
}

/// Advances the time, and wakes threads whose time has come.
pub fn advance(by: Duration) {
    let moved = TIME.with(|time| {
        time.now.set(time.now.get() + by);
        Arc::clone(&time.moved.borrow())
    });
    moved.notify_waiters();
    // A thread that has read the time before, and does not sleep yet, would miss the change: so this repeats until all
    // are awake.
    while let Some(condvar) = due_sleeper() {
        condvar.notify_all();
        thread::yield_now();
    }
}

fn due_sleeper() -> Option<Arc<Condvar>> {
    TIME.with(|time| {
        let sleepers = time.sleepers.borrow();
        let due = sleepers.iter().find(|(until, _)| *until <= time.now.get());
        due.map(|(_, condvar)| Arc::clone(condvar))
    })
}

/// A thread that sleeps with a limit, until it is dropped.
pub(crate) struct Sleeper<'a> {
    until: Timestamp,
    condvar: &'a Arc<Condvar>,
}

impl<'a> Sleeper<'a> {
    pub(crate) fn new(until: Timestamp, condvar: &'a Arc<Condvar>) -> Self {
        TIME.with(|time| time.sleepers.borrow_mut().push((until, Arc::clone(condvar))));
        Self { until, condvar }
    }

    pub(crate) fn is_due(&self) -> bool {
        now() >= self.until
    }
}

impl Drop for Sleeper<'_> {
    fn drop(&mut self) {
        TIME.with(|time| {
            let mut sleepers = time.sleepers.borrow_mut();
            let own = |(until, condvar): &(Timestamp, Arc<Condvar>)| {
                *until == self.until && Arc::ptr_eq(condvar, self.condvar)
            };
            if let Some(place) = sleepers.iter().position(own) {
                sleepers.remove(place);
            }
        });
    }
}

/// The clock with this time. Reading it is no point at which other threads run: that would be one in every hold of the
/// lock, and find nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct StillClock;

impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        now()
    }

    fn sleep_until(&self, at: Timestamp) -> Sleep<'_> {
        Box::pin(async move {
            loop {
                let notify = TIME.with(|time| Arc::clone(&time.moved.borrow()));
                // Created before the time is read, so that no change between them is missed.
                let moved = notify.notified();
                if now() >= at {
                    return;
                }
                moved.await;
            }
        })
    }
}
