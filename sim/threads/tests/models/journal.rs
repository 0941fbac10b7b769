//! Calls that wait for the journal: an acknowledged event is durable at that moment, and nothing waits for ever.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::time::Duration;
use eventful::journal::{Intercept, Intercepted, Journal, JournalStore, MemoryStore, Sequence, WriteError};
use eventful::{Event, Status, SubmitError, Unavailable, engine::Bound};
use eventful_threads::model::{check, client};
use eventful_threads::sync::{Notify, thread};
use eventful_threads::{Attempt, Builder, Durability, Eventful, Failure};
use std::sync::{Arc, Mutex, PoisonError};

use super::setup::{advance_until, event, join, join_all, key, narrow};

#[test]
fn ok_is_durable_with_a_writer_on_a_thread() {
    acknowledge(Appends { blocks: true, ..Appends::default() });
}

#[test]
fn ok_is_durable_with_a_writer_in_a_task() {
    acknowledge(Appends::default());
}

#[test]
fn ok_is_durable_when_a_thread_fails_to_append() {
    acknowledge(Appends { blocks: true, fails_at: Some(3), ..Appends::default() });
}

#[test]
fn ok_is_durable_when_a_task_fails_to_append() {
    acknowledge(Appends { fails_at: Some(3), ..Appends::default() });
}

#[test]
fn ok_is_durable_when_what_failed_was_written() {
    acknowledge(Appends { blocks: true, fails_at: Some(2), writes_though: true, ..Appends::default() });
}

#[test]
fn ok_is_durable_when_a_thread_finds_no_room() {
    acknowledge(Appends { blocks: true, refuses_at: Some(3), ..Appends::default() });
}

#[test]
fn ok_is_durable_when_a_task_finds_no_room() {
    acknowledge(Appends { refuses_at: Some(3), ..Appends::default() });
}

/// Runs a model in which two threads submit until their events are accepted, and others wait for these.
fn acknowledge(appends: Appends) {
    check(move |_| {
        let appends = appends.begin();
        async move {
            let (work, early) = (appends.clone(), Arc::new(AtomicUsize::new(0)));
            let called_early = Arc::clone(&early);
            let handler = move |event: Event, _: Attempt| {
                // At least its acceptance and its start must be there.
                if work.count(&event.key().id().to_string()) < 2 {
                    called_early.fetch_add(1, Ordering::Relaxed);
                }
                async { Ok::<_, Failure>(()) }
            };
            let eventful = appends.builder().start(handler).expect("it starts");
            // Only a writer that was refused waits for a later time.
            let has_ended = Arc::new(AtomicBool::new(appends.refuses_at.is_none()));
            let over = Arc::clone(&has_ended);
            let mover = thread::spawn(move || advance_until(|| over.load(Ordering::Relaxed)));
            let submitters = ["one", "two"].map(|id| {
                let (eventful, appends) = (eventful.clone(), appends.clone());
                client(async move {
                    submit(&eventful, &appends, id).await;
                    end(&eventful, id).await;
                })
            });
            submit(&eventful, &appends, "three").await;
            join_all(submitters);
            while let Err(error) = eventful.wait_idle().await {
                assert!(matches!(error, eventful::WaitError::Unavailable(why) if why.is_temporary()), "{error}");
                thread::yield_now();
            }
            has_ended.store(true, Ordering::Relaxed);
            join(mover);
            let report = eventful.shutdown(None).await;
            assert_eq!((report.left, report.unsynced), (0, 0));
            assert_eq!(early.load(Ordering::Relaxed), 0, "handlers were called before their starts were durable");
        }
    });
}

/// Submits until the event is accepted.
async fn submit(eventful: &Eventful, appends: &Appends, id: &str) {
    loop {
        match eventful.submit(event(id)).await {
            Ok(_) => return assert!(appends.holds(id), "{id} was acknowledged and is not durable"),
            Err(SubmitError::Unavailable(Unavailable::Unknown | Unavailable::Reopening)) => thread::yield_now(),
            Err(SubmitError::Overloaded {
                bound: Bound::Disk | Bound::JournalSlow | Bound::JournalUnreachable,
                ..
            }) => thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Waits for the end of the event, also while the journal is being opened again.
async fn end(eventful: &Eventful, id: &str) {
    loop {
        match eventful.wait(&key(id)).await {
            Ok(record) => return assert_eq!(record.status, Status::Completed),
            Err(eventful::WaitError::Unavailable(why)) if why.is_temporary() => thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn stuck_journal_keeps_no_answer_past_its_timeout() {
    check(|_| {
        let appends = Appends { blocks: true, sticks_at: Some(2), ..Appends::default() }.begin();
        async move {
            let eventful = appends.start();
            let submitters = ["one", "two"].map(|id| {
                let (eventful, appends) = (eventful.clone(), appends.clone());
                client(async move {
                    let submitted = eventful.submit(event(id)).await;
                    assert!(submitted.is_err() || appends.holds(id));
                    submitted
                })
            });
            let has_ended = Arc::new(AtomicBool::new(false));
            let over = Arc::clone(&has_ended);
            let mover = thread::spawn(move || advance_until(|| over.load(Ordering::Relaxed)));
            join_all(submitters);
            has_ended.store(true, Ordering::Relaxed);
            join(mover);
            appends.release();
            assert_eq!(eventful.shutdown(None).await.unsynced, 0);
        }
    });
}

#[test]
fn shutdown_beside_submissions_leaves_everything_durable() {
    for blocks in [true, false] {
        check(move |_| {
            let appends = Appends { blocks, ..Appends::default() }.begin();
            async move {
                let eventful = appends.start();
                let submitters = ["one", "two"].map(|id| {
                    let (eventful, appends) = (eventful.clone(), appends.clone());
                    client(async move {
                        match eventful.submit(event(id)).await {
                            Ok(_) => assert!(appends.holds(id), "{id} was acknowledged and is not durable"),
                            Err(error) => assert_eq!(error, SubmitError::ShuttingDown),
                        }
                    })
                });
                let report = eventful.shutdown(None).await;
                join_all(submitters);
                assert_eq!(report.unsynced, 0);
                assert!(appends.is_sealed(), "the report came before the journal was sealed");
            }
        });
    }
}

#[test]
fn runtime_that_is_gone_closes_the_journal() {
    for blocks in [true, false] {
        check(move |runtime| {
            let appends = Appends { blocks, ..Appends::default() }.begin();
            async move {
                let eventful = appends.start();
                let other = eventful.clone();
                let submitter = client(async move { other.submit(event("one")).await.map(drop) });
                runtime.shut_down();
                eventful.stopped().await;
                let submitted = join(submitter);
                assert!(submitted.is_err() || appends.holds("one"));
                // The task is dropped wherever it is.
                assert!(!blocks || appends.is_sealed(), "the report came before the journal was sealed");
            }
        });
    }
}

#[test]
fn opening_that_is_dropped_leaves_nothing_behind() {
    check(move |runtime| {
        let appends = Appends { blocks: true, ..Appends::default() }.begin();
        async move {
            let leave = Arc::new(Notify::new());
            let (left, opening) = (Arc::clone(&leave), appends.clone());
            let opener = runtime.handle().spawn(async move {
                let succeed = async |_: Event, _: Attempt| Ok::<_, Failure>(());
                let opened = opening.builder().open(succeed);
                tokio::select! {
                    biased;
                    () = left.notified() => {}
                    opened = opened => drop(opened.expect("it opens")),
                }
            });
            leave.notify_one();
            opener.await.expect("no panic");
        }
    });
}

/// The content of a journal, recorded by its interceptor as bytes of frames.
#[derive(Debug, Clone, Default)]
struct Appends {
    blocks: bool,
    /// The number of the append that fails, counted from 1.
    fails_at: Option<u32>,
    /// True if the append that fails has written all the same.
    writes_though: bool,
    /// The number of the append that finds no room.
    refuses_at: Option<u32>,
    /// The number of the append that does not return until it is released.
    sticks_at: Option<u32>,
    written: Arc<Mutex<Appended>>,
    gate: Arc<JournalGate>,
}

#[derive(Debug, Default)]
struct Appended {
    count: u32,
    bytes: Vec<u8>,
    /// True if nothing was written since it was sealed.
    is_sealed: bool,
}

#[derive(Debug, Default)]
struct JournalGate {
    is_open: eventful_threads::sync::Mutex<bool>,
    opened: eventful_threads::sync::Condvar,
}

impl Appends {
    /// Returns a copy for one run of a model.
    fn begin(&self) -> Self {
        let (written, gate) = Default::default();
        Self { written, gate, ..self.clone() }
    }

    /// Returns the number of facts about this event.
    fn count(&self, id: &str) -> usize {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.bytes.windows(id.len()).filter(|window| *window == id.as_bytes()).count()
    }

    fn holds(&self, id: &str) -> bool {
        self.count(id) > 0
    }

    fn builder(&self) -> Builder {
        let store = Intercepted::new(Box::new(MemoryStore::new()), self.clone());
        narrow(1, 1).journal(store, Durability::default())
    }

    /// Starts an engine whose handlers succeed.
    fn start(&self) -> Eventful {
        let succeed = async |_: Event, _: Attempt| Ok::<_, Failure>(());
        self.builder().start(succeed).expect("it starts")
    }

    /// Returns whether the journal was sealed, the last call before it is closed.
    fn is_sealed(&self) -> bool {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).is_sealed
    }

    fn release(&self) {
        *self.gate.is_open.lock().expect("no panic") = true;
        self.gate.opened.notify_one();
    }

    /// Counts an append. Returns its number.
    fn next(&self) -> Option<u32> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.count += 1;
        written.is_sealed = false;
        Some(written.count)
    }
}

impl Intercept for Appends {
    fn seal(&mut self, journal: &mut dyn Journal) -> Result<(), WriteError> {
        thread::sleep(Duration::ZERO);
        journal.seal()?;
        self.written.lock().unwrap_or_else(PoisonError::into_inner).is_sealed = true;
        thread::sleep(Duration::ZERO);
        Ok(())
    }

    fn blocks(&self, _: &dyn JournalStore) -> bool {
        self.blocks
    }

    fn append(&mut self, journal: &mut dyn Journal, expected: Sequence, frame: &[u8]) -> Result<(), WriteError> {
        let number = self.next();
        // Other threads run before the write, and before the result.
        thread::sleep(Duration::ZERO);
        if number == self.sticks_at {
            let mut is_open = self.gate.is_open.lock().expect("no panic");
            while !*is_open {
                is_open = self.gate.opened.wait(is_open).expect("no panic");
            }
        }
        if number == self.refuses_at {
            return Err(WriteError::Full);
        }
        let fails = number == self.fails_at;
        if !fails || self.writes_though {
            journal.append(expected, frame)?;
            self.written.lock().unwrap_or_else(PoisonError::into_inner).bytes.extend_from_slice(frame);
        }
        thread::sleep(Duration::ZERO);
        if fails { Err(WriteError::Unknown { cause: "as the model asks".into() }) } else { Ok(()) }
    }
}
