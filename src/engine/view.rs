//! A record as others see it.

use alloc::boxed::Box;
use alloc::vec::Vec;
use bytes::Bytes;

use super::attributes::Attributes;
use super::command::ErrorText;
use super::digest::Digest;
use super::fact::{AttemptEnd, Charge};
use super::ids::{RunId, Seq, Ticket};
use super::key::Key;
use super::shard::{Shard, ShardCount};
use super::status::Status;
use super::time::Timestamp;

/// The engine's knowledge about one event, copied out.
///
/// What a tombstone has dropped is absent: its place in the order, type, group, content type, attributes, size, error and history.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordView {
    /// Its identity.
    pub key: Key,
    /// The digest of its payload.
    pub digest: Digest,
    /// Its status.
    pub status: Status,
    /// The place in which it waits, when it does.
    pub place: Option<Place>,
    /// The number of runs that were started.
    pub attempt: u32,
    /// The counts that are compared with the limits. All zero in a tombstone, which does not keep them.
    pub charge: Charge,
    /// The time of its acceptance.
    pub accepted_at: Timestamp,
    /// Its place in the order in which events were accepted. Absent in a tombstone, and when it comes from a
    /// snapshot of a program that kept none.
    pub seq: Option<Seq>,
    /// Before which its first run does not start, when that was said.
    pub not_before: Option<Timestamp>,
    /// The soonest that its next run may start, when it waits.
    pub eligible_at: Option<Timestamp>,
    /// Its run, when one is in flight.
    pub run: Option<RunView>,
    /// The time at which it became terminal.
    pub terminal_at: Option<Timestamp>,
    /// Its type.
    pub event_type: Option<Box<str>>,
    /// Its group.
    pub group: Option<Box<str>>,
    /// The media type of its payload.
    pub content_type: Option<Box<str>>,
    /// Its attributes; see [`Event::with_attribute`](super::Event::with_attribute).
    pub attributes: Attributes,
    /// The bytes of its event, as [`Event::size_bytes`](super::Event::size_bytes) counts. Zero for a
    /// tombstone.
    pub size_bytes: usize,
    /// Its payload, shared with the engine. Absent in a tombstone, and where only facts are compared.
    pub payload: Option<Bytes>,
    /// The error of the last attempt that had one.
    pub last_error: Option<ErrorText>,
    /// The last attempts that ended, at most [`RecordView::MAX_HISTORY`], the oldest first.
    pub history: Vec<PastAttempt>,
    /// True if no crash can take this back. The engine always says so; the node clears it in what it shows while the
    /// journal is late.
    pub durable: bool,
}

impl RecordView {
    /// The time of the last fact about it, or a later one: every fact from then on is about others.
    pub fn changed_at(&self) -> Timestamp {
        // Of a redrive nothing else is kept. It comes after a run, so after the time before which there is none.
        let first = self.not_before.map_or(self.accepted_at, |not_before| not_before.max(self.accepted_at));
        let redriven = self.eligible_at.filter(|at| self.status == Status::Received && *at != first);
        let started = self.run.map(|run| run.started_at);
        let ended = self.history.last().map(|past| past.ended_at);
        let times = [redriven, started, ended, self.terminal_at];
        times.into_iter().flatten().fold(self.accepted_at, Timestamp::max)
    }

    /// The most past attempts that are remembered.
    pub const MAX_HISTORY: usize = 8;

    /// Returns whether a live ticket of it is in the channel.
    pub const fn is_queued(&self) -> bool {
        matches!(self.place, Some(Place::Queued(_)))
    }

    /// Returns the view of a tombstone, which keeps what later submissions are compared with, and no more.
    pub(crate) fn of_tombstone(
        (key, digest): (Key, Digest),
        (status, attempt): (Status, u32),
        (accepted_at, terminal_at): (Timestamp, Timestamp),
    ) -> Self {
        Self {
            key,
            digest,
            status,
            place: None,
            attempt,
            charge: Charge::default(),
            accepted_at,
            seq: None,
            not_before: None,
            eligible_at: None,
            run: None,
            terminal_at: Some(terminal_at),
            event_type: None,
            group: None,
            content_type: None,
            attributes: Attributes::default(),
            size_bytes: 0,
            payload: None,
            last_error: None,
            history: Vec::new(),
            durable: true,
        }
    }
}

/// The place of a waiting record. It is in exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// Waits for its time.
    Delayed,
    /// Is eligible and waits at this gate until others leave it a place.
    Gated(Gate),
    /// Is eligible and waits for a ticket, first in first out.
    Line,
    /// Its ticket is in the channel.
    Queued(Ticket),
}

/// The gates that a waiting record passes before the line, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Gate {
    /// The gate of its group.
    Group,
    /// The gate of its type policy.
    Type,
}

/// A run in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RunView {
    /// Its name.
    pub id: RunId,
    /// The time at which it started.
    pub started_at: Timestamp,
    /// The time at which it must have ended.
    pub deadline: Timestamp,
}

/// An attempt that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PastAttempt {
    /// Its run.
    pub run: RunId,
    /// The time at which it started.
    pub started_at: Timestamp,
    /// The time at which it ended.
    pub ended_at: Timestamp,
    /// The way it ended.
    pub end: AttemptEnd,
    /// Its error, when it had one: the first [`PastAttempt::MAX_ERROR_BYTES`] bytes.
    pub error: Option<ErrorText>,
}

impl PastAttempt {
    /// The most that is kept of the error of a past attempt, in bytes; of the last one all is kept.
    ///
    /// Enough for what went wrong and where, and little enough: with eight of them and the last
    /// error whole, a record takes 3 KiB for its errors at most, so that 100,000 pending events
    /// which all fail in the longest words take 300 MB.
    pub const MAX_ERROR_BYTES: usize = 256;
}

/// A part of all records, and where the next part begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The records found. May be fewer than asked for, even none, before the end is reached.
    pub records: Vec<RecordView>,
    /// The place to continue; `None` at the end.
    pub next: Option<Cursor>,
}

/// A position among all records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Cursor(u64);

impl Cursor {
    /// Before the first record.
    pub const START: Self = Self(0);

    /// The cursor with this number, which an earlier [`Cursor::number`] gave.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// A number to give out and take back.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// Returns this position among the records of one engine as one among those of all shards, one after the other.
    #[must_use]
    pub const fn in_shard(self, shard: Shard) -> Self {
        Self(self.0 | ((shard.number() as u64) << SHARD_AT))
    }

    /// Returns the shard in which this position among those of all shards is, and the position there.
    pub const fn shard(self) -> (Shard, Self) {
        (Shard::new(((self.0 >> SHARD_AT) & SHARD_MASK) as u16), Self(self.0 & !(SHARD_MASK << SHARD_AT)))
    }
}

/// The place of the shard in the number of a cursor: above all that a position in one shard counts with, which is
/// failures at most, and below the bit that marks those.
const SHARD_AT: u32 = 53;

/// As many bits as the most shards need.
const SHARD_MASK: u64 = ShardCount::MAX as u64 - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursor_keeps_its_shard_and_its_place_there() {
        let failed = 1 << 63;
        for place in [0, 1, (1 << 32) | 7, failed, failed | ((1 << SHARD_AT) - 1)] {
            for shard in [0, 1, ShardCount::MAX - 1] {
                let shard = Shard::new(shard);
                assert_eq!(Cursor::new(place).in_shard(shard).shard(), (shard, Cursor::new(place)));
            }
        }
        assert_eq!(Cursor::new((1 << 32) | 7).in_shard(Shard::new(0)), Cursor::new((1 << 32) | 7), "as it was");
    }
}
