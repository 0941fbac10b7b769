//! A disk that does not respond, or is not there, holds up no call: each has an answer in time, what is durable
//! is shown as such, nothing new is taken meanwhile, and readiness says so.

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

/// More than there are records.
const PAGE: usize = 1000;

/// How soon the server is not ready.
const SOON: Duration = Duration::from_secs(1);

/// The server looks so often whether the disk is back, and some time passes until it has let all in.
const SEEN_AFTER: Duration = Duration::from_millis(500 + 100);

/// Longer than an answer is on its way.
const ON_THE_WAY: Duration = Duration::from_millis(200);

/// From this time on, up to that one.
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

/// When the disk was out of reach at last.
#[derive(Debug, Default)]
pub(in crate::network) struct Absence {
    /// The journal's writer waits for the disk.
    pub(in crate::network) blocked: Option<AwaitedSpan>,
    /// The disk refuses.
    pub(in crate::network) gone: Option<AwaitedSpan>,
    /// Since when there have been facts, at each look, that are not durable, and the writer was blocked.
    waits_since: Option<Timestamp>,
    /// When the disk was gone, and the open journal first refused a group for that.
    refused_since: Option<Timestamp>,
    /// When a group was last written.
    wrote_at: Timestamp,
    /// The last time for which none was written, if it was longer than what has ended is remembered.
    unwritten: Option<AwaitedSpan>,
    /// The first fact of the blocked time that was not written before its end.
    first_held_up: Option<Timestamp>,
}

/// What is to be seen of it at a process.
#[derive(Debug)]
pub(in crate::network) struct AwaitedState {
    /// For so long that the server is not ready.
    pub(in crate::network) is_late: bool,
}

impl Absence {
    /// When the writer is let go.
    pub(in crate::network) fn blocks_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.blocked.filter(|span| span.holds(now)).map(|span| span.until)
    }

    /// Whether the disk refuses now.
    pub(in crate::network) fn is_gone(&self, now: Timestamp) -> bool {
        self.gone.is_some_and(|span| span.holds(now))
    }

    /// A group is refused now, as the disk is gone. From now on the server knows that.
    pub(in crate::network) fn refuse(&mut self, now: Timestamp) {
        let known = self.refused_since.filter(|since| self.gone.is_some_and(|span| span.holds(*since)));
        self.refused_since = Some(known.unwrap_or(now));
    }

    /// A group is written: what waited has not waited since then.
    pub(in crate::network) fn wrote(&mut self, now: Timestamp, retention: Duration) {
        if self.wrote_at + retention <= now {
            self.unwritten = Some(AwaitedSpan { since: self.wrote_at, until: now });
        }
        (self.waits_since, self.wrote_at) = (None, now);
    }

    /// The journal is opened, whose owner does not know yet how it is.
    pub(in crate::network) const fn opened(&mut self) {
        self.refused_since = None;
    }

    /// Whether it is out of reach, or the server may not have seen yet that it is back.
    pub(in crate::network) fn may_be_seen(&self, now: Timestamp) -> bool {
        let spans = [self.blocked, self.gone];
        spans.into_iter().flatten().any(|span| span.since <= now && now < span.until + SEEN_AFTER)
    }

    /// Whether an event may have ended, and its retention, too, and nothing of that was durable when an answer
    /// left that comes in now.
    pub(in crate::network) fn hides_an_end(&self, now: Timestamp, retention: Duration) -> bool {
        self.wrote_at + retention <= now || self.unwritten.is_some_and(|span| now < span.until + ON_THE_WAY)
    }

    /// Whether it was out of reach since then.
    pub(in crate::network) fn since(&self, since: Timestamp) -> bool {
        [self.blocked, self.gone].into_iter().flatten().any(|span| span.until > since)
    }

    /// A process that is up since then has so many facts that are not durable.
    pub(in crate::network) fn see(&mut self, now: Timestamp, up_since: Timestamp, unsynced: u64) -> AwaitedState {
        let is_blocked = self.blocks_until(now).is_some() && unsynced > 0;
        self.waits_since = is_blocked.then(|| self.waits_since.unwrap_or(now).max(up_since));
        let gone_since = self.gone.filter(|span| span.holds(now)).map(|span| span.since.max(up_since));
        // While its writer is blocked, the server cannot look.
        let gone_since = gone_since.filter(|since| self.blocked.is_none_or(|blocked| blocked.until <= *since));
        let is_late = |since: Timestamp| since + SOON + TICK * 2 <= now;
        AwaitedState { is_late: self.waits_since.is_some_and(is_late) || gone_since.is_some_and(is_late) }
    }

    /// An event that was taken at this time became durable.
    pub(in crate::network) fn taken(&self, at: Timestamp, timeout: Duration) -> OracleResult {
        let stuck = self.blocked.filter(|span| span.holds(at)).zip(self.first_held_up);
        let stuck = stuck.is_some_and(|(span, first)| span.holds(first) && first + timeout < at);
        let gone = self.gone.filter(|span| span.holds(at)).zip(self.refused_since);
        let gone = gone.is_some_and(|(span, since)| span.holds(since) && since < at);
        holds(!stuck && !gone, || broken(format_args!("an event was taken at {at}, when the disk was out of reach")))
    }

    /// This fact became durable now.
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
    /// A server whose disk is out of reach is not ready.
    pub(in crate::network) fn shows(&self, phase: Phase, readiness: Readiness) -> OracleResult {
        let is_so = !self.is_late || phase != Phase::Running || readiness != Readiness::Ready;
        holds(is_so, || broken("the disk has been out of reach for a second, and the server is ready"))
    }
}

/// A call had no answer in time.
pub(in crate::network) fn silent(what: &str, bound: Duration) -> Broken {
    broken(format_args!("{what} has no answer after {bound:?}, while the disk is out of reach"))
}

/// An event that had ended durably before it was asked for is shown as such.
pub(in crate::network) fn marked(expected: &ReferenceState, record: &RecordView) -> OracleResult {
    let number = number(&record.key).unwrap_or_default();
    let is_kept = record.status == Status::Completed && status(expected, number) == Some(Status::Completed);
    holds(record.durable || !is_kept, || {
        broken(format_args!("e{number} is completed, and shown as if a crash could take that back"))
    })
}

/// What an engine that was given up shows as durable is.
pub(in crate::network) fn given_up(expected: &ReferenceState, eventful: &Eventful) -> OracleResult {
    let page = pin!(eventful.list(None, Cursor::START, PAGE)).poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(Ok(page)) = page else { return Ok(()) };
    page.records.iter().filter(|record| record.durable).try_for_each(|record| {
        let number = number(&record.key).unwrap_or_default();
        let is_completed = record.status == Status::Completed;
        let is_kept = status(expected, number).is_some_and(|kept| !is_completed || kept == Status::Completed);
        holds(is_kept, || broken(format_args!("e{number} is {} and shown as durable, and was given up", record.status)))
    })
}

fn status(expected: &ReferenceState, number: KeyNumber) -> Option<Status> {
    expected.record(number.into()).map(ReferenceRecord::status)
}

fn broken(what: impl std::fmt::Display) -> Broken {
    Broken::new("waits", 9, what)
}
