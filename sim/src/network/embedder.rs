//! The program around the engine: starts it, with or without success, and submits events of its own.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use eventful::{
    Event, Eventful, StartError, SubmitError, Submitted, Unavailable, WaitError, clock::Clock as _, engine::Phase,
};
use tokio::runtime::Builder;
use tokio::time::timeout;

use super::connection_owners::{self, ClientAnswer, key};
use super::given_up::given_up;
use super::oracle::{Memory, holds};
use super::run_context::RunContext;
use super::scenario::{ClientCall, KeyNumber, SubmittedItem};
use crate::failure::Broken;

/// The longest time that a shutdown without anything to wait for may take: one tick.
const AT_ONCE: Duration = Duration::from_millis(5);

/// Starts engines in runtimes that are dropped before any of their tasks was polled, as often as it is armed, and
/// shuts each down. Returns whether all of them started.
pub(super) async fn start_unpolled<F>(stage: &Arc<RunContext>, start: F) -> Result<bool, StartError>
where
    F: Fn(&Arc<RunContext>) -> Result<Option<Eventful>, StartError>,
{
    while stage.with(|notes, _| notes.armed.starts_unpolled()) {
        // A start that the disk or a hook refused ends the process, as a start that is served does.
        let Some(eventful) = start_and_drop(stage, &start)? else { return Ok(false) };
        let ended = timeout(AT_ONCE, eventful.shutdown(None)).await;
        stage.judge(holds(ended.is_ok(), || {
            Broken::new("shutdown", 6, "a shutdown does not end after its runtime was dropped unpolled")
        }));
        stage.with(|notes, _| notes.coverage.reach("unpolled start"));
    }
    Ok(true)
}

fn start_and_drop<F>(stage: &Arc<RunContext>, start: F) -> Result<Option<Eventful>, StartError>
where
    F: Fn(&Arc<RunContext>) -> Result<Option<Eventful>, StartError>,
{
    let Ok(runtime) = Builder::new_current_thread().build() else { return Err(StartError::NoRuntime) };
    // In the context of another runtime, turmoil would return the time of the machine's clock.
    stage.clock.now();
    stage.clock.stop(true);
    let started = {
        let _context = runtime.enter();
        start(stage)
    };
    // Its tasks are dropped in no particular order, so their calls are not observed.
    stage.mute(true);
    runtime.shutdown_background();
    stage.mute(false);
    stage.clock.stop(false);
    started
}

/// Submits an event and waits for the result, but no longer than `patience`.
pub(super) async fn submit(stage: Arc<RunContext>, eventful: Eventful, item: SubmittedItem, patience: Duration) {
    let event = connection_owners::event(item);
    let memory = stage.with(|notes, _| notes.oracles.memory(notes.ledger.generation, &ClientCall::Submit(item)));
    let mut submitting = Box::pin(eventful.submit(event));
    // Polled once, to see whether this submitter waits for room before time passes.
    let begun = std::future::poll_fn(|cx| Poll::Ready(submitting.as_mut().poll(cx))).await;
    if eventful.stats().is_ok_and(|stats| stats.submitters_waiting > 0) {
        stage.with(|notes, _| notes.coverage.reach("submitter waited for room"));
    }
    let answer = match begun {
        Poll::Ready(answer) => Ok(answer),
        Poll::Pending => timeout(patience, submitting).await,
    };
    // A caller that leaves before the result learns nothing.
    let Ok(answer) = answer else { return };
    // No network lies between this call and the engine, so the result may come before its facts were read.
    stage.see_facts();
    judge_answer(&stage, item, memory, &answer);
    if answer.is_ok() {
        wait(&stage, &eventful, item.key, memory).await;
    }
}

/// Submits a batch of an event, of one that is too large, and of the event again. The result of the first implies
/// nothing about the second.
pub(super) async fn submit_batch(stage: Arc<RunContext>, eventful: Eventful, item: SubmittedItem) {
    let event = || connection_owners::event(item);
    let large = vec![b' '; eventful.config().max_event_bytes + 1];
    let large = Event::with_id("large", large).expect("a short id");
    let memory = stage.with(|notes, _| notes.oracles.memory(notes.ledger.generation, &ClientCall::Submit(item)));
    let results = eventful.submit_batch([event(), large, event()]).await;
    stage.see_facts();
    let [first, second, third] = results.as_slice() else {
        return stage.judge(Err(Broken::new(
            "kept",
            1,
            format_args!("{} results for a batch of three", results.len()),
        )));
    };
    if matches!(first, Err(SubmitError::Unavailable(Unavailable::Unknown))) {
        stage.with(|notes, _| notes.coverage.reach("batch of which nothing is known"));
    }
    // Only what waits for the journal may be unknown.
    let is_refused = matches!(second, Err(error) if *error != SubmitError::Unavailable(Unavailable::Unknown));
    stage.judge(holds(is_refused, || {
        Broken::new("kept", 1, format_args!("behind e{}, an event that is too large results in {second:?}", item.key))
    }));
    [first, third].into_iter().for_each(|answer| judge_answer(&stage, item, memory, answer));
}

/// Checks the result of a submission, unless the record may have been forgotten since.
fn judge_answer(stage: &RunContext, item: SubmittedItem, memory: Memory, answer: &Result<Submitted, SubmitError>) {
    let verdict = stage.with(|notes, _| match notes.oracles.is_forgotten_since(memory, item.key) {
        true => Ok(()),
        false => notes.oracles.payloads.answered(item, &learned(answer)),
    });
    stage.judge(verdict);
}

/// Waits for the end of an event without a limit on the time.
async fn wait(stage: &Arc<RunContext>, eventful: &Eventful, number: KeyNumber, memory: Memory) {
    let waiter = EndWaiter::new(stage);
    let before = reopenings(eventful);
    let ended = eventful.wait(key(number)).await;
    drop(waiter);
    stage.see_facts();
    let verdict = match ended {
        Ok(record) => {
            let status = record.status;
            stage.with(|notes, _| notes.coverage.reach("end waited for"));
            holds(status.is_terminal(), || broken(number, format_args!("its status is {status}")))
        }
        Err(WaitError::NotFound) => {
            let may_be_gone = stage.with(|notes, now| {
                let oracles = &notes.oracles;
                oracles.is_forgotten_since(memory, number) || oracles.may_be_gone(now, number)
            });
            holds(may_be_gone, || broken(number, "the result is that there is no such event"))
        }
        Err(WaitError::Unavailable(Unavailable::Unknown)) => {
            // Only a failure of the journal, and so a reopening, may leave the result unknown.
            holds(before.is_none() || before != reopenings(eventful), || {
                broken(number, "the result is unknown, and the journal has not failed")
            })
        }
        // The engine has stopped, was abandoned, or is broken.
        Err(_) => Ok(()),
    };
    stage.judge(verdict);
}

/// Returns how often the journal was opened again; none while the engine decides nothing, or after its end.
fn reopenings(eventful: &Eventful) -> Option<u64> {
    let stats = eventful.stats().ok()?;
    (given_up(&stats).is_none() && stats.phase != Phase::Stopped).then_some(stats.journal_reopenings)
}

fn broken(number: KeyNumber, what: impl std::fmt::Display) -> Broken {
    Broken::new("kept", 1, format_args!("the end of e{number} was waited for, and {what}"))
}

/// A caller that waits for the end of an event, counted while its process is up.
struct EndWaiter {
    stage: Arc<RunContext>,
    generation: u32,
}

impl EndWaiter {
    fn new(stage: &Arc<RunContext>) -> Self {
        let generation = stage.with(|notes, _| {
            notes.ends_awaited += 1;
            notes.ledger.generation
        });
        Self { stage: Arc::clone(stage), generation }
    }
}

impl Drop for EndWaiter {
    fn drop(&mut self) {
        let generation = self.generation;
        // A waiter of an earlier process was no longer counted once the next one began.
        self.stage.with(|notes, _| notes.ends_awaited -= u32::from(notes.ledger.generation == generation));
    }
}

fn learned(answer: &Result<Submitted, SubmitError>) -> ClientAnswer {
    match answer {
        Ok(Submitted::Accepted) => ClientAnswer::Accepted,
        Ok(Submitted::Duplicate(_)) => ClientAnswer::Duplicate,
        Err(SubmitError::Conflict(conflict)) => {
            ClientAnswer::Conflict { stored: conflict.stored.to_string(), received: conflict.received.to_string() }
        }
        Err(_) => ClientAnswer::Other,
    }
}
