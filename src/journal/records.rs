//! The encoding of records in snapshots.
//!
//! A snapshot consists of items, each on its own, in `postcard`'s encoding: records, downtimes, paused groups and
//! schedules, and at last a summary. One of format 1 begins with a summary of its own shape instead.

use core::time::Duration;
use std::boxed::Box;
use std::vec::Vec;

use serde::{Deserialize, Serialize};

use super::summary::{CountedSummary, WireSummary, decode_first_summary};
use super::wire::{WireCharge, WireCursor, WireEnd, WireRun, put, take};
use super::wire_digest::WireAlgorithm;
use super::wire_event::{KeyHash, WireError, WireEvent, WireKey, WireOptions};
use crate::engine::{
    Digest, ErrorText, Event, GroupName, NotBefore, PastAttempt, RecordView, RunView, ScheduleCursor, ScheduleName,
    Seq, Status, Timestamp,
    facts::{Downtime, SnapshotRecord, SnapshotSummary},
};

/// An item of a snapshot.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one is there at a time, and a box for each record slows opening")]
pub(super) enum SnapshotItem {
    Record(SnapshotRecord),
    Downtime(Downtime),
    PausedGroup(GroupName),
    Schedule(ScheduleName, ScheduleCursor),
    /// The last item.
    Summary(CountedSummary),
}

/// An item without its event.
#[derive(Debug)]
pub(super) enum Outline {
    Record(RecordOutline),
    Downtime(Downtime),
    PausedGroup(GroupName),
    Schedule(ScheduleName, ScheduleCursor),
    Summary(CountedSummary),
}

/// A record without its event.
#[derive(Debug, Clone, Copy)]
pub(super) struct RecordOutline {
    pub(super) key: KeyHash,
    pub(super) processing: bool,
    /// The time at which it ended, if it has.
    pub(super) ended: Option<Timestamp>,
}

/// An item.
#[derive(Debug, Serialize, Deserialize)]
enum WireItem<'a> {
    Live(#[serde(borrow)] WireEvent<'a>, #[serde(borrow)] WireLife<'a>),
    Over(#[serde(borrow)] WireStone<'a>),
    Summary(WireSummary),
    /// A time that does not count toward retention: its end, and its microseconds.
    Downtime(u64, u64),
    /// A live record, with the error of each past attempt behind it.
    Troubled(#[serde(borrow)] WireEvent<'a>, #[serde(borrow)] WireLife<'a>),
    /// The same, with its place in the order of acceptance in front, 0 when it has none.
    Numbered(u64, #[serde(borrow)] WireEvent<'a>, #[serde(borrow)] WireOptions<'a>, #[serde(borrow)] WireLife<'a>),
    /// A group that is paused.
    PausedGroup(&'a str),
    /// A schedule, and how far it is.
    Schedule(&'a str, WireCursor),
}

#[derive(Debug, Serialize, Deserialize)]
struct WireLife<'a> {
    accepted_at: u64,
    state: WireState,
    attempt: u32,
    charge: WireCharge,
    last_error: Option<&'a str>,
    /// The number of past attempts that follow the record.
    history: u8,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum WireState {
    /// Eligible at this time, without an earlier run.
    Received(u64),
    /// Eligible at this time, after an earlier run.
    FailedRetry(u64),
    /// In this run, since this time.
    Processing(WireRun, u64),
    /// Failed since this time.
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

/// A past attempt: run, start, end.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct WirePast(WireRun, u64, u64, WireEnd);

/// Appends the summary at the end of a snapshot with this many records.
pub(super) fn encode_summary(summary: &SnapshotSummary, records: u64, out: &mut Vec<u8>) {
    put(&WireItem::Summary(WireSummary::of(summary, records)), out);
}

/// Appends a time that does not count toward retention.
pub(super) fn encode_downtime(downtime: Downtime, out: &mut Vec<u8>) {
    let lasted = u64::try_from(downtime.lasted.as_micros()).unwrap_or(u64::MAX);
    put(&WireItem::Downtime(downtime.until.as_micros(), lasted), out);
}

/// Appends a group that is paused.
pub(super) fn encode_paused_group(group: &GroupName, out: &mut Vec<u8>) {
    put(&WireItem::PausedGroup(group.as_str()), out);
}

/// Appends how far a schedule is.
pub(super) fn encode_schedule(schedule: &ScheduleName, cursor: ScheduleCursor, out: &mut Vec<u8>) {
    put(&WireItem::Schedule(schedule.as_str(), WireCursor::of(cursor)), out);
}

const fn downtime(until: u64, lasted: u64) -> Downtime {
    Downtime { until: Timestamp::from_micros(until), lasted: Duration::from_micros(lasted) }
}

/// Appends a record to `out`.
pub(super) fn encode(kept: &SnapshotRecord, out: &mut Vec<u8>) {
    let record = &kept.record;
    match (&kept.event, state(record)) {
        (Some(event), Some(state)) => {
            // Numbers begin with 1, so 0 is free to mean that there is none.
            let seq = record.seq.map_or(0, Seq::number);
            put(&WireItem::Numbered(seq, WireEvent::of(event), WireOptions::of(event), life(record, state)), out);
            for past in &record.history {
                put(&(WirePast::of(past), past.error.as_ref().map(ErrorText::as_str)), out);
            }
        }
        _ => put(&WireItem::Over(stone(record)), out),
    }
}

/// Decodes the item at the start of `bytes`, and returns it with the rest.
pub(super) fn decode(bytes: &[u8]) -> Result<(SnapshotItem, &[u8]), WireError> {
    let (wire, rest) = take::<WireItem<'_>>(bytes)?;
    match wire {
        WireItem::Summary(summary) => Ok((SnapshotItem::Summary(summary.into_counted()?), rest)),
        WireItem::Downtime(until, lasted) => Ok((SnapshotItem::Downtime(downtime(until, lasted)), rest)),
        WireItem::PausedGroup(group) => Ok((SnapshotItem::PausedGroup(GroupName::new(group)?), rest)),
        WireItem::Schedule(name, cursor) => {
            Ok((SnapshotItem::Schedule(ScheduleName::new(name)?, cursor.into_cursor()), rest))
        }
        WireItem::Over(stone) => {
            Ok((SnapshotItem::Record(SnapshotRecord { record: stone.into_record()?, event: None }), rest))
        }
        WireItem::Live(event, life) => live((None, event, WireOptions::default()), life, rest, past),
        WireItem::Troubled(event, life) => live((None, event, WireOptions::default()), life, rest, past_with_error),
        WireItem::Numbered(seq, event, options, life) => {
            live((Seq::new(seq), event, options), life, rest, past_with_error)
        }
    }
}

/// Returns a live record, with the past attempts that follow it.
fn live<'a>(
    (seq, event, options): (Option<Seq>, WireEvent<'a>, WireOptions<'a>),
    life: WireLife<'a>,
    mut rest: &'a [u8],
    past: impl Fn(&'a [u8]) -> Result<(PastAttempt, &'a [u8]), WireError>,
) -> Result<(SnapshotItem, &'a [u8]), WireError> {
    let event = event.into_event(options)?;
    let mut history = Vec::new();
    // Past attempts follow the record, each as a value of its own.
    for _ in 0..life.history {
        let attempt;
        (attempt, rest) = past(rest)?;
        history.push(attempt);
    }
    let record = life.into_record(seq, &event, history);
    Ok((SnapshotItem::Record(SnapshotRecord { record, event: Some(event) }), rest))
}

fn past(bytes: &[u8]) -> Result<(PastAttempt, &[u8]), WireError> {
    let (past, rest) = take::<WirePast>(bytes)?;
    Ok((past.into_past(None), rest))
}

fn past_with_error(bytes: &[u8]) -> Result<(PastAttempt, &[u8]), WireError> {
    let ((past, error), rest) = take::<(WirePast, Option<&str>)>(bytes)?;
    Ok((past.into_past(error), rest))
}

/// Checks that all of these bytes are items that this program knows, behind the summary of format 1 if there is one,
/// without creating events from them.
pub(super) fn check(mut bytes: &[u8], has_first_summary: bool) -> Result<(), WireError> {
    if has_first_summary {
        (_, bytes) = decode_first_summary(bytes)?;
    }
    while !bytes.is_empty() {
        (_, bytes) = outline(bytes)?;
    }
    Ok(())
}

/// Decodes what needs no digest of its payload from the item at the start of `bytes`, and returns it with the rest.
pub(super) fn outline(bytes: &[u8]) -> Result<(Outline, &[u8]), WireError> {
    let (wire, rest) = take::<WireItem<'_>>(bytes)?;
    let at = |micros| Some(Timestamp::from_micros(micros));
    match wire {
        WireItem::Summary(summary) => Ok((Outline::Summary(summary.into_counted()?), rest)),
        WireItem::Downtime(until, lasted) => Ok((Outline::Downtime(downtime(until, lasted)), rest)),
        WireItem::PausedGroup(group) => Ok((Outline::PausedGroup(GroupName::new(group)?), rest)),
        WireItem::Schedule(name, cursor) => {
            Ok((Outline::Schedule(ScheduleName::new(name)?, cursor.into_cursor()), rest))
        }
        WireItem::Over(stone) => {
            let (key, processing, ended) = (stone.key.hash(), false, at(stone.terminal_at));
            Ok((Outline::Record(RecordOutline { key, processing, ended }), rest))
        }
        WireItem::Live(event, life) => Ok((live_outline(&event, &life), skip_history::<WirePast>(&life, rest)?)),
        WireItem::Troubled(event, life) | WireItem::Numbered(_, event, _, life) => {
            Ok((live_outline(&event, &life), skip_history::<(WirePast, Option<&str>)>(&life, rest)?))
        }
    }
}

fn live_outline(event: &WireEvent<'_>, life: &WireLife<'_>) -> Outline {
    let (key, processing) = (event.key().hash(), matches!(life.state, WireState::Processing(..)));
    // Of the records that have ended only failed ones keep their event; all others are tombstones.
    let ended = if let WireState::Failed(micros) = life.state { Some(Timestamp::from_micros(micros)) } else { None };
    Outline::Record(RecordOutline { key, processing, ended })
}

/// Returns the bytes behind the past attempts of a record.
fn skip_history<'a, T: Deserialize<'a>>(life: &WireLife<'_>, mut bytes: &'a [u8]) -> Result<&'a [u8], WireError> {
    for _ in 0..life.history {
        (_, bytes) = take::<T>(bytes)?;
    }
    Ok(bytes)
}

/// Returns the state of a record that has not ended.
fn state(record: &RecordView) -> Option<WireState> {
    match record.status {
        Status::Received => Some(WireState::Received(record.eligible_at?.as_micros())),
        Status::FailedRetry => Some(WireState::FailedRetry(record.eligible_at?.as_micros())),
        Status::Processing => {
            let run = record.run?;
            Some(WireState::Processing(WireRun::of(run.id), run.started_at.as_micros()))
        }
        Status::Failed => Some(WireState::Failed(record.terminal_at?.as_micros())),
        Status::Completed | Status::Discarded => None,
    }
}

fn life(record: &RecordView, state: WireState) -> WireLife<'_> {
    WireLife {
        accepted_at: record.accepted_at.as_micros(),
        state,
        attempt: record.attempt,
        charge: WireCharge::of(record.charge),
        last_error: record.last_error.as_ref().map(ErrorText::as_str),
        // The history has at most eight attempts, so this never cuts.
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
    fn into_record(self, seq: Option<Seq>, event: &Event, history: Vec<PastAttempt>) -> RecordView {
        let at = |micros| Some(Timestamp::from_micros(micros));
        let (status, eligible_at, run, terminal_at) = match self.state {
            WireState::Received(micros) => (Status::Received, at(micros), None, None),
            WireState::FailedRetry(micros) => (Status::FailedRetry, at(micros), None, None),
            WireState::Processing(run, since) => {
                let started_at = Timestamp::from_micros(since);
                // The deadline is none of the facts: it is set again when the engine is opened.
                let run = RunView { id: run.into_run(), started_at, deadline: started_at };
                (Status::Processing, None, Some(run), None)
            }
            WireState::Failed(micros) => (Status::Failed, None, None, at(micros)),
        };
        RecordView {
            key: event.key().clone(),
            digest: *event.digest(),
            status,
            place: None,
            attempt: self.attempt,
            charge: self.charge.into_charge(),
            accepted_at: Timestamp::from_micros(self.accepted_at),
            seq,
            not_before: event.not_before().and_then(NotBefore::time),
            eligible_at,
            run,
            terminal_at,
            event_type: event.event_type().map(Box::from),
            group: event.group().map(Box::from),
            content_type: event.content_type().map(Box::from),
            attributes: event.attributes().clone(),
            size_bytes: event.size_bytes(),
            payload: None,
            last_error: self.last_error.map(ErrorText::new),
            history,
            durable: true,
        }
    }
}

impl WireStone<'_> {
    fn into_record(self) -> Result<RecordView, WireError> {
        let digest = Digest::new(self.algorithm.into_algorithm(), self.digest);
        let status = if self.discarded { Status::Discarded } else { Status::Completed };
        let times = [self.accepted_at, self.terminal_at].map(Timestamp::from_micros);
        Ok(RecordView::of_tombstone((self.key.into_key()?, digest), (status, self.attempt), times.into()))
    }
}

impl WirePast {
    const fn of(past: &PastAttempt) -> Self {
        let (started_at, ended_at) = (past.started_at.as_micros(), past.ended_at.as_micros());
        Self(WireRun::of(past.run), started_at, ended_at, WireEnd::of(past.end))
    }

    fn into_past(self, error: Option<&str>) -> PastAttempt {
        let Self(run, started_at, ended_at, end) = self;
        let (started_at, ended_at) = (Timestamp::from_micros(started_at), Timestamp::from_micros(ended_at));
        let error = error.map(ErrorText::new);
        PastAttempt { run: run.into_run(), started_at, ended_at, end: end.into_end(), error }
    }
}
