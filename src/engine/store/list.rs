//! A list through the records themselves.

use super::live::{Links, LiveRecord};
use super::slab::{Slab, Slot};

/// First in, first out, with removal from the middle; the links are in the records, so nothing
/// is allocated. A record is in at most one list.
#[derive(Debug, Default)]
pub(in crate::engine) struct List {
    head: Option<Slot>,
    tail: Option<Slot>,
    len: usize,
}

impl List {
    pub(in crate::engine) const fn len(&self) -> usize {
        self.len
    }

    pub(in crate::engine) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(in crate::engine) const fn head(&self) -> Option<Slot> {
        self.head
    }

    pub(in crate::engine) const fn tail(&self) -> Option<Slot> {
        self.tail
    }

    pub(in crate::engine) fn push_back(&mut self, live: &mut Slab<LiveRecord>, slot: Slot) {
        live[slot].links = Links { previous: self.tail, next: None };
        match self.tail {
            Some(tail) => live[tail].links.next = Some(slot),
            None => self.head = Some(slot),
        }
        self.tail = Some(slot);
        self.len += 1;
    }

    pub(in crate::engine) fn push_front(&mut self, live: &mut Slab<LiveRecord>, slot: Slot) {
        live[slot].links = Links { previous: None, next: self.head };
        match self.head {
            Some(head) => live[head].links.previous = Some(slot),
            None => self.tail = Some(slot),
        }
        self.head = Some(slot);
        self.len += 1;
    }

    pub(in crate::engine) fn remove(&mut self, live: &mut Slab<LiveRecord>, slot: Slot) {
        let Links { previous, next } = core::mem::take(&mut live[slot].links);
        match previous {
            Some(previous) => live[previous].links.next = next,
            None => self.head = next,
        }
        match next {
            Some(next) => live[next].links.previous = previous,
            None => self.tail = previous,
        }
        self.len -= 1;
    }

    /// Its records from head to tail.
    pub(in crate::engine) fn iter<'a>(&self, live: &'a Slab<LiveRecord>) -> impl Iterator<Item = Slot> + Clone + 'a {
        core::iter::successors(self.head, |slot| live[*slot].links.next)
    }
}
