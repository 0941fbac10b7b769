//! One key, one payload: no two answers of one process contradict each other.

use std::collections::{BTreeMap, BTreeSet};

use super::{OracleResult, holds};
use crate::failure::Broken;
use crate::network::connection_owners::{ClientAnswer, digest};
use crate::network::scenario::{KeyNumber, PayloadNumber, SubmittedItem};

/// What clients were told, by key, while no record of the key has been forgotten.
#[derive(Debug, Default)]
pub(in crate::network) struct Payloads {
    keys: BTreeMap<KeyNumber, SentPayload>,
    discarded: BTreeSet<KeyNumber>,
}

/// What the engine owes to clients.
#[derive(Debug, Default)]
pub(in crate::network) struct OwedPayload {
    /// These events are there, with these payloads.
    pub(in crate::network) items: Vec<SubmittedItem>,
    /// These have been ended by an operator.
    pub(in crate::network) discarded: Vec<KeyNumber>,
}

#[derive(Debug, Default)]
struct SentPayload {
    /// Somebody was told that the event is new.
    accepted: bool,
    /// The payload that the engine has taken, as far as answers say.
    holder: Option<PayloadNumber>,
    /// The digest that the engine has shown as the stored one.
    stored: Option<String>,
    /// The payloads of which it was said that they are not the stored one.
    refused: Vec<PayloadNumber>,
}

impl Payloads {
    /// Judges the answer to a client that had submitted `item`.
    pub(in crate::network) fn answered(&mut self, item: SubmittedItem, answer: &ClientAnswer) -> OracleResult {
        let said = self.keys.entry(item.key).or_default();
        match answer {
            ClientAnswer::Accepted if said.accepted => Err(broken(item, "was accepted twice")),
            ClientAnswer::Accepted => {
                said.accepted = true;
                said.holds(item)
            }
            ClientAnswer::Duplicate => said.holds(item),
            ClientAnswer::Conflict { stored, received } => said.refuses(item, stored, received),
            ClientAnswer::Other => Ok(()),
        }
    }

    /// The record of this key is gone, after its retention.
    pub(in crate::network) fn forget(&mut self, key: KeyNumber) {
        self.keys.remove(&key);
        self.discarded.remove(&key);
    }

    /// A client was told that this event was discarded.
    pub(in crate::network) fn discarded(&mut self, key: KeyNumber) {
        self.discarded.insert(key);
    }

    /// Whether somebody was told that the event is taken.
    pub(in crate::network) fn is_taken(&self, key: KeyNumber) -> bool {
        self.keys.get(&key).is_some_and(|said| said.holder.is_some())
    }

    /// What clients were told.
    pub(in crate::network) fn owed(&self) -> OwedPayload {
        let held =
            |(key, said): (&KeyNumber, &SentPayload)| said.holder.map(|payload| SubmittedItem { key: *key, payload });
        let items = self.keys.iter().filter_map(held).collect();
        OwedPayload { items, discarded: self.discarded.iter().copied().collect() }
    }
}

impl SentPayload {
    fn holds(&mut self, item: SubmittedItem) -> OracleResult {
        let holder = *self.holder.get_or_insert(item.payload);
        holds(holder == item.payload, || broken(item, format_args!("was taken, and so was {holder}")))?;
        holds(!self.refused.contains(&item.payload), || broken(item, "was taken, and a conflict as well"))?;
        let digest = digest(item.key, item.payload).to_string();
        let stored = self.stored.get_or_insert_with(|| digest.clone());
        holds(*stored == digest, || broken(item, format_args!("was taken, but {stored} is stored")))
    }

    fn refuses(&mut self, item: SubmittedItem, stored: &str, received: &str) -> OracleResult {
        let own = digest(item.key, item.payload).to_string();
        holds(received == own, || broken(item, format_args!("is {own}, but {received} was received")))?;
        holds(stored != own, || broken(item, "is in conflict with itself"))?;
        holds(self.holder != Some(item.payload), || broken(item, "is a conflict, and was taken"))?;
        let known = self.stored.get_or_insert_with(|| stored.to_string());
        holds(known == stored, || broken(item, format_args!("met {stored}, others {known}")))?;
        self.refused.push(item.payload);
        Ok(())
    }
}

fn broken(item: SubmittedItem, what: impl std::fmt::Display) -> Broken {
    Broken::new("payloads", 2, format_args!("e{} with payload {} {what}", item.key, item.payload))
}
