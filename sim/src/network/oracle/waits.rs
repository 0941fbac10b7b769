//! The oracle of a disk that is out of reach: every call returns in time, durable state is shown as such, no new event
//! is accepted meanwhile, and readiness reports it.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use eventful::{Cursor, Eventful, RecordView, Status, Timestamp, engine::Phase, metrics::Readiness};

use super::{OracleResult, holds};
use crate::failure::Broken;
use crate::network::clock::TICK;
use crate::network::connection_owners::number;
use crate::network::scenario::KeyNumber;
use crate::spec::{ReferenceRecord, ReferenceState};

/// A page size greater than the number of records.
const PAGE: usize = 1000;

/// The time after which readiness reports a disk out of reach, as the node promises.
const SOON: Duration = Duration::from_secs(1);

/// The node checks every 500 ms whether the disk is back; after that it takes some time to let all callers in.
const SEEN_AFTER: Duration = Duration::from_millis(500 + 100);

/// Upper bound of the time that a response is on its way.
const ON_THE_WAY: Duration = Duration::from_millis(200);

/// A span of time, without its end.
#[derive(Debug, Clone, Copy)]
pub(in crate::network) struct AwaitedSpan {
    pub(in crate::network) since: Timestamp,
    pub(in crate::network) until: Timestamp,
}

impl AwaitedSpan {
    const fn holds(&self, at: Timestamp) -> bool {
        self.since.as_micros() <= at.as_micros() && at.as_micros() < self.until.as_micros()
    }
}

/// The last spans in which the disk was out of reach.
#[derive(Debug, Default)]
pub(in crate::network) struct Absence {
    /// The span in which the journal's writer is blocked.
    pub(in crate::network) blocked: Option<AwaitedSpan>,
    /// The span in which the disk refuses.
    pub(in crate::network) gone: Option<AwaitedSpan>,
    /// The time since which, at each check, facts were not durable and the writer was blocked.
    waits_since: Option<Timestamp>,
    /// The time at which the open journal first refused a group because the disk was gone.
    refused_since: Option<Timestamp>,
    /// The time at which a group was last written.
    wrote_at: Timestamp,
    /// The last span in which no group was written, if it was longer than the retention.
    unwritten: Option<AwaitedSpan>,
    /// The first fact of the blocked span that was not written before its end.
    first_held_up: Option<Timestamp>,
}

/// The state of a process that the disk should have by now.
#[derive(Debug)]
pub(in crate::network) struct AwaitedState {
    /// True if the disk has been out of reach for so long that the server must not be ready.
    pub(in crate::network) is_late: bool,
}

impl Absence {
    /// Returns the time at which the blocked writer continues.
    pub(in crate::network) fn blocks_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.blocked.filter(|span| span.holds(now)).map(|span| span.until)
    }

    /// Returns whether the disk refuses now.
    pub(in crate::network) fn is_gone(&self, now: Timestamp) -> bool {
        self.gone.is_some_and(|span| span.holds(now))
    }

    /// Notes that a group was refused as the disk is gone. From now on the server knows that.
    pub(in crate::network) fn refuse(&mut self, now: Timestamp) {
        let known = self.refused_since.filter(|since| self.gone.is_some_and(|span| span.holds(*since)));
        self.refused_since = Some(known.unwrap_or(now));
    }

    /// Notes that a group was written, so that no fact has been waiting since before.
    pub(in crate::network) fn wrote(&mut self, now: Timestamp, retention: Duration) {
        if self.wrote_at + retention <= now {
            self.unwritten = Some(AwaitedSpan { since: self.wrote_at, until: now });
        }
        (self.waits_since, self.wrote_at) = (None, now);
    }

    /// Notes that the journal was opened: its owner does not know the state of the disk yet.
    pub(in crate::network) const fn opened(&mut self) {
        self.refused_since = None;
    }

    /// Returns whether the disk is out of reach, or the server may not have noticed yet that it is back.
    pub(in crate::network) fn may_be_seen(&self, now: Timestamp) -> bool {
        let spans = [self.blocked, self.gone];
        spans.into_iter().flatten().any(|span| span.since <= now && now < span.until + SEEN_AFTER)
    }

    /// Returns whether an event and its retention may have ended without being durable when a response was sent that
    /// arrives now.
    pub(in crate::network) fn hides_an_end(&self, now: Timestamp, retention: Duration) -> bool {
        self.wrote_at + retention <= now || self.unwritten.is_some_and(|span| now < span.until + ON_THE_WAY)
    }

    /// Returns whether the disk was out of reach since then.
    pub(in crate::network) fn since(&self, since: Timestamp) -> bool {
        [self.blocked, self.gone].into_iter().flatten().any(|span| span.until > since)
    }

    /// Returns the state that a process must show which has been up since then, with this many facts not durable.
    pub(in crate::network) fn see(&mut self, now: Timestamp, up_since: Timestamp, unsynced: u64) -> AwaitedState {
        // Without facts to write, a blocked writer is not noticed.
        let is_blocked = self.blocks_until(now).is_some() && unsynced > 0;
        self.waits_since = is_blocked.then(|| self.waits_since.unwrap_or(now).max(up_since));
        let gone_since = self.gone.filter(|span| span.holds(now)).map(|span| span.since.max(up_since));
        // While its writer is blocked, the server cannot check for the disk.
        let gone_since = gone_since.filter(|since| self.blocked.is_none_or(|blocked| blocked.until <= *since));
        // The node checks at its own times, and this check runs at the end of a tick.
        let is_late = |since: Timestamp| since + SOON + TICK * 2 <= now;
        AwaitedState { is_late: self.waits_since.is_some_and(is_late) || gone_since.is_some_and(is_late) }
    }

    /// Checks that no event was accepted while the server knew that the disk is out of reach.
    pub(in crate::network) fn taken(&self, at: Timestamp, timeout: Duration) -> OracleResult {
        let stuck = self.blocked.filter(|span| span.holds(at)).zip(self.first_held_up);
        let stuck = stuck.is_some_and(|(span, first)| span.holds(first) && first + timeout < at);
        let gone = self.gone.filter(|span| span.holds(at)).zip(self.refused_since);
        let gone = gone.is_some_and(|(span, since)| span.holds(since) && since < at);
        holds(!stuck && !gone, || broken(format_args!("an event was accepted at {at}, when the disk was out of reach")))
    }

    /// Notes that a fact has become durable now.
    pub(in crate::network) fn held_up(&mut self, now: Timestamp, at: Timestamp) {
        match self.blocked {
            Some(span) if span.holds(at) && span.until <= now => {
                self.first_held_up.get_or_insert(at);
            }
            Some(_) | None => self.first_held_up = None,
        }
    }
}

impl AwaitedState {
    /// Checks that a server whose disk is out of reach is not ready.
    pub(in crate::network) fn shows(&self, phase: Phase, readiness: Readiness) -> OracleResult {
        let is_so = !self.is_late || phase != Phase::Running || readiness != Readiness::Ready;
        holds(is_so, || broken("the disk has been out of reach for a second, but the server is ready"))
    }
}

/// A call had no result in time.
pub(in crate::network) fn silent(what: &str, bound: Duration) -> Broken {
    broken(format_args!("{what} has no result after {bound:?}, while the disk is out of reach"))
}

/// Checks that a durably completed event is shown as durable.
pub(in crate::network) fn marked(expected: &ReferenceState, record: &RecordView) -> OracleResult {
    let number = number(&record.key).unwrap_or_default();
    let is_kept = record.status == Status::Completed && status(expected, number) == Some(Status::Completed);
    holds(record.durable || !is_kept, || {
        broken(format_args!("e{number} is durably completed, but not shown as durable"))
    })
}

/// Checks that the records which an abandoned engine shows as durable are durable.
pub(in crate::network) fn given_up(expected: &ReferenceState, eventful: &Eventful) -> OracleResult {
    let page = pin!(eventful.list(None, Cursor::START, PAGE)).poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(Ok(page)) = page else { return Ok(()) };
    page.records.iter().filter(|record| record.durable).try_for_each(|record| {
        let number = number(&record.key).unwrap_or_default();
        let is_completed = record.status == Status::Completed;
        let is_kept = status(expected, number).is_some_and(|kept| !is_completed || kept == Status::Completed);
        holds(is_kept, || {
            broken(format_args!("e{number} is shown as {} and durable, but its facts are not", record.status))
        })
    })
}

fn status(expected: &ReferenceState, number: KeyNumber) -> Option<Status> {
    expected.record(number.into()).map(ReferenceRecord::status)
}

fn broken(what: impl std::fmt::Display) -> Broken {
    Broken::new("waits", 9, what)
}
