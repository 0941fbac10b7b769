//! Parts that the adapter's scenarios share: handlers under the control of a test, clocks that count, and waits for a
//! state instead of for time.
#![allow(dead_code, reason = "each test program uses its own part of it")]

use std::collections::HashMap;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use eventful::{
    Attempt, Config, Event, Eventful, Failure, Handler, Key, Status,
    clock::{Clock, Sleep},
    metrics::Stats,
};
use eventful::{Timestamp, clock::SystemClock};
use tokio::sync::Semaphore;

/// The number of checks after which a scenario gives up its wait for a state. It is far more than any takes on a slow
/// machine, and still ends a wait that would last for ever.
const MAX_CHECKS: usize = 20_000_000;

pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn key(id: &str) -> Key {
    Key::new("", id).expect("a key")
}

pub(crate) fn event(id: &str) -> Event {
    Event::new(key(id), id.to_owned())
}

/// One run at a time, one ticket at a time, and short, equal waits.
pub(crate) fn narrow() -> Config {
    let mut config = Config::default();
    config.concurrency = 1.try_into().expect("more than zero");
    config.channel_capacity = 1.try_into().expect("more than zero");
    config.backoff.base = SECOND;
    config.backoff.jitter_percent = 0;
    config
}

pub(crate) fn start(config: Config, handler: impl Handler) -> Eventful {
    Eventful::builder().config(config).seed(1).start(handler).expect("a valid configuration")
}

/// A handler that succeeds at once.
pub(crate) async fn succeed(_: Event, _: Attempt) -> Result<(), Failure> {
    Ok(())
}

/// A handler that never ends by itself.
pub(crate) async fn hang(_: Event, _: Attempt) -> Result<(), Failure> {
    std::future::pending().await
}

/// A gate at which handlers wait until a test lets them through, and which counts the arrivals.
#[derive(Debug)]
pub(crate) struct HandlerGate {
    passes: Semaphore,
    came: AtomicUsize,
}

impl HandlerGate {
    pub(crate) fn closed() -> Arc<Self> {
        Arc::new(Self { passes: Semaphore::new(0), came: AtomicUsize::new(0) })
    }

    pub(crate) fn let_through(&self, count: usize) {
        self.passes.add_permits(count);
    }

    pub(crate) fn came(&self) -> usize {
        self.came.load(Ordering::SeqCst)
    }

    pub(crate) async fn pass(&self) {
        self.came.fetch_add(1, Ordering::SeqCst);
        self.passes.acquire().await.expect("never closed").forget();
    }

    /// Returns a handler that succeeds once it is let through.
    pub(crate) fn handler(self: &Arc<Self>) -> impl Handler {
        let gate = Arc::clone(self);
        move |_: Event, _: Attempt| {
            let gate = Arc::clone(&gate);
            async move {
                gate.pass().await;
                Ok(())
            }
        }
    }
}

/// The attempts of each event, as the handler saw them.
#[derive(Debug, Default)]
pub(crate) struct AttemptLog(Mutex<HashMap<String, u32>>);

impl AttemptLog {
    pub(crate) fn count(&self, event: &Event) -> u32 {
        let mut runs = self.0.lock().expect("no panic under the lock");
        let count = runs.entry(event.key().to_string()).or_default();
        *count += 1;
        *count
    }

    pub(crate) fn runs(&self, id: &str) -> u32 {
        self.0.lock().expect("no panic under the lock").get(id).copied().unwrap_or_default()
    }
}

/// The system clock, which counts the waits that were asked for.
#[derive(Debug, Default)]
pub(crate) struct CountingClock {
    inner: SystemClock,
    sleeps: AtomicU64,
}

impl CountingClock {
    pub(crate) fn sleeps(&self) -> u64 {
        self.sleeps.load(Ordering::SeqCst)
    }
}

impl Clock for CountingClock {
    fn now(&self) -> Timestamp {
        self.inner.now()
    }

    fn sleep_until(&self, at: Timestamp) -> Sleep<'_> {
        self.sleeps.fetch_add(1, Ordering::SeqCst);
        self.inner.sleep_until(at)
    }
}

/// Returns the value of a future that must not wait.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

pub(crate) fn status(eventful: &Eventful, id: &str) -> Option<Status> {
    at_once(eventful.get(&key(id))).expect("not broken").map(|record| record.status)
}

pub(crate) fn stats(eventful: &Eventful) -> Stats {
    eventful.stats().expect("not broken")
}

/// Lets the other tasks run until `reached`, without time passing.
pub(crate) async fn until(what: &str, mut reached: impl FnMut() -> bool) {
    for _ in 0..MAX_CHECKS {
        if reached() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("never came to pass: {what}");
}

/// Waits in virtual time until `reached`.
pub(crate) async fn until_time(what: &str, mut reached: impl FnMut() -> bool) {
    for _ in 0..10_000 {
        if reached() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never came to pass: {what}");
}

pub(crate) async fn until_status(eventful: &Eventful, id: &str, wanted: Status) {
    until(&format!("{id} is {wanted}"), || status(eventful, id) == Some(wanted)).await;
    eventful.check().expect("every invariant holds");
}

/// Lets every task that can run do so, without time passing.
pub(crate) async fn settle_down() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// Waits until every permit is free again, and checks that the numbers agree.
pub(crate) async fn until_at_rest(eventful: &Eventful) {
    until("every permit is free", || {
        let stats = stats(eventful);
        stats.workers_running == 0 && stats.permits_free == eventful.config().concurrency.get() as u64
    })
    .await;
    eventful.check().expect("every invariant holds");
}
