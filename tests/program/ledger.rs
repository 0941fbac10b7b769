//! The results that clients got, and the results that may follow them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use eventful::Event;
use tokio::sync::Notify;

/// The results that clients got, by id.
#[derive(Default)]
pub(crate) struct ClientLedger {
    known: Mutex<BTreeMap<String, EventAnswers>>,
    changed: Notify,
}

/// The results that clients got about one event.
#[derive(Debug, Clone, Default)]
pub(crate) struct EventAnswers {
    /// The digest of its payload.
    pub(crate) digest: String,
    /// True if the server has acknowledged it.
    pub(crate) has: bool,
    /// True if the server has reported it as completed.
    pub(crate) completed: bool,
    /// The number of times that the server has reported it as new.
    accepted: u32,
}

/// A response to a submission.
#[derive(Debug)]
pub(crate) enum SubmitResponse {
    Accepted,
    Duplicate { status: String },
    Conflict { stored_digest: String },
}

impl ClientLedger {
    /// Returns what is known of this event so far.
    pub(crate) fn known(&self, id: &str) -> EventAnswers {
        self.lock().get(id).cloned().unwrap_or_default()
    }

    /// Records a response. `known` is what was known when the submission was sent.
    pub(crate) fn note(&self, id: &str, payload: &str, known: &EventAnswers, answer: SubmitResponse) {
        let mut all = self.lock();
        let event = all.entry(id.to_owned()).or_default();
        let digest = match &answer {
            SubmitResponse::Accepted | SubmitResponse::Duplicate { .. } => digest(id, payload),
            SubmitResponse::Conflict { stored_digest } => stored_digest.clone(),
        };
        assert!(
            event.digest.is_empty() || event.digest == digest,
            "{id} has another payload now: {answer:?}, {event:?}"
        );
        event.digest = digest;
        event.has = true;
        match answer {
            SubmitResponse::Accepted => {
                event.accepted += 1;
                assert!(!known.has && event.accepted == 1, "{id} was there before, and is new: {event:?}");
            }
            SubmitResponse::Duplicate { status } => {
                event.completed |= status == "completed";
                assert!(!known.completed || status == "completed", "{id} was completed, and is {status}");
            }
            SubmitResponse::Conflict { stored_digest } => assert_ne!(stored_digest, self::digest(id, payload), "{id}"),
        }
        self.changed.notify_waiters();
    }

    /// Returns the number of events that the server has acknowledged.
    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    /// Waits for this many events.
    pub(crate) async fn until(&self, events: usize) {
        loop {
            let changed = self.changed.notified();
            if self.count() >= events {
                return;
            }
            changed.await;
        }
    }

    /// Returns every event, with what is known of it.
    pub(crate) fn all(&self) -> BTreeMap<String, EventAnswers> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, EventAnswers>> {
        self.known.lock().expect("no client has panicked")
    }
}

/// Returns the digest of a payload, as the server shows it.
pub(crate) fn digest(id: &str, payload: &str) -> String {
    Event::with_id(id, payload.to_owned()).expect("an event").digest().to_string()
}
