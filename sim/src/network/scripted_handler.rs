//! The handler of a run, which follows the scenario's script.

use std::sync::Arc;

use eventful::{Attempt, Event, Failure, Handler, engine::RunId};

use super::clock::ms;
use super::connection_owners;
use super::oracle::panics::BY_SCRIPT;
use super::oracle::{OracleResult, calls, durable, follow_ups, holds};
use super::run_context::{RunContext, RunNotes};
use super::scenario::{HandlerEnding, KeyNumber, ScriptTurn};
use super::step::NetworkStep;
use crate::failure::Broken;
use crate::spelling::variant;

/// The handler of one process of the server.
pub(super) struct ScriptedHandler(pub(super) Arc<RunContext>);

impl Handler for ScriptedHandler {
    fn handle(&self, event: Event, attempt: Attempt) -> impl Future<Output = Result<(), Failure>> + Send {
        let part = PlayedRun::enter(&self.0, &event, &attempt);
        if part.turn.ending == HandlerEnding::PanicAtCall {
            part.panic();
        }
        part.play(attempt)
    }
}

/// The turn of an event without a script.
const AT_ONCE: ScriptTurn = ScriptTurn { takes_ms: 0, ending: HandlerEnding::Done };

/// One run of the handler. It has ended when this is dropped.
struct PlayedRun {
    stage: Arc<RunContext>,
    key: KeyNumber,
    attempt: u32,
    run: RunId,
    turn: ScriptTurn,
    finished: bool,
    succeeded: bool,
    /// True if it lacked a resource.
    short: bool,
}

/// The reason with which a handler gives its run back.
const SHORTAGE: &str = "no file descriptor is left";

impl PlayedRun {
    fn enter(stage: &Arc<RunContext>, event: &Event, attempt: &Attempt) -> Self {
        // Facts that were decided before this call are checked before it.
        stage.see_facts();
        let key = connection_owners::number(event.key()).unwrap_or_default();
        let turns = stage.script(key).map_or(&[][..], |script| &script.turns);
        let at = usize::try_from(attempt.number()).unwrap_or(usize::MAX).saturating_sub(1);
        let turn = turns.get(at).or(turns.last()).copied().unwrap_or(AT_ONCE);
        let max_attempts = stage.scenario.setup.config().max_attempts;
        stage.with(|notes, now| {
            notes.trace.note(now, &NetworkStep::Called { key, attempt: attempt.number(), ending: turn.ending });
            notes.coverage.reach(&format!("handler: {}", variant(&turn.ending, ' ')));
            let verdict = judge(notes, event, attempt, key, max_attempts);
            notes.judge(verdict);
        });
        let (attempt, run) = (attempt.number(), attempt.run());
        Self { stage: Arc::clone(stage), key, attempt, run, turn, finished: false, succeeded: false, short: false }
    }

    async fn play(mut self, attempt: Attempt) -> Result<(), Failure> {
        if self.turn.takes_ms > 0 {
            sleep(self.turn.takes_ms).await;
        }
        if matches!(self.turn.ending, HandlerEnding::Follow | HandlerEnding::FollowAndRetry) {
            self.follow(&attempt)?;
        }
        let result = match self.turn.ending {
            HandlerEnding::Follow => Ok(()),
            HandlerEnding::FollowAndRetry => Err(Failure::retry("not yet")),
            HandlerEnding::Done | HandlerEnding::PanicAtCall => Ok(()),
            HandlerEnding::Retry => Err(Failure::retry("not yet")),
            HandlerEnding::RetryAfter { after_ms } => Err(Failure::retry_after("not yet", ms(after_ms))),
            HandlerEnding::Permanent => Err(Failure::permanent("never")),
            HandlerEnding::Snooze { delay_ms } => Err(Failure::snooze(ms(delay_ms))),
            HandlerEnding::Shortage { delay_ms } => Err(Failure::snooze_because(SHORTAGE, ms(delay_ms))),
            HandlerEnding::Panic => self.panic(),
            HandlerEnding::Hang => std::future::pending().await,
            HandlerEnding::BeatForEver { every_ms } => self.beat_for_ever(&attempt, every_ms).await,
            HandlerEnding::LeaveTask { for_ms } => {
                tokio::spawn(outlive(Arc::clone(&self.stage), self.key, attempt, for_ms));
                Ok(())
            }
        };
        self.finished = true;
        self.succeeded = result.is_ok();
        self.short = matches!(self.turn.ending, HandlerEnding::Shortage { .. });
        result
    }

    async fn beat_for_ever(&self, attempt: &Attempt, every_ms: u32) -> Result<(), Failure> {
        loop {
            sleep(every_ms.max(1)).await;
            beat(&self.stage, self.key, attempt);
        }
    }

    /// Adds the follow-up of the event; one that is a follow-up itself has none.
    fn follow(&self, attempt: &Attempt) -> Result<(), Failure> {
        attempt.follow_up(connection_owners::event(follow_ups::item(self.key)))?;
        Ok(())
    }

    fn panic(&self) -> ! {
        self.stage.with(|notes, _| notes.script_panics += 1);
        panic!("a panic in the handler, {BY_SCRIPT}")
    }
}

impl Drop for PlayedRun {
    fn drop(&mut self) {
        let (key, attempt, finished) = (self.key, self.attempt, self.finished);
        self.stage.with(|notes, now| {
            // A handler that is dropped with its process proves nothing about the engine.
            if notes.muted {
                return;
            }
            notes.trace.note(now, &NetworkStep::Left { key, attempt, finished });
            notes.oracles.calls.leave(key);
            if self.succeeded {
                notes.oracles.calls.succeed(key, self.run);
            }
            if self.succeeded && self.turn.ending == HandlerEnding::Follow {
                notes.oracles.follow_ups.add(self.run, key);
            }
            if self.short {
                notes.oracles.shortages.add(self.run);
            }
            if !finished {
                notes.coverage.reach("run abandoned by its handler");
            }
        });
    }
}

fn judge(notes: &mut RunNotes, event: &Event, attempt: &Attempt, key: KeyNumber, max_attempts: u32) -> OracleResult {
    let record = notes.oracles.record(key);
    holds(record.is_some_and(|record| record.event == *event), || {
        Broken::new(
            "expected",
            2,
            format_args!("the handler was called with {event:?} for e{key}, whose record is {record:?}"),
        )
    })?;
    let run = record.and_then(|record| record.stage.run()).map(|(run, _)| run);
    holds(!attempt.is_cancelled(), || {
        Broken::new(
            "calls",
            4,
            format_args!("the handler of e{key} was called for {}, which was already stopped", attempt.run()),
        )
    })?;
    // With synced starts the handler may see only runs whose start the journal has.
    let starts = notes.oracles.syncs_starts() && run != Some(attempt.run());
    holds(!starts, || durable::uncharged(key, attempt.run()))?;
    let charged = record.map_or(0, |record| record.charge.charged);
    let is_last = charged >= max_attempts;
    let shown = (attempt.key(), attempt.charged(), attempt.is_last());
    holds(is_stale(attempt, run) || shown == (event.key(), charged, is_last), || {
        Broken::new("expected", 8, format_args!("the handler sees {shown:?} of e{key}, whose record is {record:?}"))
    })?;
    notes.oracles.calls.call(key, attempt.number(), attempt.run())
}

/// Returns whether the run of a handler no longer counts.
fn is_stale(attempt: &Attempt, run: Option<RunId>) -> bool {
    run != Some(attempt.run())
}

/// Continues whatever happens to the run.
async fn outlive(stage: Arc<RunContext>, key: KeyNumber, attempt: Attempt, for_ms: u32) {
    for _ in 0..for_ms.div_ceil(BEAT_MS) {
        sleep(BEAT_MS).await;
        beat(&stage, key, &attempt);
    }
}

/// The interval of heartbeats of a task that outlives its run: shorter than each run timeout, so that it could keep one
/// alive.
const BEAT_MS: u32 = 15;

fn beat(stage: &Arc<RunContext>, key: KeyNumber, attempt: &Attempt) {
    let beaten = attempt.heartbeat();
    let shown = attempt.deadline();
    stage.see_facts();
    stage.with(|notes, _| {
        let verdict = notes.oracles.calls.beat(key, attempt.number(), beaten.is_ok());
        notes.judge(verdict);
        beaten.iter().for_each(|due| notes.judge(calls::shown(key, *due, shown)));
    });
}

async fn sleep(time_ms: u32) {
    tokio::time::sleep(ms(time_ms)).await;
}
