//! The last facts, kept for those who follow them over HTTP.

use core::time::Duration;
use std::collections::VecDeque;
use std::format;
use std::string::String;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::vec::Vec;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::fact_json;
use super::timeouts::now;
use crate::engine::Timestamp;
use crate::node::{Notice, Unavailable};
use crate::runtime::{Eventful, Subscription};

/// Bytes of facts that are kept, as they are sent: some 20,000 facts, the last seconds of a busy server. A follower that is
/// gone for longer learns how many it has missed.
const KEPT_BYTES: usize = 4 << 20;

/// Facts that may wait for the one task that keeps them. Past these the oldest are lost, and followers get their
/// number.
const BACKLOG: usize = 16 << 10;

/// Bytes that one follower is given at once: they are copied with the log locked, for which all others wait.
const PART_BYTES: usize = 64 << 10;

/// The longest time for which facts are kept without a follower: one whose connection breaks comes back within seconds.
const UNFOLLOWED: Duration = Duration::from_secs(60);

/// The last facts. Nothing is kept before the first follower comes.
#[derive(Debug, Clone)]
pub(super) struct FactLog(Arc<Log>);

#[derive(Debug)]
struct Log {
    kept: Mutex<Kept>,
    changed: Notify,
}

#[derive(Debug)]
struct Kept {
    /// Differs from start to start of the server, so that a cursor of an earlier one is known.
    life: u64,
    /// The number of the first line that is kept, and of the next one.
    first: u64,
    next: u64,
    lines: VecDeque<Bytes>,
    bytes: usize,
    is_read: bool,
    has_ended: bool,
    followers: usize,
    /// The time at which the last follower left.
    unfollowed_since: Option<Instant>,
}

/// A place among the facts: `LIFE.NUMBER`, with the number of the next one to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FactCursor {
    life: u64,
    next: u64,
}

impl FactCursor {
    /// The cursor that was shown as this.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (life, number) = text.split_once('.')?;
        Some(Self { life: life.parse().ok()?, next: number.parse().ok()? })
    }
}

impl FactLog {
    pub(super) fn new(now: Timestamp) -> Self {
        let kept = Kept {
            life: now.as_micros(),
            first: 0,
            next: 0,
            lines: VecDeque::new(),
            bytes: 0,
            is_read: false,
            has_ended: false,
            followers: 0,
            unfollowed_since: None,
        };
        Self(Arc::new(Log { kept: Mutex::new(kept), changed: Notify::new() }))
    }

    /// A follower from this place on; from now on without one.
    ///
    /// # Errors
    ///
    /// [`Unavailable`]
    pub(super) fn follow(&self, eventful: &Eventful, from: Option<FactCursor>) -> Result<Follower, Unavailable> {
        let mut kept = self.lock();
        if !kept.is_read && !kept.has_ended {
            let subscription = eventful.subscribe(BACKLOG)?;
            kept.begin();
            tokio::spawn(read(self.clone(), subscription));
        }
        kept.followers += 1;
        kept.unfollowed_since = None;
        let next = match from {
            None => kept.next,
            Some(from) if from.life == kept.life && from.next <= kept.next => from.next,
            // Of another life: everything that there is.
            Some(_) => kept.first,
        };
        let is_lost = from.is_some_and(|from| from.life != kept.life || from.next > kept.next);
        Ok(Follower { log: self.clone(), next, is_lost, is_new: true })
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps facts until the engine has stopped, or no one follows for long.
async fn read(log: FactLog, mut subscription: Subscription) {
    loop {
        let notice = match tokio::time::timeout(UNFOLLOWED, subscription.recv()).await {
            Ok(Some(notice)) => Some(notice),
            Ok(None) => break,
            // Nothing came for a while: a time to check whether there are followers.
            Err(_) => None,
        };
        let mut kept = log.lock();
        notice.into_iter().for_each(|notice| kept.push(&notice));
        let is_unfollowed = kept.is_unfollowed();
        if is_unfollowed {
            kept.is_read = false;
        }
        drop(kept);
        log.0.changed.notify_waiters();
        if is_unfollowed {
            return;
        }
    }
    log.lock().has_ended = true;
    log.0.changed.notify_waiters();
}

impl Kept {
    /// Begins to keep facts. Those since it was last done are missed, however many they are.
    fn begin(&mut self) {
        self.lines.clear();
        self.bytes = 0;
        // One number is given to no fact: a cursor from before shows by it that some were missed.
        self.next += u64::from(self.next > 0);
        self.first = self.next;
        self.is_read = true;
    }

    fn is_unfollowed(&self) -> bool {
        self.unfollowed_since.is_some_and(|since| since.elapsed() >= UNFOLLOWED)
    }

    fn push(&mut self, notice: &Notice) {
        let (name, json) = fact_json::notice(notice);
        self.next += 1;
        let line = Bytes::from(format!("id: {}.{}\nevent: {name}\ndata: {json}\n\n", self.life, self.next));
        self.bytes += line.len();
        self.lines.push_back(line);
        while self.bytes > KEPT_BYTES
            && let Some(oldest) = self.lines.pop_front()
        {
            self.bytes -= oldest.len();
            self.first += 1;
        }
    }
}

/// A reader of facts.
#[derive(Debug)]
pub(super) struct Follower {
    log: FactLog,
    next: u64,
    /// True if it asked for a place that this server never had.
    is_lost: bool,
    /// True until it has its first cursor: a follower that has seen no fact yet can also come back to its place.
    is_new: bool,
}

impl Follower {
    /// The next facts, as they are sent; none at the end. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        loop {
            // Made before the read, so that no notification between them is missed.
            let log = self.log.clone();
            let changed = log.0.changed.notified();
            match self.take() {
                Some(part) => return Some(part),
                None if self.log.lock().has_ended => return None,
                None => changed.await,
            }
        }
    }

    fn take(&mut self) -> Option<Bytes> {
        let kept = self.log.lock();
        let mut part = Vec::new();
        if self.is_lost || self.next < kept.first {
            let missed = if self.is_lost { String::from("null") } else { format!("{}", kept.first - self.next) };
            self.next = self.next.max(kept.first);
            let (life, next) = (kept.life, self.next);
            part.extend_from_slice(
                format!("id: {life}.{next}\nevent: missed\ndata: {{\"missed\":{missed}}}\n\n").as_bytes(),
            );
        } else if self.is_new {
            // An event without data is none to browsers, and sets the cursor.
            part.extend_from_slice(format!("id: {}.{}\n\n", kept.life, self.next).as_bytes());
        }
        let from = usize::try_from(self.next - kept.first).unwrap_or(usize::MAX);
        for line in kept.lines.iter().skip(from) {
            // At least one line, however long that is.
            if !part.is_empty() && part.len() + line.len() > PART_BYTES {
                break;
            }
            part.extend_from_slice(line);
            self.next += 1;
        }
        drop(kept);
        (self.is_lost, self.is_new) = (false, false);
        (!part.is_empty()).then(|| part.into())
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let mut kept = self.log.lock();
        kept.followers -= 1;
        kept.unfollowed_since = (kept.followers == 0).then(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::facts::{Change, Fact};

    fn log() -> FactLog {
        FactLog::new(Timestamp::from_micros(5))
    }

    fn push(log: &FactLog, count: usize) {
        let notice = Notice::Fact(Fact { at: Timestamp::EPOCH, change: Change::Paused });
        (0..count).for_each(|_| log.lock().push(&notice));
    }

    /// The first number that is kept, the next one, and the bytes of all.
    fn extent(log: &FactLog) -> (u64, u64, usize) {
        let kept = log.lock();
        (kept.first, kept.next, kept.bytes)
    }

    fn follower(log: &FactLog, next: u64) -> Follower {
        log.lock().followers += 1;
        Follower { log: log.clone(), next, is_lost: false, is_new: false }
    }

    #[test]
    fn follower_that_was_away_learns_what_it_has_missed() {
        let log = log();
        let mut follower = follower(&log, 0);
        push(&log, 1);
        let first = follower.take().expect("a fact");
        assert!(first.starts_with(b"id: 5.1\nevent: paused\ndata: {") && follower.take().is_none());
        push(&log, 200_000);
        let (first, next, bytes) = extent(&log);
        assert!(first > 1 && next == 200_001 && bytes <= KEPT_BYTES);
        let part = follower.take().expect("facts");
        let missed =
            format!("id: 5.{first}\nevent: missed\ndata: {{\"missed\":{}}}\n\nid: 5.{}\n", first - 1, first + 1);
        assert!(part.starts_with(missed.as_bytes()) && part.len() <= PART_BYTES);
        while follower.take().is_some() {}
        assert_eq!(follower.next, 200_001);
    }

    #[test]
    fn follower_without_a_fact_has_a_cursor_to_come_back_to() {
        let log = log();
        push(&log, 2);
        let mut new = follower(&log, 2);
        new.is_new = true;
        assert_eq!(new.take().as_deref(), Some(&b"id: 5.2\n\n"[..]));
        assert_eq!(new.take(), None);
        push(&log, 1);
        let part = follower(&log, 2).take().expect("the fact in between");
        assert!(part.starts_with(b"id: 5.3\nevent: paused\n"), "{part:?}");
    }

    #[test]
    fn what_was_not_kept_counts_as_missed() {
        let log = log();
        push(&log, 3);
        log.lock().begin();
        assert_eq!(extent(&log), (4, 4, 0));
        let part = follower(&log, 3).take().expect("a word");
        assert_eq!(&part[..], b"id: 5.4\nevent: missed\ndata: {\"missed\":1}\n\n");
    }

    #[test]
    fn cursor_is_the_one_that_was_shown() {
        assert_eq!(FactCursor::parse("5.7"), Some(FactCursor { life: 5, next: 7 }));
        for text in ["", "5", "5.", ".7", "a.1", "5.7.1", "5.18446744073709551616"] {
            assert_eq!(FactCursor::parse(text), None, "{text}");
        }
    }
}
