//! Assertions: the engine equals the model after each step, and is consistent by itself.
//!
//! Each function panics with both sides when its property does not hold.

use eventful::{
    RecordView, Status, Timestamp,
    engine::{Command, Place},
    metrics::{Gauges, TypeStats},
};

use crate::spec::ReferenceRecord;
use crate::spec::model::{Dropped, Model, ModelCounts, ModelResponse};
use crate::sut::Sut;

/// A command that both sides executed.
#[derive(Debug, Clone)]
pub struct ComparedStep {
    /// The time of the command; may lie before the last one.
    pub now: Timestamp,
    /// The command.
    pub command: Command,
    /// The response of the model.
    pub response: ModelResponse,
}

/// Executes the command of `step` in the engine, and compares all that can be seen of both sides.
pub fn assert_step(sut: &mut Sut, model: &Model, step: ComparedStep) {
    let before = sut.facts().len();
    let (answer, effects) = sut.execute(step.now, step.command);
    assert_eq!(answer, step.response.answer, "engine (left) and model (right) return different results");
    assert_eq!(effects, step.response.effects, "engine (left) and model (right) have different effects");
    assert_eq!(sut.facts()[before..], step.response.facts, "engine (left) and model (right) have different facts");
    assert_state(sut, model);
}

/// Compares all that can be seen of both sides, and checks the engine alone.
pub fn assert_state(sut: &Sut, model: &Model) {
    assert_records(sut, model);
    assert_gauges(&sut.engine().gauges(), model);
    assert_eq!(sut.engine().type_stats().iter().map(numbers).collect::<Vec<_>>(), model.type_numbers(), "by type");
    assert_eq!(sut.engine().unmatched(), model.unmatched(), "events that no policy fits");
    assert_eq!(
        ModelCounts::of(&sut.engine().metrics()),
        model.counts(),
        "engine (left) and model (right) have different counts"
    );
    assert_eq!(
        sut.engine().next_deadline(),
        model.next_deadline(),
        "engine (left) and model (right) have different deadlines"
    );
    assert_eq!(sut.engine().phase(), model.phase);
    assert_eq!(sut.engine().is_paused(), model.expected.paused);
    let dropped: Vec<_> = sut.dropped().iter().map(Dropped::from).collect();
    assert_eq!(dropped, model.dropped, "failed events that were forgotten");
    assert_eq!(sut.engine().epoch(), model.epoch());
    assert_consistent(sut);
}

/// Checks an engine by itself: its own check, the equations of its metrics, and that it has the state of its facts.
pub fn assert_consistent(sut: &Sut) {
    assert_eq!(sut.engine().check(), Ok(()));
    assert_eq!(sut.expected().difference(&sut.engine().durable_state(), sut.keys()), None, "the state of the facts");
    let metrics = sut.engine().metrics();
    let (gauges, facts) = (metrics.gauges, metrics.facts);
    assert_eq!(facts.accepted, gauges.records_total() + facts.forgotten_total(), "accepted = records + forgotten");
    assert_eq!(facts.started, facts.finished_total() + gauges.inflight, "started = finished + in flight");
    let waiting = gauges.records(Status::Received) + gauges.records(Status::FailedRetry);
    let places = gauges.queued + gauges.line + gauges.delayed + gauges.gated;
    assert_eq!(waiting, places, "each waiting record is in one place");
}

/// Checks that the facts of a history alone lead to the same state.
pub fn assert_replayed(sut: &Sut) {
    let replay = sut.replay().expect("the engine's own facts follow from each other");
    assert_eq!(replay.state(), sut.engine().durable_state(), "replayed (left) and live (right) differ");
    assert_eq!(replay.check(), Ok(()));
}

/// Checks that, after a kill, the engine opened from the facts is consistent, runs nothing, and continues with facts
/// that follow from the old ones.
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

fn numbers(stats: &TypeStats) -> [u64; 3] {
    [stats.gated, stats.unstarted, stats.running]
}

fn assert_gauges(engine: &Gauges, model: &Model) {
    let (expected, keys) = (&model.expected, model.records().map(|(key, _)| key));
    let queued = keys.filter(|key| matches!(model.place(key), Some(Place::Queued(_)))).count();
    let counted = [
        queued,
        model.line.len(),
        model.grouped.len() + model.gated.len(),
        model.delayed.len(),
        expected.inflight.len(),
    ];
    let counted = counted.map(|count| count as u64);
    let seen = [engine.queued, engine.line, engine.gated, engine.delayed, engine.inflight];
    assert_eq!(seen, counted, "queued, line, delayed, in flight");
    assert_eq!(
        (engine.bytes, engine.failed_bytes),
        (expected.bytes, expected.failed_bytes),
        "bytes, bytes of failed events"
    );
    assert_eq!(
        (engine.oldest_pending, engine.oldest_failed),
        (expected.oldest_pending(), expected.oldest_failed()),
        "the oldest pending, the first failed"
    );
    for status in Status::ALL {
        assert_eq!(engine.records(status), expected.count(status), "records that are {status}");
    }
}

fn assert_records(sut: &Sut, model: &Model) {
    let present: Vec<_> = model.records().map(|(key, _)| key).filter(|key| model.record(key).is_some()).collect();
    let views = sut.records(model.now, 3);
    assert_eq!(views.iter().map(|view| &view.key).collect::<Vec<_>>(), present, "records there");
    for (key, _) in model.records() {
        let view = sut.engine().get(model.now, key);
        assert_eq!(view.is_some(), model.record(key).is_some(), "{key} is there");
        assert_eq!(sut.engine().explain(model.now, key).is_some(), view.is_some(), "{key} is explained");
        assert!(view.is_none() || views.contains(view.as_ref().expect("just seen")), "{key}: get and page differ");
        if let (Some(view), Some(record)) = (&view, model.record(key)) {
            assert_record(view, record, model);
        }
    }
}

fn assert_record(view: &RecordView, record: &ReferenceRecord, model: &Model) {
    let key = record.event.key();
    assert_eq!(record.difference(view), None, "{key}: {view:?}, but {record:?}");
    assert_eq!(view.place, model.place(key), "place of {key}");
    let payload = (!record.stage.is_tombstone()).then(|| record.event.payload());
    assert_eq!(view.payload.as_ref(), payload, "payload of {key}");
    let deadline = record.stage.run().and_then(|(run, _)| model.deadline(run));
    assert_eq!(view.run.map(|run| run.deadline), deadline, "deadline of {key}");
}
