//! Records as bytes: what a snapshot holds.
//!
//! A snapshot is a summary followed by records, each on its own, in `postcard`'s encoding.

use std::boxed::Box;
use std::vec::Vec;

use serde::{Deserialize, Serialize};

use super::wire::{WireAlgorithm, WireCharge, WireEnd, WireError, WireEvent, WireKey, WireRun, put, take};
use crate::engine::{
    AttemptEnd, Charge, Digest, Epoch, ErrorText, Event, FactCounters, Kept, PastAttempt, RecordView, RunView, Status,
    Summary, Timestamp,
};

/// What a snapshot begins with.
#[derive(Debug, Serialize, Deserialize)]
struct WireSummary {
    accepted: u64,
    redriven: u64,
    forgotten: u64,
    started: u64,
    finished: [u64; AttemptEnd::ALL.len()],
    paused: bool,
    epoch: u64,
    last: u64,
    /// Records that follow.
    records: u64,
}

/// A record.
#[derive(Debug, Serialize, Deserialize)]
enum WireRecord<'a> {
    Live(#[serde(borrow)] WireEvent<'a>, #[serde(borrow)] WireLife<'a>),
    Over(#[serde(borrow)] WireStone<'a>),
}

#[derive(Debug, Serialize, Deserialize)]
struct WireLife<'a> {
    accepted_at: u64,
    stage: WireStage,
    attempt: u32,
    charge: WireCharge,
    last_error: Option<&'a str>,
    /// Past attempts that follow the record.
    history: u8,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum WireStage {
    /// Eligible at this time, without a run that ended before.
    Received(u64),
    /// Eligible at this time, after a run that ended.
    FailedRetry(u64),
    /// This run, since this time.
    Processing(WireRun, u64),
    /// Since this time.
    Failed(u64),
}

#[derive(Debug, Serialize, Deserialize)]
struct WireStone<'a> {
    #[serde(borrow)]
    key: WireKey<'a>,
    algorithm: WireAlgorithm,
    digest: [u8; 32],
    discarded: bool,
    attempt: u32,
    accepted_at: u64,
    terminal_at: u64,
}

/// Run, start, end.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct WirePast(WireRun, u64, u64, WireEnd);

/// Writes what a snapshot of so many records begins with.
pub(super) fn encode_summary(summary: &Summary, records: u64, out: &mut Vec<u8>) {
    let counters = &summary.counters;
    let wire = WireSummary {
        accepted: counters.accepted,
        redriven: counters.redriven,
        forgotten: counters.forgotten,
        started: counters.started,
        finished: AttemptEnd::ALL.map(|end| counters.finished(end)),
        paused: summary.paused,
        epoch: summary.epoch.number(),
        last: summary.last.as_micros(),
        records,
    };
    put(&wire, out);
}

/// Reads what a snapshot begins with, how many records it has, and what follows.
pub(super) fn decode_summary(bytes: &[u8]) -> Result<(Summary, u64, &[u8]), WireError> {
    let (wire, rest) = take::<WireSummary>(bytes)?;
    let mut counters = FactCounters::default();
    (counters.accepted, counters.redriven) = (wire.accepted, wire.redriven);
    (counters.forgotten, counters.started) = (wire.forgotten, wire.started);
    let ends = AttemptEnd::ALL.into_iter().zip(wire.finished);
    let counters = ends.fold(counters, |counters, (end, runs)| counters.with_finished(end, runs));
    let (epoch, last) = (Epoch::new(wire.epoch), Timestamp::from_micros(wire.last));
    Ok((Summary { counters, paused: wire.paused, epoch, last }, wire.records, rest))
}

/// Writes a record behind what `out` holds.
pub(super) fn encode(kept: &Kept, out: &mut Vec<u8>) {
    let record = &kept.record;
    match (&kept.event, stage(record)) {
        (Some(event), Some(stage)) => {
            put(&WireRecord::Live(WireEvent::of(event), life(record, stage)), out);
            record.history.iter().for_each(|past| put(&WirePast::of(past), out));
        }
        _ => put(&WireRecord::Over(stone(record)), out),
    }
}

/// Reads the record that `bytes` begin with, and answers what follows it.
pub(super) fn decode(bytes: &[u8]) -> Result<(Kept, &[u8]), WireError> {
    let (wire, mut rest) = take::<WireRecord<'_>>(bytes)?;
    match wire {
        WireRecord::Over(stone) => Ok((Kept { record: stone.into_record()?, event: None }, rest)),
        WireRecord::Live(event, life) => {
            let event = event.into_event()?;
            let mut history = Vec::new();
            for _ in 0..life.history {
                let past;
                (past, rest) = take::<WirePast>(rest)?;
                history.push(past.into_past());
            }
            let record = life.into_record(&event, history);
            Ok((Kept { record, event: Some(event) }, rest))
        }
    }
}

/// The stage of a record that is not over.
fn stage(record: &RecordView) -> Option<WireStage> {
    match record.status {
        Status::Received => Some(WireStage::Received(record.eligible_at?.as_micros())),
        Status::FailedRetry => Some(WireStage::FailedRetry(record.eligible_at?.as_micros())),
        Status::Processing => {
            let run = record.run?;
            Some(WireStage::Processing(WireRun::of(run.id), run.started_at.as_micros()))
        }
        Status::Failed => Some(WireStage::Failed(record.terminal_at?.as_micros())),
        Status::Completed | Status::Discarded => None,
    }
}

fn life(record: &RecordView, stage: WireStage) -> WireLife<'_> {
    WireLife {
        accepted_at: record.accepted_at.as_micros(),
        stage,
        attempt: record.attempt,
        charge: WireCharge::of(record.charge),
        last_error: record.last_error.as_ref().map(ErrorText::as_str),
        history: u8::try_from(record.history.len()).unwrap_or(u8::MAX),
    }
}

fn stone(record: &RecordView) -> WireStone<'_> {
    WireStone {
        key: WireKey::of(&record.key),
        algorithm: WireAlgorithm::of(record.digest.algorithm()),
        digest: *record.digest.as_bytes(),
        discarded: record.status == Status::Discarded,
        attempt: record.attempt,
        accepted_at: record.accepted_at.as_micros(),
        terminal_at: record.terminal_at.unwrap_or_default().as_micros(),
    }
}

impl WireLife<'_> {
    fn into_record(self, event: &Event, history: Vec<PastAttempt>) -> RecordView {
        let at = |micros| Some(Timestamp::from_micros(micros));
        let (status, eligible_at, run, terminal_at) = match self.stage {
            WireStage::Received(micros) => (Status::Received, at(micros), None, None),
            WireStage::FailedRetry(micros) => (Status::FailedRetry, at(micros), None, None),
            WireStage::Processing(run, since) => {
                let started_at = Timestamp::from_micros(since);
                let run = RunView { id: run.into_run(), started_at, deadline: started_at };
                (Status::Processing, None, Some(run), None)
            }
            WireStage::Failed(micros) => (Status::Failed, None, None, at(micros)),
        };
        RecordView {
            key: event.key().clone(),
            digest: *event.digest(),
            status,
            place: None,
            attempt: self.attempt,
            charge: self.charge.into_charge(),
            accepted_at: Timestamp::from_micros(self.accepted_at),
            eligible_at,
            run,
            terminal_at,
            event_type: event.event_type().map(Box::from),
            content_type: event.content_type().map(Box::from),
            content_encoding: event.content_encoding().map(Box::from),
            size_bytes: event.size_bytes(),
            last_error: self.last_error.map(ErrorText::new),
            history,
        }
    }
}

impl WireStone<'_> {
    fn into_record(self) -> Result<RecordView, WireError> {
        Ok(RecordView {
            key: self.key.into_key()?,
            digest: Digest::new(self.algorithm.into_algorithm(), self.digest),
            status: if self.discarded { Status::Discarded } else { Status::Completed },
            place: None,
            attempt: self.attempt,
            charge: Charge::default(),
            accepted_at: Timestamp::from_micros(self.accepted_at),
            eligible_at: None,
            run: None,
            terminal_at: Some(Timestamp::from_micros(self.terminal_at)),
            event_type: None,
            content_type: None,
            content_encoding: None,
            size_bytes: 0,
            last_error: None,
            history: Vec::new(),
        })
    }
}

impl WirePast {
    const fn of(past: &PastAttempt) -> Self {
        let (started_at, ended_at) = (past.started_at.as_micros(), past.ended_at.as_micros());
        Self(WireRun::of(past.run), started_at, ended_at, WireEnd::of(past.end))
    }

    const fn into_past(self) -> PastAttempt {
        let Self(run, started_at, ended_at, end) = self;
        let (started_at, ended_at) = (Timestamp::from_micros(started_at), Timestamp::from_micros(ended_at));
        PastAttempt { run: run.into_run(), started_at, ended_at, end: end.into_end() }
    }
}
