//! Facts as they happen, for whoever wants to watch.

use core::fmt;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::vec::Vec;
use tokio::sync::Notify;

use crate::engine::Fact;

/// What a [`Subscription`] receives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A decided change.
    Fact(Fact),
    /// The reader was slow: this many facts were dropped here, the oldest first.
    Lagged(u64),
    /// The journal had failed and was opened again: facts may be missing here.
    Reopened,
}

/// A reader of facts, from the moment it was made. Dropping it ends it.
pub struct Subscription(Arc<Feed>);

impl Subscription {
    /// The next fact, or how many were lost before it; nothing when the engine is gone or has
    /// stopped and everything was read. Dropping the future loses nothing.
    pub async fn recv(&mut self) -> Option<Notice> {
        loop {
            match self.0.lock().next() {
                Read::Notice(notice) => return Some(notice),
                Read::Closed => return None,
                Read::Empty => {}
            }
            self.0.news.notified().await;
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("unread", &self.0.lock().notices.len()).finish_non_exhaustive()
    }
}

struct Feed {
    buffer: Mutex<Buffer>,
    news: Notify,
}

struct Buffer {
    notices: VecDeque<Notice>,
    capacity: usize,
    lagged: u64,
    closed: bool,
}

enum Read {
    Notice(Notice),
    Empty,
    Closed,
}

impl Feed {
    fn lock(&self) -> MutexGuard<'_, Buffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Buffer {
    fn next(&mut self) -> Read {
        if self.lagged > 0 {
            return Read::Notice(Notice::Lagged(core::mem::take(&mut self.lagged)));
        }
        match self.notices.pop_front() {
            Some(notice) => Read::Notice(notice),
            None if self.closed => Read::Closed,
            None => Read::Empty,
        }
    }

    /// Takes in facts, of which the last ones stay when there are too many. Returns how many notices had
    /// to go.
    fn extend(&mut self, facts: &[Fact]) -> u64 {
        let kept = facts.len().min(self.capacity);
        let (passed_over, kept) = facts.split_at(facts.len() - kept);
        self.lagged += passed_over.len() as u64;
        passed_over.len() as u64 + kept.iter().map(|fact| self.push(Notice::Fact(fact.clone()))).sum::<u64>()
    }

    /// Answers how many notices had to go for this one.
    fn push(&mut self, notice: Notice) -> u64 {
        let dropped = u64::from(self.notices.len() == self.capacity);
        if dropped > 0 {
            self.notices.pop_front();
            self.lagged += dropped;
        }
        self.notices.push_back(notice);
        dropped
    }
}

/// A reader that has something to read.
pub(super) struct Awaited(Arc<Feed>);

impl Awaited {
    pub(super) fn wake(&self) {
        self.0.news.notify_one();
    }
}

/// Facts that a reader is given at once: it may read on in between.
const PART: usize = 256;

/// Gives these facts to these readers. Returns for how many some of them were too slow.
pub(super) fn publish(readers: &[Awaited], facts: &[Fact]) -> u64 {
    let give = |reader: &Awaited| facts.chunks(PART).map(|part| reader.0.lock().extend(part)).sum::<u64>();
    readers.iter().map(give).sum()
}

/// Everybody who reads facts.
#[derive(Default)]
pub(super) struct Subscribers {
    feeds: Vec<Weak<Feed>>,
    /// Facts that some reader was too slow for.
    pub(super) dropped: u64,
    closed: bool,
}

impl Subscribers {
    pub(super) fn add(&mut self, capacity: usize) -> Subscription {
        let buffer = Buffer { notices: VecDeque::new(), capacity: capacity.max(1), lagged: 0, closed: self.closed };
        let feed = Arc::new(Feed { buffer: Mutex::new(buffer), news: Notify::new() });
        // Those that ended while nothing happened would pile up.
        self.feeds.retain(|feed| feed.strong_count() > 0);
        self.feeds.push(Arc::downgrade(&feed));
        Subscription(feed)
    }

    /// Whether somebody reads.
    pub(super) fn any(&self) -> bool {
        !self.feeds.is_empty()
    }

    /// Gives these facts to all readers, and returns whom to wake.
    pub(super) fn publish(&mut self, facts: &[Fact]) -> Vec<Awaited> {
        let readers = self.readers();
        self.dropped += publish(&readers, facts);
        readers
    }

    /// Tells all readers that the journal was opened again, and answers whom to wake.
    #[cfg(feature = "durable")]
    pub(super) fn reopen(&mut self) -> Vec<Awaited> {
        let readers = self.readers();
        self.dropped += readers.iter().map(|reader| reader.0.lock().push(Notice::Reopened)).sum::<u64>();
        readers
    }

    /// Everybody who reads.
    pub(super) fn readers(&mut self) -> Vec<Awaited> {
        self.feeds.retain(|feed| feed.strong_count() > 0);
        self.feeds.iter().filter_map(Weak::upgrade).map(Awaited).collect()
    }

    /// Says that no more facts will come.
    pub(super) fn close(&mut self) {
        self.closed = true;
        for feed in self.feeds.iter().filter_map(Weak::upgrade) {
            feed.lock().closed = true;
            feed.news.notify_one();
        }
    }
}

/// A reader that outlives its engine has read everything.
impl Drop for Subscribers {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Subscribers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscribers").field("readers", &self.feeds.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Change, Timestamp};

    #[test]
    fn reader_of_few_is_given_the_last_facts_of_many() {
        let mut subscribers = Subscribers::default();
        let reader = subscribers.add(2);
        let facts: Vec<_> =
            (0..PART as u64 + 3).map(|at| Fact { at: Timestamp::from_micros(at), change: Change::Paused }).collect();
        subscribers.publish(&facts);

        let read = |notice| matches!(reader.0.lock().next(), Read::Notice(found) if found == notice);
        assert!(read(Notice::Lagged(PART as u64 + 1)));
        assert!(read(Notice::Fact(facts[facts.len() - 2].clone())));
        assert!(read(Notice::Fact(facts[facts.len() - 1].clone())));
        assert_eq!(subscribers.dropped, PART as u64 + 1);
    }

    #[test]
    fn readers_that_end_while_nothing_happens_do_not_pile_up() {
        let mut subscribers = Subscribers::default();
        let kept = subscribers.add(1);
        for _ in 0..100 {
            drop(subscribers.add(1));
        }
        assert!(subscribers.feeds.len() <= 2, "{subscribers:?} for {kept:?}");
    }
}
