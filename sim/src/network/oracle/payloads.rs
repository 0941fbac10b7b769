//! The oracle of payloads: one key, one payload; no two results of one process contradict each other.

use std::collections::{BTreeMap, BTreeSet};

use super::{OracleResult, holds};
use crate::failure::Broken;
use crate::network::connection_owners::{ClientAnswer, digest};
use crate::network::scenario::{KeyNumber, PayloadNumber, SubmittedItem};

/// The results that clients received, by key, since the record of the key was last forgotten.
#[derive(Debug, Default)]
pub(in crate::network) struct Payloads {
    keys: BTreeMap<KeyNumber, SentPayload>,
    discarded: BTreeSet<KeyNumber>,
}

/// The promises of the engine to its clients.
#[derive(Debug, Default)]
pub(in crate::network) struct OwedPayload {
    /// Events that must be there, with their payloads.
    pub(in crate::network) items: Vec<SubmittedItem>,
    /// Events that an operator has discarded.
    pub(in crate::network) discarded: Vec<KeyNumber>,
}

#[derive(Debug, Default)]
struct SentPayload {
    /// True if a client was informed that the event is new.
    accepted: bool,
    /// The payload that the engine has accepted, as far as results say.
    holder: Option<PayloadNumber>,
    /// The digest that the engine has shown as the stored one.
    stored: Option<String>,
    /// The payloads that were refused as not the stored one.
    refused: Vec<PayloadNumber>,
}

impl Payloads {
    /// Checks the result for a client that had submitted `item`.
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

    /// Notes that the record of this key was forgotten after its retention.
    pub(in crate::network) fn forget(&mut self, key: KeyNumber) {
        self.keys.remove(&key);
        self.discarded.remove(&key);
    }

    /// Notes that a client was informed of the discard of this event.
    pub(in crate::network) fn discarded(&mut self, key: KeyNumber) {
        self.discarded.insert(key);
    }

    /// Returns whether a client was informed that the event is accepted.
    pub(in crate::network) fn is_taken(&self, key: KeyNumber) -> bool {
        self.keys.get(&key).is_some_and(|said| said.holder.is_some())
    }

    /// Returns the promises to clients.
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
        holds(holder == item.payload, || broken(item, format_args!("was accepted, but so was {holder}")))?;
        holds(!self.refused.contains(&item.payload), || broken(item, "was accepted, but also refused as a conflict"))?;
        let digest = digest(item.key, item.payload).to_string();
        let stored = self.stored.get_or_insert_with(|| digest.clone());
        holds(*stored == digest, || broken(item, format_args!("was accepted, but {stored} is stored")))
    }

    fn refuses(&mut self, item: SubmittedItem, stored: &str, received: &str) -> OracleResult {
        let own = digest(item.key, item.payload).to_string();
        holds(received == own, || {
            broken(item, format_args!("has the digest {own}, but {received} is named as received"))
        })?;
        holds(stored != own, || broken(item, "is in conflict with itself"))?;
        holds(self.holder != Some(item.payload), || broken(item, "is refused as a conflict, but was accepted"))?;
        let known = self.stored.get_or_insert_with(|| stored.to_string());
        holds(known == stored, || broken(item, format_args!("conflicts with {stored}, earlier ones with {known}")))?;
        self.refused.push(item.payload);
        Ok(())
    }
}

fn broken(item: SubmittedItem, what: impl std::fmt::Display) -> Broken {
    Broken::new("payloads", 2, format_args!("e{} with payload {} {what}", item.key, item.payload))
}
