//! Says so when a check stands still in real time.
//!
//! Virtual time cannot stop a handler that blocks its thread. Nothing can; but somebody beside it
//! can say which handler it is. What is said depends on real time, and what is found does not.

use std::fmt::Write as _;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use eventful::Key;

/// How long nothing has to happen.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// What a check does at the moment.
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

    /// The thread goes to this handler, or to none.
    pub(super) fn beat(&self, inside: Option<(Key, u32)>) {
        let mut beat = self.lock();
        *beat = Beat { count: beat.count + 1, inside };
    }
}

/// A thread that feels the watchdog. Ends when it is dropped.
#[derive(Debug)]
pub(super) struct WatchdogThread {
    /// Dropping it ends the thread.
    life: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl WatchdogThread {
    /// Watches from now on, and tells once when nothing has happened for `patience`.
    pub(super) fn begin(
        watchdog: Arc<Watchdog>,
        patience: Duration,
        tell: impl FnOnce(String) + Send + 'static,
    ) -> Self {
        let (life, end) = channel();
        // Without a thread to spare, nothing is told, and all else goes on.
        let thread = thread::Builder::new().name("check".into()).spawn(move || {
            if let Some(beat) = standstill(&watchdog, patience, &end) {
                tell(words(&beat, patience));
            }
        });
        Self { life: Some(life), thread: thread.ok() }
    }
}

impl Drop for WatchdogThread {
    fn drop(&mut self) {
        drop(self.life.take());
        if let Some(thread) = self.thread.take() {
            // It only tells, so there is nothing to learn from how it ended.
            let _ = thread.join();
        }
    }
}

/// Waits until the watchdog stands still. Nothing when the end comes first.
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
    let mut words = format!("eventful_sim::check stands still for {patience:?}: ");
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
    fn a_handler_that_keeps_its_thread_is_named() {
        let watchdog = Arc::new(Watchdog::default());
        watchdog.beat(Some((Key::new("", "order-17").expect("a key"), 2)));
        assert!(told(&watchdog).contains("the handler blocks its thread, in attempt 2 of order-17"));
    }

    #[test]
    fn a_standstill_outside_the_handlers_is_told_as_such() {
        let watchdog = Arc::new(Watchdog::default());
        watchdog.beat(None);
        assert!(told(&watchdog).contains("spawn_blocking not end?"));
    }

    #[test]
    fn a_check_that_ends_in_time_is_told_nothing_of() {
        let watch = WatchdogThread::begin(Arc::default(), Duration::MAX, |words| panic!("{words}"));
        drop(watch);
    }

    /// What is told when nothing happens any more.
    fn told(watchdog: &Arc<Watchdog>) -> String {
        let (tell, told) = channel();
        let _watch = WatchdogThread::begin(Arc::clone(watchdog), Duration::ZERO, move |words| {
            tell.send(words).expect("it waits")
        });
        told.recv().expect("it tells")
    }
}
