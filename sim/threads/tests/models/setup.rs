//! Set-up of the models: an engine on a clock that stands still, and a count of runs.

use core::num::NonZeroUsize;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use eventful::{Event, Key, Status};
use eventful_threads::clock::{StillClock, advance};
use eventful_threads::sync::{consume_budget, thread};
use eventful_threads::{Builder, Eventful};
use std::sync::Arc;

/// A time longer than every timer that a model waits for.
pub(crate) const LONG: Duration = Duration::from_secs(40);

pub(crate) fn builder() -> Builder {
    Eventful::builder().clock(Arc::new(StillClock)).seed(1)
}

/// Returns a builder with this many permits, and room for this many tickets in its channel.
pub(crate) fn narrow(limit: usize, capacity: usize) -> Builder {
    let [limit, capacity] = [limit, capacity].map(|count| NonZeroUsize::new(count).expect("not zero"));
    builder().configure(move |config| (config.concurrency, config.channel_capacity) = (limit, capacity))
}

pub(crate) fn event(id: &str) -> Event {
    Event::with_id(id, "payload").expect("an event")
}

pub(crate) fn key(id: &str) -> Key {
    event(id).key().clone()
}

pub(crate) fn join<T>(thread: thread::JoinHandle<T>) -> T {
    thread.join().expect("no panic")
}

pub(crate) fn join_all<T>(threads: impl IntoIterator<Item = thread::JoinHandle<T>>) {
    threads.into_iter().for_each(|thread| drop(join(thread)));
}

/// Fails unless the event ends with this status.
pub(crate) async fn ends(eventful: &Eventful, id: &str, status: Status) {
    let record = eventful.wait(&key(id)).await.expect("it ends");
    assert_eq!(record.status, status, "{id}");
}

/// Advances the time until the other thread is done.
pub(crate) fn advance_until(is_done: impl Fn() -> bool) {
    while !is_done() {
        advance(Duration::from_millis(500));
        thread::yield_now();
    }
}

/// The number of runs at one time, counted outside of the engine. These counters are no points at which other threads
/// run.
#[derive(Debug, Default)]
pub(crate) struct RunCount {
    now: AtomicUsize,
    most: AtomicUsize,
    all: AtomicUsize,
}

/// A run that is counted until it is dropped.
pub(crate) struct CountedRun<'a>(&'a RunCount);

impl RunCount {
    pub(crate) fn begin(&self) -> CountedRun<'_> {
        self.all.fetch_add(1, Ordering::Relaxed);
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
        CountedRun(self)
    }

    /// Counts a run, during which other runs may start.
    pub(crate) async fn count(&self) {
        let _counted = self.begin();
        consume_budget().await;
    }

    pub(crate) fn now(&self) -> usize {
        self.now.load(Ordering::Relaxed)
    }

    pub(crate) fn most(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }

    pub(crate) fn all(&self) -> usize {
        self.all.load(Ordering::Relaxed)
    }
}

impl Drop for CountedRun<'_> {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}
