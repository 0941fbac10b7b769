//! Drivers of the journal's writer: a thread of its own for a journal that blocks, else a task.

use core::time::Duration;
use std::boxed::Box;
use std::string::ToString as _;
use std::sync::{Arc, PoisonError};

use super::points::pass;
use super::shared::Shared;
use super::supervisor::give_way;
use super::writer::{JournalWriter, WriterNext};
use crate::node::Point;
use crate::sync::{Condvar, Handle, Mutex, Notify, thread};

/// A notification for a thread.
#[derive(Default)]
pub(super) struct ThreadNotify {
    notified: Mutex<bool>,
    condvar: Condvar,
}

impl ThreadNotify {
    fn notify(&self) {
        *self.notified.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.condvar.notify_one();
    }

    /// Waits for the notification, at most this long.
    fn wait(&self, limit: Option<Duration>) {
        let mut notified = self.notified.lock().unwrap_or_else(PoisonError::into_inner);
        match limit {
            None => {
                while !*notified {
                    notified = self.condvar.wait(notified).unwrap_or_else(PoisonError::into_inner);
                }
            }
            Some(limit) => {
                let waited = self.condvar.wait_timeout_while(notified, limit, |notified| !*notified);
                notified = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
        // Taken with the lock held: a notification that comes now counts for the next wait.
        *notified = false;
    }
}

/// The thread or task that will drive a writer, before it is started.
pub(super) enum WriterDriver {
    /// A thread of its own.
    Thread(Arc<ThreadNotify>),
    /// A task.
    Task(Arc<Notify>),
}

impl WriterDriver {
    pub(super) fn new(blocks: bool) -> Self {
        match blocks {
            true => Self::Thread(Arc::default()),
            false => Self::Task(Arc::default()),
        }
    }

    /// Returns a function that notifies the driver.
    pub(super) fn notify(&self) -> Box<dyn Fn() + Send + Sync> {
        match self {
            Self::Thread(notify) => {
                let notify = Arc::clone(notify);
                Box::new(move || notify.notify())
            }
            Self::Task(notify) => {
                let notify = Arc::clone(notify);
                Box::new(move || notify.notify_one())
            }
        }
    }

    /// Drives the writer until the engine has stopped.
    ///
    /// # Errors
    ///
    /// The error of the operating system when it gives no thread.
    pub(super) fn drive(self, runtime: &Handle, writer: JournalWriter) -> std::io::Result<()> {
        match self {
            Self::Thread(notify) => {
                let thread = thread::Builder::new().name("eventful-journal".to_string());
                // Not joined: the writer reports its own end when it is dropped.
                thread.spawn(move || on_thread(writer, &notify)).map(drop)
            }
            Self::Task(notify) => {
                runtime.spawn(as_task(writer, notify));
                Ok(())
            }
        }
    }
}

fn on_thread(mut writer: JournalWriter, notify: &ThreadNotify) {
    loop {
        match writer.step() {
            WriterNext::Go => {}
            WriterNext::Wait(limit) => notify.wait(limit),
            WriterNext::End => return,
        }
    }
}

async fn as_task(mut writer: JournalWriter, notify: Arc<Notify>) {
    loop {
        // A journal that does not block is written by a task, so that simulated time decides its order, too.
        pass(&writer.shared.probe, Point::Write).await;
        match writer.step() {
            WriterNext::Go => give_way().await,
            WriterNext::Wait(limit) => wait(&writer.shared, &notify, limit).await,
            WriterNext::End => return,
        }
    }
}

/// Waits for the notification, at most this long.
async fn wait(shared: &Shared, notify: &Notify, limit: Option<Duration>) {
    let Some(limit) = limit else { return notify.notified().await };
    tokio::select! {
        biased;
        () = notify.notified() => {}
        () = shared.clock.sleep_until(shared.now() + limit) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notification_before_the_wait_ends_it_once() {
        let notify = ThreadNotify::default();
        for limit in [None, Some(Duration::MAX)] {
            notify.notify();
            notify.wait(limit);
        }
        assert!(!*notify.notified.lock().expect("no panic under the lock"));
    }
}
