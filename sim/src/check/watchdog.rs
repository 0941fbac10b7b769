//! Detection of a check that makes no progress in real time.
//!
//! Virtual time cannot stop a handler that blocks its thread. Another thread can at least name that handler. This
//! message depends on real time; findings do not.

use std::fmt::Write as _;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use eventful::Key;

/// The real time without progress after which the message is printed: far longer than any correct poll takes.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// The latest progress of a check.
#[derive(Debug, Default)]
pub(super) struct Watchdog(Mutex<Beat>);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Beat {
    count: u64,
    /// The event and the attempt whose handler has the thread.
    inside: Option<(Key, u32)>,
}

impl Watchdog {
    fn lock(&self) -> MutexGuard<'_, Beat> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the thread now runs this handler, or none.
    pub(super) fn beat(&self, inside: Option<(Key, u32)>) {
        let mut beat = self.lock();
        *beat = Beat { count: beat.count + 1, inside };
    }
}

/// The thread that observes a watchdog. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct WatchdogThread {
    /// Dropping the sender ends the thread.
    life: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl WatchdogThread {
    /// Observes the watchdog from now on, and reports once when it made no progress for `patience`.
    pub(super) fn begin(
        watchdog: Arc<Watchdog>,
        patience: Duration,
        report: impl FnOnce(String) + Send + 'static,
    ) -> Self {
        let (life, end) = channel();
        // If no thread can be started, nothing is reported, and the check continues.
        let thread = thread::Builder::new().name("check".into()).spawn(move || {
            if let Some(beat) = standstill(&watchdog, patience, &end) {
                report(words(&beat, patience));
            }
        });
        Self { life: Some(life), thread: thread.ok() }
    }
}

impl Drop for WatchdogThread {
    fn drop(&mut self) {
        drop(self.life.take());
        if let Some(thread) = self.thread.take() {
            // The thread only reports, so there is nothing to learn from how it ended.
            let _ = thread.join();
        }
    }
}

/// Waits until the watchdog makes no progress. Returns none when the check ends first.
fn standstill(watchdog: &Watchdog, patience: Duration, end: &Receiver<()>) -> Option<Beat> {
    let mut last = watchdog.lock().clone();
    while end.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
        let now = watchdog.lock().clone();
        if now == last {
            return Some(now);
        }
        last = now;
    }
    None
}

fn words(beat: &Beat, patience: Duration) -> String {
    let mut words = format!("eventful_sim::check has made no progress for {patience:?}: ");
    let written = match &beat.inside {
        Some((key, attempt)) => write!(
            words,
            "the handler blocks its thread, in attempt {attempt} of {key}. It cannot be stopped there: move what blocks \
             to tokio::task::spawn_blocking",
        ),
        None => write!(words, "no handler has the thread. Does something in tokio::task::spawn_blocking not end?"),
    };
    written.map_or_else(|_| String::new(), |()| words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handler_that_keeps_its_thread_is_named() {
        let watchdog = Arc::new(Watchdog::default());
        watchdog.beat(Some((Key::new("", "order-17").expect("a key"), 2)));
        assert!(report(&watchdog).contains("the handler blocks its thread, in attempt 2 of order-17"));
    }

    #[test]
    fn standstill_outside_the_handlers_is_reported_as_such() {
        let watchdog = Arc::new(Watchdog::default());
        watchdog.beat(None);
        assert!(report(&watchdog).contains("spawn_blocking not end?"));
    }

    #[test]
    fn check_that_ends_in_time_reports_nothing() {
        let watch = WatchdogThread::begin(Arc::default(), Duration::MAX, |words| panic!("{words}"));
        drop(watch);
    }

    /// Returns the report when no progress is made.
    fn report(watchdog: &Arc<Watchdog>) -> String {
        let (sender, receiver) = channel();
        let _watch = WatchdogThread::begin(Arc::clone(watchdog), Duration::ZERO, move |words| {
            sender.send(words).expect("the receiver waits")
        });
        receiver.recv().expect("a report")
    }
}
