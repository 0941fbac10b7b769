//! P10: readers of facts receive all durable ones, each once and in order, as far as their buffers allow.

use eventful::engine::facts::Fact;
use eventful::node::{Notice, Reading, Waiter};

use crate::failure::{Broken, holds};

/// The facts that were published while there were readers, and the position of each reader.
#[derive(Debug, Default)]
pub(crate) struct Published {
    notices: Vec<ReaderEntry>,
    readers: Vec<ReaderState>,
    /// The number of notices that readers were too slow for, as far as they have seen that, or have left.
    dropped: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReaderEntry {
    /// The fact of this number.
    Fact(usize),
    Reopened,
}

#[derive(Debug)]
struct ReaderState {
    waiter: Waiter,
    at: usize,
    capacity: usize,
}

impl Published {
    /// Returns whether there are readers.
    pub(crate) fn has_readers(&self) -> bool {
        !self.readers.is_empty()
    }

    /// Publishes this many facts, from this one on.
    pub(crate) fn publish(&mut self, first: usize, count: usize) {
        if self.has_readers() {
            self.notices.extend((first..first + count).map(ReaderEntry::Fact));
        }
    }

    /// Notes that the journal was opened again.
    pub(crate) fn reopen(&mut self) {
        self.notices.push(ReaderEntry::Reopened);
    }

    pub(crate) fn subscribe(&mut self, waiter: Waiter, capacity: usize) {
        self.readers.push(ReaderState { waiter, at: self.notices.len(), capacity });
    }

    pub(crate) fn unsubscribe(&mut self, waiter: Waiter) {
        let lag = |reader: &ReaderState| if reader.waiter == waiter { reader.lag(self.notices.len()) } else { 0 };
        self.dropped += self.readers.iter().map(lag).sum::<u64>();
        self.readers.retain(|reader| reader.waiter != waiter);
    }

    /// Returns the number of notices that some reader was too slow for.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped + self.readers.iter().map(|reader| reader.lag(self.notices.len())).sum::<u64>()
    }

    /// Returns whether this reader has something to read.
    pub(crate) fn has_news(&self, waiter: Waiter) -> bool {
        self.readers.iter().any(|reader| reader.waiter == waiter && reader.at < self.notices.len())
    }

    /// Checks the next notice of a reader. `ends`: true if no more will come.
    pub(crate) fn judge(
        &mut self,
        waiter: Waiter,
        reading: &Reading,
        facts: &[Fact],
        ends: bool,
    ) -> Result<(), Broken> {
        let published = self.notices.len();
        let reader = self.readers.iter_mut().find(|reader| reader.waiter == waiter);
        let Some(reader) = reader else { return broken(format_args!("an unknown reader receives {reading:?}")) };
        let (lag, next) = (reader.lag(published), self.notices.get(reader.at));
        let is_so = match reading {
            Reading::Notice(Notice::Lagged(dropped)) => lag > 0 && *dropped == lag,
            Reading::Notice(Notice::Fact(fact)) => {
                lag == 0 && matches!(next, Some(ReaderEntry::Fact(at)) if facts.get(*at) == Some(fact))
            }
            Reading::Notice(Notice::Reopened) => lag == 0 && next == Some(&ReaderEntry::Reopened),
            Reading::Empty => next.is_none() && !ends,
            Reading::Closed => next.is_none() && ends,
        };
        match reading {
            Reading::Notice(Notice::Lagged(_)) => {
                reader.at += lag as usize;
                self.dropped += lag;
            }
            Reading::Notice(_) => reader.at += 1,
            Reading::Empty | Reading::Closed => {}
        }
        holds(is_so, || {
            Broken::new(
                "readers",
                10,
                format_args!("a reader receives {reading:?}; the next is {next:?}, and {lag} have no room"),
            )
        })
    }
}

impl ReaderState {
    /// Returns the number of notices that its buffer has no room for.
    fn lag(&self, published: usize) -> u64 {
        (published - self.at).saturating_sub(self.capacity) as u64
    }
}

fn broken(what: impl core::fmt::Display) -> Result<(), Broken> {
    Err(Broken::new("readers", 10, what))
}
