//! What must be equal after each step, and what must hold of the engine alone.
//!
//! Each function panics with both sides when its property does not hold.

use eventful::{Answer, Command, Effect, Gauges, Place, RecordView, RunId, Status, Timestamp};

use crate::model::{Counts, Model, Record};
use crate::sut::Sut;

/// A command that both sides were given.
#[derive(Debug, Clone)]
pub struct Step {
    /// The time that they were given with it; may lie before the last one.
    pub now: Timestamp,
    /// The command.
    pub command: Command,
    /// What the model answers.
    pub answer: Answer,
    /// What the model wants done.
    pub effects: Vec<Effect>,
}

/// Gives the engine the command of `step`, and compares all that can be seen of both sides.
pub fn assert_step(sut: &mut Sut, model: &Model, step: Step) {
    let (answer, effects) = sut.execute(step.now, step.command);
    assert_eq!(answer, step.answer, "engine (left) and model (right) answer differently");
    assert_effects(&effects, &step.effects);
    assert_state(sut, model);
}

/// Compares all that can be seen of both sides, and checks the engine alone.
pub fn assert_state(sut: &Sut, model: &Model) {
    assert_records(sut, model);
    assert_gauges(&sut.engine().gauges(), model);
    assert_eq!(Counts::of(&sut.engine().metrics()), model.counts, "engine (left) and model (right) count differently");
    assert_eq!(
        sut.engine().next_deadline(),
        model.next_deadline(),
        "engine (left) and model (right) want another wake-up"
    );
    assert_eq!(sut.engine().phase(), model.phase);
    assert_eq!(sut.engine().is_paused(), model.paused);
    assert_eq!(sut.dropped(), model.dropped, "failed events that were forgotten");
    assert_eq!(sut.engine().epoch(), model.epoch);
    assert_consistent(sut);
}

/// What holds of every engine at every time: its own check, and the equations of its metrics.
pub fn assert_consistent(sut: &Sut) {
    assert_eq!(sut.engine().check(), Ok(()));
    let metrics = sut.engine().metrics();
    let (gauges, facts) = (metrics.gauges, metrics.facts);
    assert_eq!(facts.accepted, gauges.records_total() + facts.forgotten_total(), "accepted = records + forgotten");
    assert_eq!(facts.started, facts.finished_total() + gauges.inflight, "started = finished + in flight");
    let waiting = gauges.records(Status::Received) + gauges.records(Status::FailedRetry);
    assert_eq!(waiting, gauges.queued + gauges.line + gauges.delayed, "each waiting record is in one place");
}

/// What holds at the end of a history: its facts alone lead to the state that is there.
pub fn assert_replayed(sut: &Sut) {
    let replay = sut.replay().expect("the engine's own facts follow from each other");
    assert_eq!(replay.state(), sut.engine().durable_state(), "replayed (left) and live (right) differ");
    assert_eq!(replay.check(), Ok(()));
}

/// What holds after a kill: the engine opened from the facts is sound, runs nothing, and goes on
/// with facts that follow from the old ones.
pub fn assert_reopened(sut: &mut Sut, now: Timestamp) {
    let before = sut.engine().durable_state();
    sut.reopen(now).expect("the engine's own facts follow from each other");
    assert_consistent(sut);
    assert_replayed(sut);
    let after = sut.engine().durable_state();
    assert!(after.epoch > before.epoch, "the epoch rises with each opening");
    assert_eq!(after.records.len(), before.records.len(), "no record comes or goes");
    assert_eq!(sut.engine().gauges().inflight, 0, "runs of the old engine have ended");
}

/// Tickets are sent in order; the order of everything else does not matter.
fn assert_effects(engine: &[Effect], model: &[Effect]) {
    assert_eq!(tickets(engine), tickets(model), "engine (left) and model (right) send other tickets");
    assert_eq!(aborts(engine), aborts(model), "engine (left) and model (right) abort other runs");
}

fn tickets(effects: &[Effect]) -> Vec<u64> {
    let number = |effect: &Effect| match effect {
        Effect::Enqueue(ticket) => Some(ticket.number()),
        Effect::Abort(_) => None,
    };
    effects.iter().filter_map(number).collect()
}

fn aborts(effects: &[Effect]) -> Vec<RunId> {
    let run = |effect: &Effect| match effect {
        Effect::Abort(run) => Some(*run),
        Effect::Enqueue(_) => None,
    };
    let mut runs: Vec<RunId> = effects.iter().filter_map(run).collect();
    runs.sort();
    runs
}

fn assert_gauges(engine: &Gauges, model: &Model) {
    let queued = model.records.keys().filter(|key| matches!(model.place(key), Some(Place::Queued(_)))).count();
    let expected =
        [queued, model.line.len(), model.delayed.len(), model.records_with(Status::Processing).count(), model.bytes()];
    let seen = [engine.queued, engine.line, engine.delayed, engine.inflight, engine.bytes];
    assert_eq!(seen, expected.map(|count| count as u64), "queued, line, delayed, in flight, bytes");
    assert_eq!(engine.failed_bytes, model.failed_bytes() as u64, "bytes of failed events");
    for status in Status::ALL {
        assert_eq!(engine.records(status), model.records_with(status).count() as u64, "records that are {status}");
    }
}

fn assert_records(sut: &Sut, model: &Model) {
    let present: Vec<_> = model.records.keys().filter(|key| model.record(key).is_some()).collect();
    let views = sut.records(model.now, 3);
    assert_eq!(views.iter().map(|view| &view.key).collect::<Vec<_>>(), present, "records there");
    for key in model.records.keys() {
        let view = sut.engine().get(model.now, key);
        assert_eq!(view.is_some(), model.record(key).is_some(), "{key} is there");
        assert_eq!(sut.engine().explain(model.now, key).is_some(), view.is_some(), "{key} is explained");
        assert!(view.is_none() || views.contains(view.as_ref().expect("just seen")), "{key}: get and page differ");
        if let (Some(view), Some(record)) = (&view, model.record(key)) {
            assert_record(view, record);
            assert_eq!(view.place, model.place(key), "place of {key}");
        }
    }
}

fn assert_record(view: &RecordView, record: &Record) {
    let key = record.event.key();
    assert_eq!(view.status, record.status(), "status of {key}");
    assert_eq!(&view.digest, record.event.digest(), "digest of {key}");
    assert_eq!(view.attempt, record.attempt, "attempt of {key}");
    assert_eq!(view.accepted_at, record.accepted_at, "acceptance of {key}");
    assert_eq!(view.eligible_at, record.eligible_at(), "eligible time of {key}");
    assert_eq!(view.terminal_at, record.terminal_at(), "terminal time of {key}");
    assert_eq!(view.size_bytes, record.kept_bytes(), "bytes of {key}");
    let payload = (!record.is_tombstone()).then(|| record.event.payload());
    assert_eq!(view.payload.as_ref(), payload, "payload of {key}");
    assert_run(view, record);
    if record.is_tombstone() {
        assert!(view.history.is_empty() && view.last_error.is_none(), "{key} is a tombstone with a past");
    } else {
        assert_past(view, record);
    }
}

fn assert_run(view: &RecordView, record: &Record) {
    let seen = view.run.map(|run| (run.id, run.started_at, run.deadline));
    assert_eq!(seen, record.run().map(|(run, started_at)| (run.id, started_at, run.deadline)));
}

fn assert_past(view: &RecordView, record: &Record) {
    let key = record.event.key();
    assert_eq!(view.charge, record.charge, "charge of {key}");
    assert_eq!(view.history, record.remembered(), "history of {key}");
    assert_eq!(view.last_error, record.last_error, "error of {key}");
}
