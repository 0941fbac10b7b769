//! What clients were told, and what may be told after that.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use eventful::Event;
use tokio::sync::Notify;

/// What clients were told, by id.
#[derive(Default)]
pub(crate) struct ClientLedger {
    told: Mutex<BTreeMap<String, EventAnswers>>,
    changed: Notify,
}

/// What clients were told about one event.
#[derive(Debug, Clone, Default)]
pub(crate) struct EventAnswers {
    /// The digest of the payload that it has.
    pub(crate) digest: String,
    /// The server has said that it has it.
    pub(crate) has: bool,
    /// The server has said that it is completed.
    pub(crate) completed: bool,
    /// How often the server has said that it is new.
    accepted: u32,
}

/// An answer to a submission.
#[derive(Debug)]
pub(crate) enum SubmitResponse {
    Accepted,
    Duplicate { status: String },
    Conflict { stored_digest: String },
}

impl ClientLedger {
    /// What was told about this event so far.
    pub(crate) fn known(&self, id: &str) -> EventAnswers {
        self.lock().get(id).cloned().unwrap_or_default()
    }

    /// Notes an answer. `known` is what was told when the submission was sent.
    pub(crate) fn note(&self, id: &str, payload: &str, known: &EventAnswers, answer: SubmitResponse) {
        let mut all = self.lock();
        let told = all.entry(id.to_owned()).or_default();
        let digest = match &answer {
            SubmitResponse::Accepted | SubmitResponse::Duplicate { .. } => digest(id, payload),
            SubmitResponse::Conflict { stored_digest } => stored_digest.clone(),
        };
        assert!(told.digest.is_empty() || told.digest == digest, "{id} has another payload now: {answer:?}, {told:?}");
        told.digest = digest;
        told.has = true;
        match answer {
            SubmitResponse::Accepted => {
                told.accepted += 1;
                assert!(!known.has && told.accepted == 1, "{id} was there before, and is new: {told:?}");
            }
            SubmitResponse::Duplicate { status } => {
                told.completed |= status == "completed";
                assert!(!known.completed || status == "completed", "{id} was completed, and is {status}");
            }
            SubmitResponse::Conflict { stored_digest } => assert_ne!(stored_digest, self::digest(id, payload), "{id}"),
        }
        self.changed.notify_waiters();
    }

    /// How many events the server has said that it has.
    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    /// Waits for as many events.
    pub(crate) async fn until(&self, events: usize) {
        loop {
            let changed = self.changed.notified();
            if self.count() >= events {
                return;
            }
            changed.await;
        }
    }

    /// Every event, with what was told about it.
    pub(crate) fn all(&self) -> BTreeMap<String, EventAnswers> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, EventAnswers>> {
        self.told.lock().expect("no client has panicked")
    }
}

/// The digest of a payload, as the server shows it.
pub(crate) fn digest(id: &str, payload: &str) -> String {
    Event::with_id(id, payload.to_owned()).expect("an event").digest().to_string()
}
