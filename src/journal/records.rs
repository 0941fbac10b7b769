//! Records as bytes: what a snapshot holds.
//!
//! A snapshot is items, each on its own, in `postcard`'s encoding: records and downtimes, and at last a summary. One of
//! format 1 begins with a summary of its own shape instead.

use core::time::Duration;
use std::boxed::Box;
use std::vec::Vec;

use serde::{Deserialize, Serialize};

use super::wire::{KeyHash, WireAlgorithm, WireCharge, WireEnd, WireError, WireEvent, WireKey, WireRun, put, take};
use crate::engine::{
    AttemptEnd, Charge, Digest, Downtime, Epoch, ErrorText, Event, FactCounters, Kept, PastAttempt, RecordView,
    RunView, Status, Summary, Timestamp,
};

/// A summary, and how many records the snapshot has.
pub(super) type Counted = (Summary, u64);

/// An item of a snapshot.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one is there at a time, and a box for each record slows opening")]
pub(super) enum Item {
    Kept(Kept),
    Downtime(Downtime),
    /// The last item.
    Summary(Counted),
}

/// What is known of an item without its event.
#[derive(Debug)]
pub(super) enum Outline {
    Record(RecordOutline),
    Downtime(Downtime),
    Summary(Counted),
}

/// What is known of a record without its event.
#[derive(Debug, Clone, Copy)]
pub(super) struct RecordOutline {
    pub(super) key: KeyHash,
    pub(super) processing: bool,
    /// When it ended, if it has.
    pub(super) ended: Option<Timestamp>,
}

/// Runs that ended, by kind, in a snapshot of format 1.
const FIRST_ENDS: usize = 8;

/// What a snapshot of format 1 begins with.
#[derive(Debug, Serialize, Deserialize)]
struct WireFirstSummary {
    accepted: u64,
    redriven: u64,
    forgotten: u64,
    started: u64,
    finished: [u64; FIRST_ENDS],
    paused: bool,
    epoch: u64,
    last: u64,
    /// Records that follow.
    records: u64,
}

/// What a snapshot ends with.
#[derive(Debug, Serialize, Deserialize)]
struct WireSummary {
    accepted: u64,
    redriven: u64,
    forgotten: u64,
    started: u64,
    /// By [`WireEnd`]. Ends that no run had may be missing.
    finished: Vec<u64>,
    /// Counters that were thought of later, in the order of their addition. Zeros may be missing.
    more: Vec<u64>,
    paused: bool,
    epoch: u64,
    last: u64,
    /// Records before it.
    records: u64,
}

/// An item.
#[derive(Debug, Serialize, Deserialize)]
enum WireItem<'a> {
    Live(#[serde(borrow)] WireEvent<'a>, #[serde(borrow)] WireLife<'a>),
    Over(#[serde(borrow)] WireStone<'a>),
    Summary(WireSummary),
    /// A time that does not count toward retention: until then, and for so many microseconds.
    Downtime(u64, u64),
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

/// Writes what a snapshot of so many records ends with.
pub(super) fn encode_summary(summary: &Summary, records: u64, out: &mut Vec<u8>) {
    let counters = &summary.counters;
    let mut finished = std::vec![0; FIRST_ENDS];
    for end in AttemptEnd::ALL {
        let at = WireEnd::of(end) as usize;
        finished.resize(finished.len().max(at + 1), 0);
        finished[at] = counters.finished(end);
    }
    let wire = WireSummary {
        accepted: counters.accepted,
        redriven: counters.redriven,
        forgotten: counters.forgotten,
        started: counters.started,
        finished,
        more: Vec::new(),
        paused: summary.paused,
        epoch: summary.epoch.number(),
        last: summary.last.as_micros(),
        records,
    };
    put(&WireItem::Summary(wire), out);
}

/// Writes a time that does not count toward retention.
pub(super) fn encode_downtime(downtime: Downtime, out: &mut Vec<u8>) {
    let lasted = u64::try_from(downtime.lasted.as_micros()).unwrap_or(u64::MAX);
    put(&WireItem::Downtime(downtime.until.as_micros(), lasted), out);
}

const fn downtime(until: u64, lasted: u64) -> Downtime {
    Downtime { until: Timestamp::from_micros(until), lasted: Duration::from_micros(lasted) }
}

/// Reads what a snapshot of format 1 begins with, and returns what follows it, too.
pub(super) fn decode_first_summary(bytes: &[u8]) -> Result<(Counted, &[u8]), WireError> {
    let (wire, rest) = take::<WireFirstSummary>(bytes)?;
    let WireFirstSummary { accepted, redriven, forgotten, started, finished, paused, epoch, last, records } = wire;
    let (finished, more) = (finished.to_vec(), Vec::new());
    let wire = WireSummary { accepted, redriven, forgotten, started, finished, more, paused, epoch, last, records };
    Ok((wire.into_counted()?, rest))
}

/// Writes a record behind what `out` holds.
pub(super) fn encode(kept: &Kept, out: &mut Vec<u8>) {
    let record = &kept.record;
    match (&kept.event, stage(record)) {
        (Some(event), Some(stage)) => {
            put(&WireItem::Live(WireEvent::of(event), life(record, stage)), out);
            record.history.iter().for_each(|past| put(&WirePast::of(past), out));
        }
        _ => put(&WireItem::Over(stone(record)), out),
    }
}

/// Reads the item that `bytes` begin with, and returns what follows it, too.
pub(super) fn decode(bytes: &[u8]) -> Result<(Item, &[u8]), WireError> {
    let (wire, mut rest) = take::<WireItem<'_>>(bytes)?;
    match wire {
        WireItem::Summary(summary) => Ok((Item::Summary(summary.into_counted()?), rest)),
        WireItem::Downtime(until, lasted) => Ok((Item::Downtime(downtime(until, lasted)), rest)),
        WireItem::Over(stone) => Ok((Item::Kept(Kept { record: stone.into_record()?, event: None }), rest)),
        WireItem::Live(event, life) => {
            let event = event.into_event()?;
            let mut history = Vec::new();
            for _ in 0..life.history {
                let past;
                (past, rest) = take::<WirePast>(rest)?;
                history.push(past.into_past());
            }
            let record = life.into_record(&event, history);
            Ok((Item::Kept(Kept { record, event: Some(event) }), rest))
        }
    }
}

/// Checks that all of these bytes are items that this program knows, behind the summary of format 1 when
/// there is one, without making events of them.
pub(super) fn check(mut bytes: &[u8], has_first_summary: bool) -> Result<(), WireError> {
    if has_first_summary {
        (_, bytes) = decode_first_summary(bytes)?;
    }
    while !bytes.is_empty() {
        (_, bytes) = outline(bytes)?;
    }
    Ok(())
}

/// Reads of the item that `bytes` begin with what needs no digest of its payload, and returns what
/// follows it, too.
pub(super) fn outline(bytes: &[u8]) -> Result<(Outline, &[u8]), WireError> {
    let (wire, rest) = take::<WireItem<'_>>(bytes)?;
    let at = |micros| Some(Timestamp::from_micros(micros));
    match wire {
        WireItem::Summary(summary) => Ok((Outline::Summary(summary.into_counted()?), rest)),
        WireItem::Downtime(until, lasted) => Ok((Outline::Downtime(downtime(until, lasted)), rest)),
        WireItem::Over(stone) => {
            let (key, processing, ended) = (stone.key.hash(), false, at(stone.terminal_at));
            Ok((Outline::Record(RecordOutline { key, processing, ended }), rest))
        }
        WireItem::Live(event, life) => {
            let (key, processing) = (event.key().hash(), matches!(life.stage, WireStage::Processing(..)));
            let ended = if let WireStage::Failed(micros) = life.stage { at(micros) } else { None };
            Ok((Outline::Record(RecordOutline { key, processing, ended }), skip_history(&life, rest)?))
        }
    }
}

/// Returns what follows the past attempts of a record.
fn skip_history<'a>(life: &WireLife<'_>, mut bytes: &'a [u8]) -> Result<&'a [u8], WireError> {
    for _ in 0..life.history {
        (_, bytes) = take::<WirePast>(bytes)?;
    }
    Ok(bytes)
}

impl WireSummary {
    fn into_counted(self) -> Result<Counted, WireError> {
        let mut counters = FactCounters::default();
        (counters.accepted, counters.redriven) = (self.accepted, self.redriven);
        (counters.forgotten, counters.started) = (self.forgotten, self.started);
        let (mut finished, more) = (Counts(self.finished), Counts(self.more));
        for end in AttemptEnd::ALL {
            counters = counters.with_finished(end, finished.take(WireEnd::of(end) as usize));
        }
        if finished.has_more() || more.has_more() {
            return Err(WireError::Counter);
        }
        let (epoch, last) = (Epoch::new(self.epoch), Timestamp::from_micros(self.last));
        Ok((Summary { counters, paused: self.paused, epoch, last }, self.records))
    }
}

/// Counts by number. Those of a newer program may be more, those of an older one fewer.
struct Counts(Vec<u64>);

impl Counts {
    fn take(&mut self, at: usize) -> u64 {
        self.0.get_mut(at).map_or(0, core::mem::take)
    }

    /// Whether something was counted that was not taken.
    fn has_more(&self) -> bool {
        self.0.iter().any(|count| *count > 0)
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
            durable: true,
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
            durable: true,
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
