//! What one writes first: a bounded channel, a semaphore, and a task per event.
//!
//! *Naive* remembers nothing. *Article* adds what the usual article adds: a map of ids under a mutex, with the SHA-256 of the
//! payload and a status. Neither retries, survives a fault, or bounds its memory.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::sync::{Semaphore, mpsc};

/// As many handlers at once as there may be in each system.
pub(crate) const LIMIT: usize = 64;
const CAPACITY: usize = 1024;

type Item = (String, Bytes);

/// What a baseline does with an event.
pub(crate) trait Handle: Fn(Bytes) + Clone + Send + Sync + 'static {}

impl<F: Fn(Bytes) + Clone + Send + Sync + 'static> Handle for F {}

/// Bounded channel, semaphore, task per event.
#[derive(Clone)]
pub(crate) struct Naive(mpsc::Sender<Item>);

impl Naive {
    pub(crate) fn start(handle: impl Handle) -> Self {
        Self(start(move |(_, payload)| handle(payload)))
    }

    pub(crate) async fn submit(&self, id: String, payload: Bytes) {
        self.0.send((id, payload)).await.expect("the dispatcher lives");
    }
}

/// The same, with a map of digests and statuses.
#[derive(Clone)]
pub(crate) struct Article {
    channel: mpsc::Sender<Item>,
    seen: Arc<Mutex<Seen>>,
}

type Seen = HashMap<String, ([u8; 32], Status)>;

enum Status {
    Received,
    Processing,
    Completed,
}

/// What the map says about a submit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Submitted {
    New,
    Duplicate,
    Conflict,
}

impl Article {
    pub(crate) fn start(handle: impl Handle) -> Self {
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let map = Arc::clone(&seen);
        let channel = start(move |(id, payload): Item| {
            set(&map, &id, Status::Processing);
            handle(payload);
            set(&map, &id, Status::Completed);
        });
        Self { channel, seen }
    }

    pub(crate) async fn submit(&self, id: String, payload: Bytes) -> Submitted {
        let submitted = self.remember(&id, Sha256::digest(&payload).into());
        if submitted == Submitted::New {
            self.channel.send((id, payload)).await.expect("the dispatcher lives");
        }
        submitted
    }

    fn remember(&self, id: &str, digest: [u8; 32]) -> Submitted {
        match self.seen.lock().unwrap_or_else(PoisonError::into_inner).entry(id.to_owned()) {
            Entry::Occupied(seen) if seen.get().0 == digest => Submitted::Duplicate,
            Entry::Occupied(_) => Submitted::Conflict,
            Entry::Vacant(room) => {
                room.insert((digest, Status::Received));
                Submitted::New
            }
        }
    }
}

fn set(seen: &Mutex<Seen>, id: &str, status: Status) {
    if let Some(record) = seen.lock().unwrap_or_else(PoisonError::into_inner).get_mut(id) {
        record.1 = status;
    }
}

fn start(work: impl Fn(Item) + Clone + Send + Sync + 'static) -> mpsc::Sender<Item> {
    let (sender, mut receiver) = mpsc::channel::<Item>(CAPACITY);
    let permits = Arc::new(Semaphore::new(LIMIT));
    tokio::spawn(async move {
        while let Some(item) = receiver.recv().await {
            let permit = Arc::clone(&permits).acquire_owned().await;
            let work = work.clone();
            tokio::spawn(async move {
                work(item);
                drop(permit);
            });
        }
    });
    sender
}
