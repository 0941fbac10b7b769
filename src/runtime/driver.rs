//! What drives the journal's writer: a thread of its own for a journal that blocks, else a task.

use core::time::Duration;
use std::boxed::Box;
use std::string::ToString as _;
use std::sync::{Arc, PoisonError};

use super::points::pass;
use super::shared::Shared;
use super::supervisor::give_way;
use super::writer::{JournalWriter, Next};
use crate::node::Point;
use crate::sync::{Condvar, Handle, Mutex, Notify, thread};

/// Rings for a thread.
#[derive(Default)]
pub(super) struct ThreadBell {
    rung: Mutex<bool>,
    condvar: Condvar,
}

impl ThreadBell {
    fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.condvar.notify_one();
    }

    /// Waits for the bell, at most so long.
    fn wait(&self, limit: Option<Duration>) {
        let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        match limit {
            None => {
                while !*rung {
                    rung = self.condvar.wait(rung).unwrap_or_else(PoisonError::into_inner);
                }
            }
            Some(limit) => {
                let waited = self.condvar.wait_timeout_while(rung, limit, |rung| !*rung);
                rung = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
        *rung = false;
    }
}

/// What will drive a writer.
pub(super) enum Driver {
    /// A thread of its own.
    Thread(Arc<ThreadBell>),
    /// A task.
    Task(Arc<Notify>),
}

impl Driver {
    pub(super) fn new(blocks: bool) -> Self {
        match blocks {
            true => Self::Thread(Arc::default()),
            false => Self::Task(Arc::default()),
        }
    }

    /// What rings its bell.
    pub(super) fn bell(&self) -> Box<dyn Fn() + Send + Sync> {
        match self {
            Self::Thread(bell) => {
                let bell = Arc::clone(bell);
                Box::new(move || bell.ring())
            }
            Self::Task(bell) => {
                let bell = Arc::clone(bell);
                Box::new(move || bell.notify_one())
            }
        }
    }

    /// Drives the writer until the engine has stopped.
    ///
    /// # Errors
    ///
    /// When the operating system gives no thread.
    pub(super) fn drive(self, runtime: &Handle, writer: JournalWriter) -> std::io::Result<()> {
        match self {
            Self::Thread(bell) => {
                let thread = thread::Builder::new().name("eventful-journal".to_string());
                thread.spawn(move || on_thread(writer, &bell)).map(drop)
            }
            Self::Task(bell) => {
                runtime.spawn(as_task(writer, bell));
                Ok(())
            }
        }
    }
}

fn on_thread(mut writer: JournalWriter, bell: &ThreadBell) {
    loop {
        match writer.step() {
            Next::Go => {}
            Next::Wait(limit) => bell.wait(limit),
            Next::End => return,
        }
    }
}

async fn as_task(mut writer: JournalWriter, bell: Arc<Notify>) {
    loop {
        pass(&writer.shared.probe, Point::Write).await;
        match writer.step() {
            Next::Go => give_way().await,
            Next::Wait(limit) => wait(&writer.shared, &bell, limit).await,
            Next::End => return,
        }
    }
}

/// Waits for the bell, at most so long.
async fn wait(shared: &Shared, bell: &Notify, limit: Option<Duration>) {
    let Some(limit) = limit else { return bell.notified().await };
    tokio::select! {
        biased;
        () = bell.notified() => {}
        () = shared.clock.sleep_until(shared.now() + limit) => {}
    }
}
