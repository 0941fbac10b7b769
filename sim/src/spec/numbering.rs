//! Numbers of keys.

use std::collections::BTreeMap;

use eventful::Key;

use crate::key_table::KeyTable;
use crate::scenario::EventNumber;

/// The numbers under which a [`ReferenceState`](super::ReferenceState) keeps records: small ones, as it keeps them in
/// a list.
pub trait Numbering {
    /// Returns the number of a key; none for a key that no event of the run has.
    fn number(&self, key: &Key) -> Option<EventNumber>;
}

impl Numbering for KeyTable {
    fn number(&self, key: &Key) -> Option<EventNumber> {
        self.number(key)
    }
}

/// Keys in the order in which they were first seen.
#[derive(Debug, Clone, Default)]
pub struct Register(BTreeMap<Key, EventNumber>);

impl Register {
    /// Returns the number of a key, which is a new one for a new key.
    pub fn enter(&mut self, key: &Key) -> EventNumber {
        let next = EventNumber::try_from(self.0.len()).expect("a history has fewer keys");
        *self.0.entry(key.clone()).or_insert(next)
    }

    /// Returns every key with its number, in the order of the keys.
    pub fn all(&self) -> impl Iterator<Item = (&Key, EventNumber)> {
        self.0.iter().map(|(key, number)| (key, *number))
    }
}

impl Numbering for Register {
    fn number(&self, key: &Key) -> Option<EventNumber> {
        self.0.get(key).copied()
    }
}
