//! The encoding of facts, with `postcard`.
//!
//! The types here are the format. Variants and fields are only ever added, at the end of an enum; any other change is a
//! new [`VERSION`](super::frame::VERSION). The types of the engine are not bound by it.

use std::vec;
use std::vec::Vec;

use serde::{Deserialize, Serialize};

pub use super::wire_event::WireError;
use super::wire_event::{KeyHash, Several, WireEvent, WireKey, WireOptions};
use crate::engine::{
    Epoch, ErrorText, GroupName, RunId, ScheduleCursor, ScheduleName, Timestamp,
    facts::{AfterRun, AttemptEnd, Change, Charge, Fact},
};

/// Appends a fact to `out`.
pub fn encode(fact: &Fact, out: &mut Vec<u8>) {
    put(&WireFact { at: fact.at.as_micros(), change: WireChange::of(&fact.change) }, out);
}

/// Decodes the fact at the start of `bytes`, and returns it with the rest.
///
/// # Errors
///
/// [`WireError`]
pub fn decode(bytes: &[u8]) -> Result<(Fact, &[u8]), WireError> {
    let (fact, rest) = take::<WireFact<'_>>(bytes)?;
    let change = fact.change.into_change()?;
    Ok((Fact { at: Timestamp::from_micros(fact.at), change }, rest))
}

/// Checks that all of these bytes are facts that this program knows, without creating events from them.
pub(super) fn check(mut bytes: &[u8]) -> Result<(), WireError> {
    while !bytes.is_empty() {
        (_, bytes) = take::<WireFact<'_>>(bytes)?;
    }
    Ok(())
}

/// Passes the key of each change in these facts to `visit`, without creating events from them.
pub(super) fn keys(mut bytes: &[u8], visit: &mut dyn FnMut(KeyHash)) -> Result<(), WireError> {
    while !bytes.is_empty() {
        let fact;
        (fact, bytes) = take::<WireFact<'_>>(bytes)?;
        match &fact.change {
            WireChange::Accepted(event) | WireChange::AcceptedWith(event, _) => visit(event.key().hash()),
            WireChange::Started(key, ..)
            | WireChange::Finished(key, ..)
            | WireChange::Redriven(key)
            | WireChange::Discarded(key)
            | WireChange::Forgotten(key) => visit(key.hash()),
            WireChange::ForgottenMany(keys) => keys.0.iter().for_each(|key| visit(key.hash())),
            WireChange::Paused
            | WireChange::Resumed
            | WireChange::Epoch(_)
            | WireChange::GroupPaused(..)
            | WireChange::Scheduled(..) => {}
        }
    }
    Ok(())
}

/// Appends a value of the format to `out`.
pub(super) fn put<T: Serialize>(value: &T, out: &mut Vec<u8>) {
    // Writing to memory cannot fail, and every value here has a length.
    let written = postcard::to_extend(value, core::mem::take(out));
    *out = written.expect("every value of the format can be written");
}

/// Decodes the value of the format at the start of `bytes`, and returns it with the rest.
pub(super) fn take<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<(T, &'a [u8]), WireError> {
    postcard::take_from_bytes(bytes).map_err(WireError::Unknown)
}

#[derive(Debug, Serialize, Deserialize)]
struct WireFact<'a> {
    at: u64,
    #[serde(borrow)]
    change: WireChange<'a>,
}

#[derive(Debug, Serialize, Deserialize)]
enum WireChange<'a> {
    #[serde(borrow)]
    Accepted(WireEvent<'a>),
    Started(WireKey<'a>, WireRun),
    Finished(WireKey<'a>, WireRun, WireEnd, Option<&'a str>, WireNext, WireCharge),
    Redriven(WireKey<'a>),
    Discarded(WireKey<'a>),
    Forgotten(WireKey<'a>),
    Paused,
    Resumed,
    Epoch(u64),
    ForgottenMany(Several<WireKey<'a>>),
    AcceptedWith(WireEvent<'a>, #[serde(borrow)] WireOptions<'a>),
    GroupPaused(&'a str, bool),
    Scheduled(&'a str, Option<WireCursor>),
}

/// The last instant that was decided, and the last one whose event was accepted.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct WireCursor(u64, Option<u64>);

/// An epoch and a number.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct WireRun(u64, u64);

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) enum WireEnd {
    Done,
    Retry,
    Failed,
    Snoozed,
    Crashed,
    TimedOut,
    Interrupted,
    Discarded,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum WireNext {
    Completed,
    Failed,
    Retry(u64),
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct WireCharge(u32, u32, u32);

impl<'a> WireChange<'a> {
    fn of(change: &'a Change) -> Self {
        match change {
            Change::Accepted(event) => {
                let (event, options) = (WireEvent::of(event), WireOptions::of(event));
                // The form without options is the shorter one, and most events have none.
                if options.is_empty() { Self::Accepted(event) } else { Self::AcceptedWith(event, options) }
            }
            Change::Started { key, run } => Self::Started(WireKey::of(key), WireRun::of(*run)),
            Change::Finished { key, run, end, error, next, charge } => Self::Finished(
                WireKey::of(key),
                WireRun::of(*run),
                WireEnd::of(*end),
                error.as_ref().map(ErrorText::as_str),
                WireNext::of(*next),
                WireCharge::of(*charge),
            ),
            Change::Redriven(key) => Self::Redriven(WireKey::of(key)),
            Change::Discarded(key) => Self::Discarded(WireKey::of(key)),
            // Written for one key as programs have always read it.
            Change::Forgotten(keys) => match keys.as_slice() {
                [key] => Self::Forgotten(WireKey::of(key)),
                keys => Self::ForgottenMany(Several(keys.iter().map(WireKey::of).collect())),
            },
            Change::Paused => Self::Paused,
            Change::Resumed => Self::Resumed,
            Change::Epoch(epoch) => Self::Epoch(epoch.number()),
            Change::GroupPaused { group, paused } => Self::GroupPaused(group.as_str(), *paused),
            Change::Scheduled { schedule, cursor } => Self::Scheduled(schedule.as_str(), cursor.map(WireCursor::of)),
        }
    }

    fn into_change(self) -> Result<Change, WireError> {
        Ok(match self {
            Self::Accepted(event) => Change::Accepted(event.into_event(WireOptions::default())?),
            Self::AcceptedWith(event, options) => Change::Accepted(event.into_event(options)?),
            Self::Started(key, run) => Change::Started { key: key.into_key()?, run: run.into_run() },
            Self::Finished(key, run, end, error, next, charge) => Change::Finished {
                key: key.into_key()?,
                run: run.into_run(),
                end: end.into_end(),
                error: error.map(ErrorText::new),
                next: next.into_next(),
                charge: charge.into_charge(),
            },
            Self::Redriven(key) => Change::Redriven(key.into_key()?),
            Self::Discarded(key) => Change::Discarded(key.into_key()?),
            Self::Forgotten(key) => Change::Forgotten(vec![key.into_key()?]),
            Self::ForgottenMany(Several(keys)) => {
                Change::Forgotten(keys.into_iter().map(WireKey::into_key).collect::<Result<_, _>>()?)
            }
            Self::Paused => Change::Paused,
            Self::Resumed => Change::Resumed,
            Self::Epoch(number) => Change::Epoch(Epoch::new(number)),
            Self::GroupPaused(group, paused) => Change::GroupPaused { group: GroupName::new(group)?, paused },
            Self::Scheduled(schedule, cursor) => Change::Scheduled {
                schedule: ScheduleName::new(schedule)?,
                cursor: cursor.map(WireCursor::into_cursor),
            },
        })
    }
}

impl WireCursor {
    pub(super) fn of(cursor: ScheduleCursor) -> Self {
        Self(cursor.decided.as_micros(), cursor.accepted.map(Timestamp::as_micros))
    }

    pub(super) fn into_cursor(self) -> ScheduleCursor {
        let Self(decided, accepted) = self;
        let time = Timestamp::from_micros;
        ScheduleCursor { decided: time(decided), accepted: accepted.map(time) }
    }
}

impl WireRun {
    pub(super) const fn of(run: RunId) -> Self {
        Self(run.epoch().number(), run.number())
    }

    pub(super) const fn into_run(self) -> RunId {
        RunId::new(Epoch::new(self.0), self.1)
    }
}

impl WireEnd {
    pub(super) const fn of(end: AttemptEnd) -> Self {
        match end {
            AttemptEnd::Done => Self::Done,
            AttemptEnd::Retry => Self::Retry,
            AttemptEnd::Failed => Self::Failed,
            AttemptEnd::Snoozed => Self::Snoozed,
            AttemptEnd::Crashed => Self::Crashed,
            AttemptEnd::TimedOut => Self::TimedOut,
            AttemptEnd::Interrupted => Self::Interrupted,
            AttemptEnd::Discarded => Self::Discarded,
        }
    }

    pub(super) const fn into_end(self) -> AttemptEnd {
        match self {
            Self::Done => AttemptEnd::Done,
            Self::Retry => AttemptEnd::Retry,
            Self::Failed => AttemptEnd::Failed,
            Self::Snoozed => AttemptEnd::Snoozed,
            Self::Crashed => AttemptEnd::Crashed,
            Self::TimedOut => AttemptEnd::TimedOut,
            Self::Interrupted => AttemptEnd::Interrupted,
            Self::Discarded => AttemptEnd::Discarded,
        }
    }
}

impl WireNext {
    const fn of(next: AfterRun) -> Self {
        match next {
            AfterRun::Completed => Self::Completed,
            AfterRun::Failed => Self::Failed,
            AfterRun::Retry { eligible_at } => Self::Retry(eligible_at.as_micros()),
        }
    }

    const fn into_next(self) -> AfterRun {
        match self {
            Self::Completed => AfterRun::Completed,
            Self::Failed => AfterRun::Failed,
            Self::Retry(at) => AfterRun::Retry { eligible_at: Timestamp::from_micros(at) },
        }
    }
}

impl WireCharge {
    pub(super) const fn of(charge: Charge) -> Self {
        Self(charge.charged, charge.snoozes, charge.refunds)
    }

    pub(super) const fn into_charge(self) -> Charge {
        Charge { charged: self.0, snoozes: self.1, refunds: self.2 }
    }
}
