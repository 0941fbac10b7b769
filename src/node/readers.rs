//! Readers of facts as they happen.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use super::actions::Waiter;
use crate::engine::facts::Fact;

/// A message to a reader of facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A decided change.
    Fact(Fact),
    /// The reader was slow: this many facts were dropped here, the oldest first.
    Lagged(u64),
    /// The journal had failed and was opened again: facts may be missing here.
    Reopened,
}

/// The result of a read of the next notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// The next notice.
    Notice(Notice),
    /// There is none yet. The reader is woken when there is one.
    Empty,
    /// There will be none any more.
    Closed,
}

/// All readers of facts.
#[derive(Debug, Default)]
pub(super) struct Readers {
    buffers: BTreeMap<Waiter, Buffer>,
    /// Facts that were dropped because a reader was too slow.
    dropped: u64,
    is_closed: bool,
}

#[derive(Debug)]
struct Buffer {
    notices: VecDeque<Notice>,
    capacity: usize,
    lagged: u64,
    /// True if the reader has found nothing, and waits.
    waits: bool,
}

impl Buffer {
    fn next(&mut self) -> Option<Notice> {
        // Before the facts that follow the gap.
        if self.lagged > 0 {
            return Some(Notice::Lagged(core::mem::take(&mut self.lagged)));
        }
        self.notices.pop_front()
    }

    /// Adds facts, of which the last ones stay when there are too many. Returns the number of notices that were
    /// dropped.
    fn extend(&mut self, facts: &[Fact]) -> u64 {
        let kept = facts.len().min(self.capacity);
        // Facts that would be dropped at once are not cloned.
        let (passed_over, kept) = facts.split_at(facts.len() - kept);
        self.lagged += passed_over.len() as u64;
        passed_over.len() as u64 + kept.iter().map(|fact| self.push(Notice::Fact(fact.clone()))).sum::<u64>()
    }

    /// Adds a notice. Returns the number of notices that were dropped for it.
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

impl Readers {
    /// Adds a reader with room for this many notices, at least one.
    pub(super) fn add(&mut self, reader: Waiter, capacity: usize) {
        let buffer = Buffer { notices: VecDeque::new(), capacity: capacity.max(1), lagged: 0, waits: false };
        self.buffers.insert(reader, buffer);
    }

    pub(super) fn remove(&mut self, reader: Waiter) {
        self.buffers.remove(&reader);
    }

    /// Returns the next notice of a reader.
    pub(super) fn read(&mut self, reader: Waiter) -> Reading {
        let Some(buffer) = self.buffers.get_mut(&reader) else { return Reading::Closed };
        match buffer.next() {
            Some(notice) => Reading::Notice(notice),
            None if self.is_closed => Reading::Closed,
            None => {
                buffer.waits = true;
                Reading::Empty
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.buffers.len()
    }

    /// Returns whether there are any.
    pub(super) fn any(&self) -> bool {
        !self.buffers.is_empty()
    }

    /// Returns the number of facts that were dropped because a reader was too slow.
    pub(super) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Passes these facts to all readers.
    pub(super) fn publish(&mut self, facts: &[Fact], wake: &mut Vec<Waiter>) {
        self.give(wake, |buffer| buffer.extend(facts));
    }

    /// Reports to all readers that the journal was opened again.
    pub(super) fn reopen(&mut self, wake: &mut Vec<Waiter>) {
        self.give(wake, |buffer| buffer.push(Notice::Reopened));
    }

    /// Reports to all readers that no more facts will come.
    pub(super) fn close(&mut self, wake: &mut Vec<Waiter>) {
        // What is in the buffers can still be read: the end comes behind it.
        self.is_closed = true;
        self.give(wake, |_| 0);
    }

    fn give(&mut self, wake: &mut Vec<Waiter>, mut give: impl FnMut(&mut Buffer) -> u64) {
        for (reader, buffer) in &mut self.buffers {
            self.dropped += give(buffer);
            if core::mem::take(&mut buffer.waits) {
                wake.push(*reader);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Timestamp, facts::Change};

    const READER: Waiter = Waiter::new(1);

    #[test]
    fn reader_of_few_is_given_the_last_facts_of_many() {
        let mut readers = Readers::default();
        readers.add(READER, 2);
        let facts: Vec<_> = (0..10).map(|at| Fact { at: Timestamp::from_micros(at), change: Change::Paused }).collect();
        readers.publish(&facts[..3], &mut Vec::new());
        readers.publish(&facts[3..], &mut Vec::new());

        assert_eq!(readers.read(READER), Reading::Notice(Notice::Lagged(8)));
        assert_eq!(readers.read(READER), Reading::Notice(Notice::Fact(facts[8].clone())));
        assert_eq!(readers.read(READER), Reading::Notice(Notice::Fact(facts[9].clone())));
        assert_eq!((readers.read(READER), readers.dropped()), (Reading::Empty, 8));
    }

    #[test]
    fn reader_is_woken_once_for_each_wait() {
        let (mut readers, mut wake) = (Readers::default(), Vec::new());
        readers.add(READER, 2);
        readers.publish(&[], &mut wake);
        assert_eq!((wake.len(), readers.read(READER)), (0, Reading::Empty));
        readers.publish(&[], &mut wake);
        readers.close(&mut wake);
        assert_eq!((wake.len(), readers.read(READER)), (1, Reading::Closed));
    }
}
